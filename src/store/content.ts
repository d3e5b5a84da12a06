import { randomBytes } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs';
import { type FileHandle, link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { cancelled, Failure } from '../lib/error.ts';
import { type Digest, Digester, digestOf, hexOf, parseDigest } from '../oci/digest.ts';
import { diskFailure, syncFolder } from './disk.ts';
import type { Leases } from './leases.ts';
import type { Trash } from './trash.ts';

const BATCH = 1 << 20;

export interface WriteOptions {
  /** What the bytes must be; `data-loss` CONTENT_MISMATCH when they are not. */
  readonly expected?: Digest;
  readonly size?: number;
  /** Most bytes taken; `invalid` CONTENT_TOO_LARGE above. */
  readonly limit: number;
  readonly signal: AbortSignal;
}

export interface WrittenContent {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/**
 * Blobs by digest, as files: manifests of images that were pulled or pushed, and compressed layers that a registry may want again.
 * Trees of layers are no blobs, and image configs stand in the database.
 *
 * A blob's life: `write` takes bytes into a file aside, hashes them as they pass, compares size and digest with what was
 * promised, syncs the file, gives it its name and syncs the folder. From then on it is there, whole and verified; before
 * that, and after any failure, abort or end of the process, nothing is. Nobody changes a blob. `open` therefore streams
 * without a look at the digest; `read`, for documents, compares it once more, and so does `verify`, for the check.
 *
 * A blob goes by collection alone, when no record names it and no lease holds it: who writes one holds a session
 * of `Leases` until its record exists. What is removed goes to the trash at once and is deleted later, so a stream that is
 * open reads on to its end.
 */
export class ContentStore {
  readonly #root: string;
  readonly #scratch: string;
  readonly #handoff: string;
  readonly #trash: Trash;
  readonly #leases: Leases;

  /**
   * `scratch` is a folder of the same file system, emptied by whoever opens the store; in `handoff` are the folders of registries
   * that share files with this host.
   */
  constructor(parts: { root: string; scratch: string; handoff: string; trash: Trash; leases: Leases }) {
    this.#root = parts.root;
    this.#scratch = parts.scratch;
    this.#handoff = parts.handoff;
    this.#trash = parts.trash;
    this.#leases = parts.leases;
  }

  /**
   * Takes a blob in, in constant memory. Success means that it is in the store, not that this call put it there: equal
   * content written twice or at once is one blob, and a damaged one is replaced. After a failure or abort nothing of
   * it remains, and `source` is closed. Sessions keep the blob. A full disk is `exhausted` DISK_FULL.
   */
  async write(source: AsyncIterable<Uint8Array> | Uint8Array, options: WriteOptions): Promise<WrittenContent> {
    const aside = join(this.#scratch, `ingest-${randomBytes(8).toString('hex')}`);
    try {
      const written = await this.#ingest(aside, source, options);
      await this.#publish(aside, written.digest);
      return written;
    } catch (error) {
      await rm(aside, { force: true });
      throw diskFailure(error, this.#root);
    }
  }

  /** The verified bytes of a blob of at most `limit` bytes. Throws `not-found` or `data-loss`. */
  async read(digest: Digest, limit: number): Promise<Buffer> {
    const size = this.#sizeOrThrow(digest);
    if (size > limit)
      throw new Failure('invalid', 'CONTENT_TOO_LARGE', `blob ${digest} has ${size} bytes, at most ${limit} are read`);
    const bytes = Buffer.allocUnsafe(size);
    await using handle = await open(this.#path(digest));
    let length = 0;
    while (length < size) {
      const { bytesRead } = await handle.read(bytes, length, size - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length !== size || digestOf(bytes) !== digest) throw damaged(digest);
    return bytes;
  }

  /** A stream of a blob, from an offset on, that was verified when it was written. The caller ends or destroys it. */
  open(digest: Digest, start = 0): Readable {
    this.#sizeOrThrow(digest);
    return createReadStream(this.#path(digest), { highWaterMark: BATCH, start });
  }

  /**
   * Gives a blob a second name, which nobody can guess, in the folder that another program of this machine made for that; until
   * disposed. Undefined when there is no such folder, or no such blob.
   */
  async handOver(digest: Digest, place: string): Promise<({ readonly name: string } & AsyncDisposable) | undefined> {
    if (!/^[0-9a-f]{32}$/.test(place)) return undefined;
    const name = randomBytes(16).toString('hex');
    const path = join(this.#handoff, place, name);
    try {
      await link(this.#path(digest), path);
    } catch {
      return undefined; // it is sent instead
    }
    return { name, [Symbol.asyncDispose]: () => rm(path, { force: true }) };
  }

  has(digest: Digest): boolean {
    return existsSync(this.#path(digest));
  }

  /** Bytes, or undefined when it is not stored. */
  size(digest: Digest): number | undefined {
    return statSync(this.#path(digest), { throwIfNoEntry: false })?.size;
  }

  /** For collection and repair only. An unknown digest is no error. */
  delete(digest: Digest): void {
    this.#trash.discard(this.#path(digest));
  }

  /** Every stored digest. */
  *list(): Generator<Digest> {
    for (const shard of readdirSync(this.#root))
      for (const hex of readdirSync(join(this.#root, shard))) yield parseDigest(`sha256:${hex}`);
  }

  /** Reads a whole blob; throws `data-loss` CONTENT_CORRUPT when its bytes are not those of its name. */
  async verify(digest: Digest, signal: AbortSignal): Promise<void> {
    const digester = new Digester();
    const stream = this.open(digest);
    const stop = () => stream.destroy(cancelled(signal));
    signal.addEventListener('abort', stop, { once: true });
    try {
      if (signal.aborted) throw cancelled(signal);
      for await (const chunk of stream) digester.update(chunk);
    } finally {
      signal.removeEventListener('abort', stop);
    }
    if (digester.digest() !== digest) throw damaged(digest);
  }

  async #ingest(
    path: string,
    source: AsyncIterable<Uint8Array> | Uint8Array,
    options: WriteOptions,
  ): Promise<WrittenContent> {
    const digester = new Digester();
    await using handle = await open(path, 'wx', 0o600);
    for await (const batch of batches(source, options.signal)) {
      digester.update(batch);
      if (digester.size > options.limit)
        throw new Failure('invalid', 'CONTENT_TOO_LARGE', `content is over the limit of ${options.limit} bytes`);
      await writeAll(handle, batch);
    }
    const size = digester.size;
    const digest = digester.digest();
    if (options.size !== undefined && size !== options.size)
      throw new Failure('data-loss', 'CONTENT_MISMATCH', `content has ${size} bytes, ${options.size} were expected`);
    if (options.expected !== undefined && digest !== options.expected)
      throw new Failure('data-loss', 'CONTENT_MISMATCH', `content is ${digest}, ${options.expected} was expected`);
    await handle.sync();
    return { digest, size };
  }

  async #publish(aside: string, digest: Digest): Promise<void> {
    const path = this.#path(digest);
    const shard = dirname(path);
    if ((await mkdir(shard, { recursive: true, mode: 0o700 })) !== undefined) await syncFolder(this.#root);
    // Told before it is visible, so that no collection comes between.
    this.#leases.touch({ blobs: [digest] });
    // Over a blob that is there: these bytes were verified just now, the old ones some time ago.
    await rename(aside, path);
    await syncFolder(shard);
  }

  #sizeOrThrow(digest: Digest): number {
    const size = this.size(digest);
    if (size === undefined) throw new Failure('not-found', 'CONTENT_MISSING', `blob ${digest} is not in the store`);
    return size;
  }

  #path(digest: Digest): string {
    const hex = hexOf(digest);
    return join(this.#root, hex.slice(0, 2), hex);
  }
}

function damaged(digest: Digest): Failure {
  return new Failure('data-loss', 'CONTENT_CORRUPT', `blob ${digest} is damaged: its bytes have another digest`, {
    hint: 'run "strake system check"',
  });
}

/** The bytes of `source` in pieces of 1 MiB. On abort the source is closed and `cancelled` thrown, even while it waits. */
async function* batches(
  source: AsyncIterable<Uint8Array> | Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (source instanceof Uint8Array) {
    for (let at = 0; at < source.length; at += BATCH) yield source.subarray(at, at + BATCH);
    return;
  }
  const batch = Buffer.allocUnsafe(BATCH);
  let filled = 0;
  for await (const chunk of untilAbort(source, signal)) {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + BATCH - filled);
      batch.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled < BATCH) continue;
      yield batch;
      filled = 0;
    }
  }
  if (filled > 0) yield batch.subarray(0, filled);
}

async function* untilAbort<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let refuse: ((reason: Failure) => void) | undefined;
  const abort = () => refuse?.(cancelled(signal));
  signal.addEventListener('abort', abort, { once: true });
  let ended = false;
  try {
    for (;;) {
      if (signal.aborted) throw cancelled(signal);
      // A promise of its own for each piece: racing them against one that lasts would keep every piece alive.
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        refuse = reject;
        iterator.next().then(resolve, reject);
      });
      ended = next.done === true;
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', abort);
    // Not awaited: a generator that waits in `next` answers `return` only afterwards, which may be never.
    if (!ended) iterator.return?.()?.catch(() => {});
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten;
}
