import { readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { Failure } from './error.ts';

/** Bytes of an open file, which its owner keeps open as long as they are read. Descriptors are good in every thread. */
export interface FileRange {
  readonly file: number;
  readonly start: number;
  readonly length: number;
}

const PIECE = 1 << 20;

/** Tells a part of a file from a stream. */
export function isFileRange(source: AsyncIterable<Uint8Array> | FileRange): source is FileRange {
  return 'file' in source;
}

/**
 * The bytes in pieces, each valid until the next one is asked for. Blocks while it reads, and lets messages in between: meant
 * for a worker thread. A file that has become shorter is a Failure of kind `invalid`.
 */
export async function* readRange({ file, start, length }: FileRange): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE, length));
  for (let at = 0; at < length; ) {
    const count = readSync(file, buffer, 0, Math.min(PIECE, length - at), start + at);
    if (count === 0) throw new Failure('invalid', 'FILE_CHANGED', 'the file became shorter while it was read');
    at += count;
    yield buffer.subarray(0, count);
    await setImmediate();
  }
}
