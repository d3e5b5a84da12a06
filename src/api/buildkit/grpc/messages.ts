/** Messages of gRPC on a stream of HTTP/2. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
import { Failure } from '../../../lib/error.ts';

/** Bound of one message. The largest of BuildKit's are pieces of files and of logs, some dozens of kilobytes. */
export const MESSAGE_LIMIT = 16 << 20;

const HEAD = 5; // a byte for "compressed", four for the length

/** A message as it travels. */
export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, HEAD);
  return frame;
}

/**
 * The messages in these bytes; no more is held than one message and one chunk. Throws a Failure (`invalid`, `exhausted`)
 * for a compressed message, which nobody offered to read, one over the limit, and one that is cut off.
 */
export async function* readMessages(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let held: Buffer[] = [];
  let size = 0;
  let needed = HEAD;
  for await (const chunk of chunks) {
    held.push(chunk);
    size += chunk.length;
    while (size >= needed) {
      const all = held.length === 1 ? (held[0] ?? chunk) : Buffer.concat(held);
      let at = 0;
      for (needed = HEAD; size - at >= HEAD; at += needed, needed = HEAD) {
        needed = HEAD + lengthOf(all, at);
        if (size - at < needed) break;
        yield all.subarray(at + HEAD, at + needed);
      }
      held = at < size ? [all.subarray(at)] : [];
      size -= at;
    }
  }
  if (size > 0) throw new Failure('invalid', 'GRPC_FRAME', 'a gRPC stream ended within a message');
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
