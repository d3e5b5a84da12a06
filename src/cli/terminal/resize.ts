import { setTimeout as delay } from 'node:timers/promises';
import { isFailure } from '../../lib/error.ts';
import type { EngineClient } from '../client/engine-client.ts';
import type { Session } from '../session.ts';

const ATTEMPTS = 10;

/**
 * Keeps the size of a terminal in the host equal to this one. `path` is `/containers/{id}` or `/exec/{id}`; the process
 * may not run yet, so the first try is repeated for a moment.
 */
export function followTerminalSize(session: Session, client: EngineClient, path: string): Disposable {
  const send = () => {
    const query = { h: session.stdout.rows ?? 0, w: session.stdout.columns ?? 0 };
    return client.call('POST', `${path}/resize`, { query, signal: session.signal });
  };
  const onResize = () => {
    // A size that could not be told is told at the next change; the process may just have ended.
    send().catch(() => {});
  };
  process.on('SIGWINCH', onResize);
  sendFirst(send);
  return { [Symbol.dispose]: () => void process.off('SIGWINCH', onResize) };
}

/** Height and width of this terminal, when there is one. */
export function terminalSize(session: Session): [number, number] | undefined {
  const { rows, columns, isTTY } = session.stdout;
  return isTTY === true && rows !== undefined && columns !== undefined ? [rows, columns] : undefined;
}

async function sendFirst(send: () => Promise<void>): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      return await send();
    } catch (error) {
      if (!isFailure(error) || error.kind === 'cancelled') return;
      await delay(5 * attempt);
    }
  }
}
