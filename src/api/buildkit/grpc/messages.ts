/** Messages of gRPC on a stream of HTTP/2. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
import { Failure } from '../../../lib/error.ts';

/** Bound of one message. The largest of BuildKit's are pieces of files and of logs, some dozens of kilobytes. */
export const MESSAGE_LIMIT = 16 << 20;

const HEAD = 5; // a byte for "compressed", four for the length

/** Messages as they travel. */
export function frameMessages(messages: readonly Uint8Array[]): Buffer {
  const frames = Buffer.allocUnsafe(messages.reduce((sum, { length }) => sum + HEAD + length, 0));
  let at = 0;
  for (const message of messages) {
    frames[at] = 0;
    frames.writeUInt32BE(message.length, at + 1);
    frames.set(message, at + HEAD);
    at += HEAD + message.length;
  }
  return frames;
}

/** The messages in these bytes, as MessageSplitter tells them apart. */
export async function* readMessages(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const splitter = new MessageSplitter();
  for await (const chunk of chunks) yield* splitter.take(chunk);
  splitter.end();
}

/**
 * Tells messages apart in bytes that come in chunks; no more is held than one message and one chunk. Throws a Failure
 * (`invalid`, `exhausted`) for a compressed message, which nobody offered to read, one over the limit, and one that is cut off.
 */
export class MessageSplitter {
  #held: Buffer[] = [];
  #size = 0;
  #needed = HEAD;

  /** The messages that end in this chunk, as views. */
  *take(chunk: Buffer): Generator<Buffer, void, undefined> {
    this.#held.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#needed) return;
    const all = this.#held.length === 1 ? chunk : Buffer.concat(this.#held);
    let at = 0;
    for (this.#needed = HEAD; all.length - at >= HEAD; at += this.#needed, this.#needed = HEAD) {
      this.#needed = HEAD + lengthOf(all, at);
      if (all.length - at < this.#needed) break;
      yield all.subarray(at + HEAD, at + this.#needed);
    }
    this.#held = at < all.length ? [all.subarray(at)] : [];
    this.#size = all.length - at;
  }

  /** There are no more chunks. */
  end(): void {
    if (this.#size > 0) throw new Failure('invalid', 'GRPC_FRAME', 'a gRPC stream ended within a message');
  }
}

function lengthOf(bytes: Buffer, at: number): number {
  if (bytes[at] !== 0) throw new Failure('invalid', 'GRPC_FRAME', 'a gRPC message is compressed, which was not agreed');
  const length = bytes.readUInt32BE(at + 1);
  if (length > MESSAGE_LIMIT)
    throw new Failure(
      'exhausted',
      'GRPC_LARGE',
      `a gRPC message of ${length} bytes is over the limit of ${MESSAGE_LIMIT}`,
    );
  return length;
}
