import type { MessagePort } from 'node:worker_threads';
import { Failure } from '../lib/error.ts';

/*
 * A byte stream between threads. The sender gathers bytes into blocks and moves their memory over. The receiver answers
 * each block that it has taken, so that no more than CREDITS of them are on the way, and moves its memory back when it is
 * done with it: left to the garbage collector, the blocks of a large layer would make it run all the time.
 */
const BLOCK = 512 << 10;
const CREDITS = 4;

type Message =
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
  const free: Buffer<ArrayBuffer>[] = [];
  port.on('message', (returned: ArrayBuffer | undefined) => {
    if (returned) free.push(Buffer.from(returned));
    credits++;
    wake();
  });
  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  const post = (message: Message, moved: ArrayBuffer[] = []) => port.postMessage(message, moved);
  let block: Buffer<ArrayBuffer> | undefined;
  let fill = 0;
  const flush = () => {
    if (!block || fill === 0) return;
    credits--;
    post({ kind: 'bytes', bytes: block.subarray(0, fill) }, [block.buffer]);
    block = undefined;
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
        block ??= free.pop() ?? Buffer.allocUnsafeSlow(BLOCK);
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

/**
 * The stream at the other end. `lent`: a buffer is valid until the next one is asked for; `given`: it is the caller's to
 * keep.
 */
export async function* receiveStream(
  port: MessagePort,
  signal: AbortSignal,
  buffers: 'lent' | 'given',
): AsyncGenerator<Buffer> {
  let wake = () => {};
  const arrived: Message[] = [];
  port.on('message', (message: Message) => {
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
        const { buffer, byteOffset, length } = message.bytes;
        yield Buffer.from(buffer, byteOffset, length);
        if (buffers === 'lent' && buffer instanceof ArrayBuffer) port.postMessage(buffer, [buffer]);
        else port.postMessage(undefined);
      }
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    port.close();
  }
}
