import type { MessagePort } from 'node:worker_threads';
import { Failure } from '../lib/error.ts';

/*
 * A byte stream into a worker thread. The sender gathers bytes into blocks and moves their memory over; the receiver
 * answers each block that it has taken, so that no more than CREDITS of them are on the way.
 */
const BLOCK = 512 << 10;
const CREDITS = 4;

type ToWorker =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'broken' };

/** Sends a stream through a port until it ends, fails, or the signal aborts. Rejects with the source's own error. */
export async function sendStream(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  port: MessagePort,
  signal: AbortSignal,
): Promise<void> {
  let credits = CREDITS;
  let wake = () => {};
  port.on('message', () => {
    credits++;
    wake();
  });
  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  const post = (message: ToWorker, moved: ArrayBuffer[] = []) => port.postMessage(message, moved);
  let block = Buffer.allocUnsafeSlow(BLOCK);
  let fill = 0;
  const flush = () => {
    if (fill === 0) return;
    credits--;
    post({ kind: 'bytes', bytes: block.subarray(0, fill) }, [block.buffer]);
    block = Buffer.allocUnsafeSlow(BLOCK);
    fill = 0;
  };
  try {
    for await (const chunk of source) {
      for (let at = 0; at < chunk.length; ) {
        while (credits === 0 && !signal.aborted)
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        if (signal.aborted) return;
        const piece = chunk.subarray(at, at + BLOCK - fill);
        block.set(piece, fill);
        fill += piece.length;
        at += piece.length;
        if (fill === BLOCK) flush();
      }
    }
    flush();
    post({ kind: 'end' });
  } catch (error) {
    post({ kind: 'broken' });
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** The stream in the worker. */
export async function* receiveStream(port: MessagePort, signal: AbortSignal): AsyncGenerator<Buffer> {
  let wake = () => {};
  const arrived: ToWorker[] = [];
  port.on('message', (message: ToWorker) => {
    arrived.push(message);
    wake();
  });
  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    while (!signal.aborted) {
      const message = arrived.shift();
      if (!message)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      else if (message.kind === 'end') return;
      else if (message.kind === 'broken') throw new Failure('cancelled', 'STREAM_BROKEN', 'the stream broke off');
      else {
        yield Buffer.from(message.bytes.buffer, message.bytes.byteOffset, message.bytes.length);
        port.postMessage('taken');
      }
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    port.close();
  }
}
