import { addAbortSignal, type Duplex } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { peekBytes } from '../lib/byte-stream.ts';
import { cancelled, Failure, isFailure, messageOf } from '../lib/error.ts';
import { lendBytes } from '../lib/lend-bytes.ts';
import { expandByProgram } from './expand-by-program.ts';
import { expandZstd } from './expand-zstd.ts';
import { feedStream } from './feed-stream.ts';

export type Compression = 'none' | 'gzip' | 'bzip2' | 'xz' | 'zstd';

/** Bytes that `detectCompression` needs to see. */
const HEAD = 6;
const CHUNK = 256 << 10;

/** Tells the compression by its first bytes; `none` when it is none that is known. */
export function detectCompression(head: Uint8Array): Compression {
  const hex = Buffer.from(head.subarray(0, HEAD)).toString('hex');
  if (hex.startsWith('1f8b')) return 'gzip';
  if (hex.startsWith('28b52ffd') || /^5[0-9a-f]2a4d18/.test(hex)) return 'zstd';
  if (hex.startsWith('425a68')) return 'bzip2';
  if (hex.startsWith('fd377a585a00')) return 'xz';
  return 'none';
}

export interface DecompressOptions {
  readonly signal: AbortSignal;
  /** The most bytes that may come out; more is a Failure of kind `exhausted`. */
  readonly limit: number;
}

/**
 * The uncompressed bytes of a stream whose compression is told by its first bytes. Corrupt and truncated input is a
 * Failure of kind `invalid`; bzip2 and xz need their programs, of kind `unavailable` when missing. Chunks on either side are
 * valid until the next one is asked for.
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  { signal, limit }: DecompressOptions,
): AsyncGenerator<Buffer> {
  const { head, rest } = await peekBytes(source, HEAD);
  const compression = detectCompression(head);
  let total = 0;
  try {
    for await (const bytes of expand(compression, rest, signal)) {
      if (signal.aborted) throw cancelled(signal);
      total += bytes.length;
      if (total > limit)
        throw new Failure('exhausted', 'EXPANDED_TOO_LARGE', `the archive expands to more than ${limit} bytes`, {
          hint: 'the limit is the free space of the disk or what the caller allows',
        });
      yield bytes;
    }
  } catch (error) {
    if (signal.aborted) throw cancelled(signal);
    if (isFailure(error) || compression === 'none' || !isZlibError(error)) throw error;
    throw new Failure('invalid', 'COMPRESSED_INVALID', `corrupt ${compression} data: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function expand(compression: Compression, source: AsyncIterable<Buffer>, signal: AbortSignal): AsyncIterable<Buffer> {
  switch (compression) {
    case 'none':
      return source;
    case 'gzip':
      return through(source, createGunzip({ chunkSize: CHUNK }), signal);
    case 'zstd':
      return expandZstd(source, (frame, stream) => through(frame, stream, signal));
    case 'bzip2':
    case 'xz':
      return expandByProgram(compression, source, signal);
  }
}

/** What comes out of `stream` when `source` goes in; an early end of either side ends the other. */
async function* through(source: AsyncIterable<Buffer>, stream: Duplex, signal: AbortSignal): AsyncGenerator<Buffer> {
  addAbortSignal(signal, stream);
  feedStream(source, stream).catch((error: unknown) => {
    stream.destroy(error instanceof Error ? error : new Error(messageOf(error)));
  });
  yield* lendBytes<Buffer>(stream);
}

const isZlibError = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && /^(Z_|ZSTD_)/.test(String(error.code));
