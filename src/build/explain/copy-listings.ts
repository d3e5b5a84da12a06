import { existsSync, readFileSync } from 'node:fs';
import { readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkerPool } from '../../lib/worker-pool.ts';
import { type Digest, hexOf, isDigest } from '../../oci/digest.ts';
import type { FileChange } from '../../wire/build-explain.ts';
import { type CopyInputs, compareInputs } from '../context/copy-inputs.ts';

/** Bytes of all kept lists, and how many files of a comparison are told. */
const KEPT_BYTES = 64 << 20;
const TOLD_FILES = 20;

export interface ComparedFiles {
  readonly total: number;
  readonly changes: readonly FileChange[];
}

/** The lists of files behind the digests in cache keys, kept among the notes that may vanish, to explain a later miss. */
export class CopyListings {
  readonly #folder: string;
  readonly #pool: WorkerPool;

  constructor(folder: string, pool: WorkerPool) {
    this.#folder = folder;
    this.#pool = pool;
  }

  /** Keeps a list. Never fails: a list that is not there only makes an explanation shorter. */
  async keep({ digest, listing }: CopyInputs): Promise<void> {
    const path = this.#path(digest);
    try {
      if (existsSync(path)) {
        await utimes(path, Date.now() / 1000, Date.now() / 1000);
        return;
      }
      const aside = `${path}.${process.pid}`;
      await writeFile(aside, listing, { mode: 0o600 });
      await rename(aside, path);
      await this.#prune();
    } catch {
      // a full disk: the build itself will say so
    }
  }

  /** What differs between two lists; undefined when one is not kept any more. */
  async compare(before: string, after: string, signal: AbortSignal): Promise<ComparedFiles | undefined> {
    if (!isDigest(before) || !isDigest(after)) return undefined;
    const request: ListingPair = { before: this.#path(before), after: this.#path(after) };
    if (!existsSync(request.before) || !existsSync(request.after)) return undefined;
    return await this.#pool.run<ComparedFiles>('compare-listings', request, { signal });
  }

  #path(digest: Digest): string {
    return join(this.#folder, hexOf(digest));
  }

  /** Removes the lists that were needed longest ago. */
  async #prune(): Promise<void> {
    const names = await readdir(this.#folder);
    const files = await Promise.all(
      names.map(async (name) => ({ path: join(this.#folder, name), ...(await stat(join(this.#folder, name))) })),
    );
    let bytes = 0;
    for (const { path, size } of files.sort((a, b) => b.mtimeMs - a.mtimeMs)) {
      bytes += size;
      if (bytes > KEPT_BYTES) await rm(path, { force: true });
    }
  }
}

interface ListingPair {
  readonly before: string;
  readonly after: string;
}

/** Served by the workers: lists of large contexts take a while. */
export function compareListings({ before, after }: ListingPair): ComparedFiles {
  const { total, changes } = compareInputs(readFileSync(before), readFileSync(after), TOLD_FILES);
  return { total, changes: changes.map(({ path, what }) => ({ Path: path, Change: what })) };
}
