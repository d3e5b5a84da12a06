import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { constants, deflateRawSync, gzip, zstdCompress } from 'node:zlib';
import { freeBytes } from '../lib/lend-bytes.ts';

/** Uncompressed bytes of a member. */
const MEMBER = 1 << 20;
/** Within a half percent of level 6's size for three quarters of its time. */
const LEVEL = 5;
/** Uncompressed bytes of a frame: what reaches further back in a layer is rarely found again. */
const FRAME = 4 << 20;
/** Zstandard's own default. */
const ZSTD_LEVEL = 3;
/** Bytes of the samples that tell whether a member can be compressed, and how many of them are taken. */
const SAMPLE = 16 << 10;
const SAMPLES = 3;
/** What shrinks by less than a twentieth (what is compressed already, or noise) is stored as it is, thirty times as fast. */
const WORTH = 0.95;

const gzipMember = promisify<Buffer, { level: number; chunkSize: number }, Buffer>(gzip);
const zstdFrame = promisify<Buffer, { params: Record<number, number>; chunkSize: number }, Buffer>(zstdCompress);

/**
 * Compresses with all processors: the stream is cut into members of 1 MiB, which are compressed at the same time and
 * follow each other as RFC 1952 (section 2.2) allows. Equal bytes give equal bytes, however they are cut on the way in.
 */
export function gzipMembers(source: Iterable<Uint8Array>, level = LEVEL): AsyncGenerator<Buffer> {
  return compressed(source, MEMBER, (member) =>
    gzipMember(member, {
      level: isCompressible(member) ? level : constants.Z_NO_COMPRESSION,
      chunkSize: MEMBER + 1024,
    }),
  );
}

/** The same with zstd: the pieces are frames, which RFC 8878 (section 3) lets follow each other. */
export function zstdFrames(source: Iterable<Uint8Array>, level = ZSTD_LEVEL): AsyncGenerator<Buffer> {
  const params = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 };
  return compressed(source, FRAME, (frame) => zstdFrame(frame, { params, chunkSize: FRAME + 1024 }));
}

/** Pieces of `size` bytes, compressed at the same time and given in their order. */
async function* compressed(
  source: Iterable<Uint8Array>,
  size: number,
  compress: (piece: Buffer) => Promise<Buffer>,
): AsyncGenerator<Buffer> {
  const width = availableParallelism() + 1;
  const running: Promise<Buffer>[] = [];
  for (const piece of pieces(source, size)) {
    const work = compress(piece).finally(() => freeBytes(piece));
    work.catch(() => {}); // told when its turn comes
    running.push(work);
    const first = running.length >= width ? running.shift() : undefined;
    if (first) yield await first;
  }
  for (const work of running) yield await work;
}

function isCompressible(member: Buffer): boolean {
  if (member.length < SAMPLES * SAMPLE) return true;
  const samples = Buffer.allocUnsafe(SAMPLES * SAMPLE);
  for (let i = 0; i < SAMPLES; i++) {
    const at = Math.floor((i * (member.length - SAMPLE)) / (SAMPLES - 1));
    member.copy(samples, i * SAMPLE, at, at + SAMPLE);
  }
  return deflateRawSync(samples, { level: 1 }).length < WORTH * samples.length;
}

function* pieces(source: Iterable<Uint8Array>, size: number): Generator<Buffer> {
  let piece = Buffer.allocUnsafeSlow(size);
  let fill = 0;
  let any = false;
  for (const bytes of source)
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + size - fill);
      piece.set(part, fill);
      fill += part.length;
      at += part.length;
      if (fill < size) continue;
      yield piece;
      any = true;
      piece = Buffer.allocUnsafeSlow(size);
      fill = 0;
    }
  if (fill > 0 || !any) yield piece.subarray(0, fill);
}
