/**
 * The chunks of a stream, each valid until the next one is asked for: then its memory is freed. Left to the garbage
 * collector, what a socket gives would pile up by the hundred megabytes and make it run all the time.
 */
export async function* lendBytes<Chunk extends Uint8Array>(source: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
  for await (const chunk of source) {
    yield chunk;
    releaseBytes(chunk);
  }
}

/** The same of chunks that are known to be alone in their memory. */
export async function* useUpBytes<Chunk extends Uint8Array>(source: AsyncIterable<Chunk>): AsyncGenerator<Chunk> {
  for await (const chunk of source) {
    yield chunk;
    freeBytes(chunk);
  }
}

/** Frees the memory of bytes that nobody reads any more, if they are all that it holds. */
function releaseBytes({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** Frees the memory of bytes that were given to the caller, alone in their memory. */
export function freeBytes({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
