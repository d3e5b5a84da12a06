import type { IncomingMessage } from 'node:http';
import { Readable, type Writable } from 'node:stream';
import { Failure } from '../lib/error.ts';

/**
 * The body of a request as a stream of its own. Destroying it leaves the connection whole, so that an error can still
 * be answered; what the client goes on sending is then thrown away.
 */
export function bodyOf(request: IncomingMessage): Readable {
  const body = new Readable({
    highWaterMark: 256 << 10,
    read: () => request.resume(),
    destroy: (error, done) => {
      request.off('data', onData).off('end', onEnd).off('close', onClose).resume();
      done(error);
    },
  });
  const onData = (chunk: Buffer) => {
    if (!body.push(chunk)) request.pause();
  };
  const onEnd = () => body.push(null);
  const onClose = () => {
    if (!request.complete)
      body.destroy(
        new Failure('cancelled', 'CLIENT_GONE', 'the client closed the connection before the end of its data'),
      );
  };
  request.on('data', onData).on('end', onEnd).on('close', onClose);
  request.pause();
  return body;
}

/** How long a client may keep its side of a connection open after ours has ended. */
const LINGER_MS = 5000;

/**
 * Ends our side of a connection. It is closed for good when the client ends its own: closing it at once could cost the
 * client output that is still on the way.
 */
export function closeGently(stream: Writable): void {
  if (stream instanceof Readable) stream.resume();
  stream.end();
  const timer = setTimeout(() => stream.destroy(), LINGER_MS);
  timer.unref();
  stream.on('close', () => clearTimeout(timer));
}

/** Resolves when `writable` has room again, or is closed. */
export function drained(writable: Writable): Promise<void> {
  if (writable.destroyed || !writable.writableNeedDrain) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      writable.off('drain', done).off('close', done);
      resolve();
    };
    writable.on('drain', done).on('close', done);
  });
}

/**
 * Copies until `from` ends or `to` is closed; true when `from` ended. Destroys neither, so both can go on in another
 * direction or be told why.
 */
export async function copy(from: Readable, to: Writable): Promise<boolean> {
  for await (const chunk of from.iterator({ destroyOnReturn: false })) {
    if (to.destroyed) return false;
    if (!to.write(chunk)) await drained(to);
  }
  return true;
}
