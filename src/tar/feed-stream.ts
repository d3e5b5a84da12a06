import type { Writable } from 'node:stream';

/**
 * Writes a source to a stream and ends it. Each chunk is taken in before the next one is asked for, so that the source may
 * use its memory again. When the stream is closed early, the source is closed too. Rejects when either breaks.
 */
export async function feedStream(source: AsyncIterable<Uint8Array>, stream: Writable): Promise<void> {
  stream.on('error', () => {}); // comes out of the write that it broke
  for await (const chunk of source) {
    if (!stream.destroyed) await written(stream, chunk);
    if (stream.destroyed) return;
  }
  stream.end();
}

/** Resolves when `chunk` was taken in, or the stream is closed. */
function written(stream: Writable, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    // A decompressor that has come to the end of its data never calls back for what is behind it.
    stream.once('close', resolve);
    stream.write(chunk, (error) => {
      stream.off('close', resolve);
      if (error) reject(error);
      else resolve();
    });
  });
}
