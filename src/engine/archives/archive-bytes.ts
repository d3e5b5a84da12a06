import type { FileHandle } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import type { FileRange } from '../../lib/file-range.ts';
import { lendBytes } from '../../lib/lend-bytes.ts';
import { decompress, detectCompression } from '../../tar/compression.ts';

/** The uncompressed bytes of an archive. */
export interface ArchiveBytes extends AsyncDisposable {
  /** The next ones, valid until the next call; undefined at the end. */
  next(): Promise<Buffer | undefined>;
  /** Leaves out the next `length` bytes; false when there are not so many. Absent where bytes only come one after another. */
  skip?(length: number): boolean;
  /** A part of the archive in its file; undefined when the file ends before. */
  range?(place: number, length: number): FileRange | undefined;
}

const CHUNK = 64 << 10;
/** Bytes that tell the compression. */
const HEAD = 6;

/** An archive that comes as a stream: what is left out of it is read all the same. */
export function bytesOfStream(body: Readable, signal: AbortSignal): ArchiveBytes {
  addAbortSignal(signal, body); // a read that waits would not notice
  const bytes = decompress(lendBytes<Buffer>(body), { signal, limit: Number.POSITIVE_INFINITY });
  return {
    next: async () => {
      const { done, value } = await bytes.next();
      return done ? undefined : value;
    },
    [Symbol.asyncDispose]: async () => void (await bytes.return(undefined)),
  };
}

/** Of an open file, which the caller closes. */
export async function bytesOfFile(file: FileHandle, signal: AbortSignal): Promise<ArchiveBytes> {
  const { size } = await file.stat();
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  const { bytesRead } = await file.read(buffer, 0, HEAD, 0);
  if (detectCompression(buffer.subarray(0, bytesRead)) !== 'none')
    return bytesOfStream(file.createReadStream({ start: 0, highWaterMark: 4 * CHUNK, autoClose: false }), signal);
  let place = 0;
  return {
    async next() {
      signal.throwIfAborted();
      const read = await file.read(buffer, 0, CHUNK, place);
      place += read.bytesRead;
      return read.bytesRead === 0 ? undefined : buffer.subarray(0, read.bytesRead);
    },
    skip(length) {
      if (place + length > size) return false;
      place += length;
      return true;
    },
    range: (start, length) => (start + length > size ? undefined : { file: file.fd, start, length }),
    [Symbol.asyncDispose]: async () => {},
  };
}
