/** Programs on a terminal of their own, driven by terminal.py. */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { run, type TestHost } from './harness.ts';

export interface Step {
  /** Regular expression for the output since the step before. */
  readonly expect: string;
  readonly send?: string;
  readonly resize?: readonly [rows: number, columns: number];
}

/** Runs a program on a terminal of 30 rows and 100 columns; gives all that was shown, and the exit code. */
export async function talkOnTerminal(
  host: TestHost,
  argv: readonly string[],
  steps: readonly Step[],
): Promise<{ seen: string; code: number }> {
  const order = JSON.stringify({ argv, rows: 30, columns: 100, steps });
  const driver = fileURLToPath(new URL('terminal.py', import.meta.url));
  const done = await run('python3', [driver, order], { env: { STRAKE_HOST: `unix://${host.socket}`, TERM: 'xterm' } });
  assert.equal(done.code, 0, done.stderr);
  const { seen, code, missed } = JSON.parse(done.stdout);
  assert.equal(missed, null, `"${missed}" was not shown; this was:\n${seen}`);
  return { seen, code };
}
