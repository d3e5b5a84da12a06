import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { getXattr, statFile } from '../host/file-system-calls.ts';
import { mountOverlay, unmount } from '../host/mount.ts';
import { Failure, systemCode } from '../lib/error.ts';
import { diskFailure } from '../store/disk.ts';
import { OPAQUE_VALUE, OPAQUE_XATTR } from '../tar/whiteout.ts';
import type { PendingLayer } from './snapshots.ts';

export interface ActiveParts {
  readonly key: string;
  /** The snapshot's own folder. */
  readonly folder: string;
  /** Trees of the layers below, bottom first. */
  readonly parents: readonly string[];
  /** Removes a folder, perhaps later. */
  readonly discard: (folder: string) => void;
  /** Allots a layer, calls `move` with the path for its tree, and begins to index it. */
  readonly commit: (move: (target: string) => void, signal: AbortSignal, options: CommitOptions) => PendingLayer;
}

export interface CommitOptions {
  readonly newest?: number | undefined;
}

/**
 * A writable snapshot: `upper` holds what differs from the layers below. Whoever prepared it commits or discards it;
 * disposing discards what is not committed.
 */
export class ActiveSnapshot implements AsyncDisposable {
  readonly key: string;
  readonly #parts: ActiveParts;
  #state: 'active' | 'mounted' | 'ended' = 'active';

  constructor(parts: ActiveParts) {
    this.key = parts.key;
    this.#parts = parts;
  }

  /** The changes, in overlayfs form. */
  get upper(): string {
    return join(this.#parts.folder, 'upper');
  }

  /** Where the whole file system appears while it is mounted. */
  get merged(): string {
    return join(this.#parts.folder, 'merged');
  }

  /** The folders of the mount, as overlayfs takes them; `lower` is the nearest first. */
  get folders(): { readonly lower: readonly string[]; readonly work: string } {
    return { lower: this.#parts.parents.toReversed(), work: join(this.#parts.folder, 'work') };
  }

  /** False when it was committed or discarded. */
  get isActive(): boolean {
    return this.#state !== 'ended';
  }

  /** Makes the folders; the root directory looks like that of the layer below. */
  make(): void {
    const { folder, parents, key } = this.#parts;
    try {
      mkdirSync(folder, { mode: 0o700 });
      for (const name of ['upper', 'work', 'merged', 'empty']) mkdirSync(join(folder, name), { mode: 0o755 });
    } catch (error) {
      if (systemCode(error) === 'EEXIST')
        throw new Failure('exists', 'SNAPSHOT_EXISTS', `there is a snapshot "${key}" already`);
      throw diskFailure(error, folder);
    }
    const below = parents.at(-1);
    const { mode, uid, gid } = below === undefined ? DEFAULT_ROOT : statFile(below);
    chownSync(this.upper, uid, gid);
    chmodSync(this.upper, mode & 0o7777);
  }

  /**
   * Mounts the file system, unless it is mounted, and returns its path. `volatile` is for changes that are thrown away if
   * the machine stops, as those of a build step: programs' syncs cost nothing then, and neither does the end of the mount,
   * which otherwise writes the whole file system of the upper folder to the disk.
   */
  mount(options: { readonly volatile?: boolean } = {}): string {
    if (this.#state === 'ended') throw this.#ended();
    if (this.#state === 'mounted') return this.merged;
    const { folder } = this.#parts;
    if (!existsSync(this.upper))
      throw new Failure('not-found', 'SNAPSHOT_MISSING', `there is no snapshot "${this.key}"`);
    unmount(this.merged); // of a process that was killed
    const lower = this.#lower();
    mountOverlay({
      // The kernel bounds the length of mount options; paths are short when the process stands in the layers' folder.
      lower: lower.map((path) => shorter(path, relative(process.cwd(), path))),
      upper: this.upper,
      work: join(folder, 'work'),
      target: this.merged,
      volatile: options.volatile ?? false,
    });
    this.#state = 'mounted';
    return this.merged;
  }

  /** Goes on with the mount of the process before. */
  takeOver(): void {
    this.#state = 'mounted';
  }

  /** Ends the mount, if there is one. */
  unmount(): void {
    if (this.#state !== 'ended') this.#state = 'active';
    unmount(this.merged);
    // overlayfs refuses a folder that a volatile mount has used; ours ended in order.
    rmSync(join(this.#parts.folder, 'work/work/incompat'), { recursive: true, force: true });
  }

  /**
   * Makes the changes a layer; nothing is copied. Nobody may be writing to the snapshot any more. `signal` also ends the
   * computation of the digest, and without it the layer is gone again. Files that are newer than `newest`, seconds since
   * 1970, get that time.
   */
  commit(signal: AbortSignal, options: CommitOptions = {}): PendingLayer {
    if (this.#state === 'ended') throw this.#ended();
    this.unmount();
    const layer = this.#parts.commit((target) => renameSync(this.upper, target), signal, options);
    this.#state = 'ended';
    this.#parts.discard(this.#parts.folder);
    return layer;
  }

  /** Unmounts and removes everything. */
  discard(): void {
    if (this.#state === 'ended') return;
    this.unmount();
    this.#state = 'ended';
    this.#parts.discard(this.#parts.folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== 'ended') this.discard();
  }

  /** Lower directories of the mount, the nearest first. */
  #lower(): string[] {
    const lower: string[] = [];
    for (const tree of this.#parts.parents.toReversed()) {
      lower.push(tree);
      // overlayfs does not honour the mark on the root of a layer.
      if (getXattr(tree, OPAQUE_XATTR)?.toString() === OPAQUE_VALUE) break;
    }
    return lower.length > 0 ? lower : [join(this.#parts.folder, 'empty')];
  }

  #ended(): Failure {
    return new Failure('conflict', 'SNAPSHOT_ENDED', `snapshot "${this.key}" is committed or discarded`);
  }
}

const DEFAULT_ROOT = { mode: 0o755, uid: 0, gid: 0 };
const shorter = (a: string, b: string): string => (b.length < a.length ? b : a);
