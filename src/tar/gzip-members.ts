import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** Uncompressed bytes of a member. */
const MEMBER = 1 << 20;
/** Within a half percent of level 6's size for three quarters of its time. */
const LEVEL = 5;

const compress = promisify<Buffer, { level: number; chunkSize: number }, Buffer>(gzip);

/**
 * Compresses with all processors: the stream is cut into members of 1 MiB, which are compressed at the same time and
 * follow each other as RFC 1952 (section 2.2) allows. Equal bytes give equal bytes, however they are cut on the way in.
 */
export async function* gzipMembers(source: Iterable<Uint8Array>): AsyncGenerator<Buffer> {
  const width = availableParallelism() + 1;
  const running: Promise<Buffer>[] = [];
  for (const member of members(source)) {
    const work = compress(member, { level: LEVEL, chunkSize: MEMBER >> 1 });
    work.catch(() => {}); // told when its turn comes
    running.push(work);
    const first = running.length >= width ? running.shift() : undefined;
    if (first) yield await first;
  }
  for (const work of running) yield await work;
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
