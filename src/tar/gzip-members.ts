import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { constants, deflateRawSync, gzip } from 'node:zlib';
import { freeBytes } from '../lib/lend-bytes.ts';

/** Uncompressed bytes of a member. */
const MEMBER = 1 << 20;
/** Within a half percent of level 6's size for three quarters of its time. */
const LEVEL = 5;
/** Bytes of the samples that tell whether a member can be compressed, and how many of them are taken. */
const SAMPLE = 16 << 10;
const SAMPLES = 3;
/** What shrinks by less than a twentieth (what is compressed already, or noise) is stored as it is, thirty times as fast. */
const WORTH = 0.95;

const compress = promisify<Buffer, { level: number; chunkSize: number }, Buffer>(gzip);

/**
 * Compresses with all processors: the stream is cut into members of 1 MiB, which are compressed at the same time and
 * follow each other as RFC 1952 (section 2.2) allows. Equal bytes give equal bytes, however they are cut on the way in.
 */
export async function* gzipMembers(source: Iterable<Uint8Array>): AsyncGenerator<Buffer> {
  const width = availableParallelism() + 1;
  const running: Promise<Buffer>[] = [];
  for (const member of members(source)) {
    const level = isCompressible(member) ? LEVEL : constants.Z_NO_COMPRESSION;
    const work = compress(member, { level, chunkSize: MEMBER + 1024 }).finally(() => freeBytes(member));
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

function* members(source: Iterable<Uint8Array>): Generator<Buffer> {
  let member = Buffer.allocUnsafeSlow(MEMBER);
  let fill = 0;
  let any = false;
  for (const bytes of source)
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + MEMBER - fill);
      member.set(piece, fill);
      fill += piece.length;
      at += piece.length;
      if (fill < MEMBER) continue;
      yield member;
      any = true;
      member = Buffer.allocUnsafeSlow(MEMBER);
      fill = 0;
    }
  if (fill > 0 || !any) yield member.subarray(0, fill);
}
