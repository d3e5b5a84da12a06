import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { cancelled, Failure } from '../../lib/error.ts';
import type { Session } from '../session.ts';

/** Asks the person at the terminal for one line; a hidden answer is not shown while it is typed. */
export function ask(session: Session, question: string, options: { hidden: boolean }): Promise<string> {
  if (!session.stdin.isTTY)
    throw new Failure('invalid', 'NO_TERMINAL', 'cannot ask for credentials: stdin is not a terminal', {
      hint: 'use --username and --password-stdin',
    });
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const echo = new Writable({
    write(chunk, _encoding, done) {
      session.stdout.write(chunk);
      done();
    },
  });
  session.stdout.write(question);
  const lines = createInterface({ input: session.stdin, output: options.hidden ? silent : echo, terminal: true });
  return new Promise((resolve, reject) => {
    lines.once('line', resolve);
    lines.once('SIGINT', () => reject(new Failure('cancelled', 'INTERRUPTED', 'interrupted', { exitCode: 130 })));
    lines.once('close', () => reject(cancelled(session.signal)));
  }).finally(() => {
    lines.close();
    if (options.hidden) session.stdout.write('\n');
  }) as Promise<string>; // resolved by `line`, whose argument is the text
}
