import type { MessagePort } from 'node:worker_threads';
import { Failure } from '../lib/error.ts';

/*
 * A byte stream between threads. The sender gathers bytes into blocks and moves their memory over. The receiver answers
 * each block that it has taken, so that no more than CREDITS of them are on the way, and moves its memory back when it is
 * done with it: left to the garbage collector, the blocks of a large layer would make it run all the time.
 */
const BLOCK = 512 << 10;
const CREDITS = 4;
/** Worth a message of its own. */
const LARGE = 64 << 10;

type Message =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'broken' };

/**
 * Sends a stream through a port until it ends, fails, or the signal aborts. Rejects with the source's own error. Chunks that
 * are `given`, each alone in its memory, are moved over as they are.
 */
export async function sendStream(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  port: MessagePort,
  signal: AbortSignal,
  chunks: 'lent' | 'given' = 'lent',
): Promise<void> {
  let credits = CREDITS;
  let wake = () => {};
  const free: Buffer<ArrayBuffer>[] = [];
  port.on('message', (returned: ArrayBuffer | undefined) => {
    if (returned?.byteLength === BLOCK) free.push(Buffer.from(returned));
    credits++;
    wake();
  });
  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort, { once: true });
  const room = async () => {
    while (credits === 0 && !signal.aborted)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return !signal.aborted;
  };
  const move = (bytes: Uint8Array<ArrayBuffer>) => {
    credits--;
    port.postMessage({ kind: 'bytes', bytes } satisfies Message, [bytes.buffer]);
  };
  const post = (message: Message) => port.postMessage(message);
  let block: Buffer<ArrayBuffer> | undefined;
  let fill = 0;
  const flush = () => {
    if (!block || fill === 0) return;
    move(block.subarray(0, fill));
    block = undefined;
    fill = 0;
  };
  try {
    for await (const chunk of source) {
      if (chunks === 'given' && chunk.length >= LARGE && isMovable(chunk)) {
        if (!(await room())) return;
        flush();
        if (!(await room())) return;
        move(chunk);
        continue;
      }
      for (let at = 0; at < chunk.length; ) {
        if (!(await room())) return;
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

const isMovable = (bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> => bytes.buffer instanceof ArrayBuffer;

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
