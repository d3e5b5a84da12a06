import type { IncomingMessage } from 'node:http';

/** How much and how long a body is read that nobody wants. Bytes, milliseconds. */
const MOST = 1 << 30;
const LONGEST = 30_000;
const SILENCE = 5_000;

/**
 * Reads what is still to come of a request's body and drops it, so that a client that sends all of it first gets to read the answer:
 * a connection that closes before its bytes are read is reset, and takes along what was answered. Called between the last byte of the
 * answer and the end of the response. Resolves when the body has ended, when the client is gone, and when it is enough.
 */
export async function discardBody(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return;
  let left = MOST;
  const { promise, resolve } = Promise.withResolvers<void>();
  const silence = setTimeout(resolve, SILENCE);
  const latest = setTimeout(resolve, LONGEST);
  const drop = () => {
    silence.refresh();
    for (let chunk: Buffer | null = request.read(); chunk !== null; chunk = request.read()) left -= chunk.length;
    if (left < 0) resolve();
  };
  request.removeAllListeners('data').on('readable', drop);
  for (const event of ['end', 'close', 'error'] as const) request.on(event, resolve);
  drop();
  try {
    await promise;
  } finally {
    clearTimeout(silence);
    clearTimeout(latest);
    request.off('readable', drop);
    for (const event of ['end', 'close'] as const) request.off(event, resolve); // an error still has somebody to hear it
  }
}
