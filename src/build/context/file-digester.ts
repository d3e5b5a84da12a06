import { createHash, hash } from 'node:crypto';
import { closeSync, constants, openSync, readSync, statfsSync } from 'node:fs';
import { getXattr, listXattrs } from '../../host/file-system-calls.ts';
import { cancelled, Failure, systemCode } from '../../lib/error.ts';
import { unreadable } from './context-tree.ts';
import { type DigestMemo, isSettled } from './digest-memo.ts';
import { mayHaveXattrs, quickStatOpen, sameStamp } from './quick-stat.ts';
import { NO_XATTRS, placeOf, type RawDigest, type SourceFile } from './source-file.ts';

/** Files up to this size are read at once. */
export const ONE_READ = 1 << 20;

/** statfs types whose times of change come from this kernel's clock: ext4, xfs, btrfs, tmpfs, overlayfs, zfs, f2fs, bcachefs. */
const OWN_CLOCK: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010, 0xca451a4e,
]);

/** Completes source files by what their names do not tell: content digest and extended attributes. */
export class FileDigester {
  readonly #memo: DigestMemo;
  /** Before the first file was looked at; milliseconds since the epoch. */
  readonly #since: number;
  readonly #signal: AbortSignal;
  readonly #buffer = Buffer.allocUnsafeSlow(ONE_READ + 1);
  readonly #ownClocks = new Map<number, boolean>();

  constructor(memo: DigestMemo, options: { readonly since: number; readonly signal: AbortSignal }) {
    this.#memo = memo;
    this.#since = options.since;
    this.#signal = options.signal;
  }

  /** Fills in what can be known without opening the file; false when its content must be read. */
  recall(file: SourceFile): boolean {
    if (file.type !== 'file') {
      this.lookForXattrs(file);
      return true;
    }
    if (file.digest !== undefined && file.xattrs !== undefined) return true;
    const known = file.isMutable ? this.#memo.get(file.stat) : undefined;
    if (!known) return false;
    file.digest = known.digest;
    if (known.hasXattrs) this.lookForXattrs(file);
    else file.xattrs = NO_XATTRS;
    return true;
  }

  /**
   * Takes the digest of a file that the caller has read. It is remembered when the file was still the `same` as when it
   * was found: a file that was replaced in between must not leave its digest to the one before.
   */
  learn(file: SourceFile, digest: RawDigest, same: boolean): void {
    file.digest = digest;
    if (!same || !file.isMutable || !this.#hasOwnClock(file)) return;
    this.#memo.put(file.stat, { digest, hasXattrs: (file.xattrs?.size ?? 0) > 0 }, this.#since);
  }

  /** Fills in the extended attributes. `fd` is the file when it is open. */
  lookForXattrs(file: SourceFile, fd?: number): void {
    if (file.xattrs !== undefined) return;
    const mayHave = fd === undefined ? file.type === 'file' || file.type === 'directory' : mayHaveXattrs(fd);
    file.xattrs = mayHave ? readXattrs(placeOf(file)) : NO_XATTRS;
  }

  /** Reads the content of a file. */
  read(file: SourceFile): RawDigest {
    const fd = openSource(file);
    try {
      this.lookForXattrs(file, fd);
      let count = readSync(fd, this.#buffer);
      if (count < this.#buffer.length) {
        const digest = sha256(this.#buffer.subarray(0, count));
        this.learn(file, digest, isUnchanged(file, fd));
        return digest;
      }
      const digester = createHash('sha256');
      for (; count > 0; count = readSync(fd, this.#buffer)) {
        if (this.#signal.aborted) throw cancelled(this.#signal);
        digester.update(this.#buffer.subarray(0, count));
      }
      const digest = digester.digest();
      this.learn(file, digest, isUnchanged(file, fd));
      return digest;
    } finally {
      closeSync(fd);
    }
  }

  /** Whether the state in which a file was found tells it from all that it will ever become. */
  isSettled(file: SourceFile): boolean {
    return isSettled(file.stat, this.#since) && this.#hasOwnClock(file);
  }

  #hasOwnClock(file: SourceFile): boolean {
    const device = file.stat.deviceMajor * 2 ** 20 + file.stat.deviceMinor;
    let isOwn = this.#ownClocks.get(device);
    if (isOwn === undefined) {
      isOwn = OWN_CLOCK.has(statfsSync(placeOf(file)).type);
      this.#ownClocks.set(device, isOwn);
    }
    return isOwn;
  }
}

/** The digest of a file's content in memory that many share: see `kept`. */
export function sha256(bytes: Uint8Array): RawDigest {
  return kept(hash('sha256', bytes, 'buffer'));
}

const DIGEST_SIZE = 32;
let shelf = new Uint8Array(0);
let taken = 0;

/** Many digests in one piece of memory: on its own each would take ten times its size. */
function kept(digest: Uint8Array): RawDigest {
  if (taken === shelf.length) [shelf, taken] = [new Uint8Array(1024 * DIGEST_SIZE), 0];
  const place = shelf.subarray(taken, taken + DIGEST_SIZE);
  taken += DIGEST_SIZE;
  place.set(digest);
  return place;
}

/** Whether an open file is the one that was found, in the same state. What is in a layer never changes. */
export function isUnchanged(file: SourceFile, fd: number): boolean {
  return !file.isMutable || sameStamp(quickStatOpen(fd, file.clock), file.stat);
}

/** Opens a source file for reading; a Failure that names it when that fails. Never waits for a fifo. */
export function openSource(file: SourceFile): number {
  try {
    return openSync(placeOf(file), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') throw changedMeanwhile(file.path, error);
    throw unreadable(file.path, error);
  }
}

/** A file is another one than was found: neither its key nor its content would be right. */
export function changedMeanwhile(path: string, cause?: unknown): Failure {
  return new Failure('conflict', 'CONTEXT_CHANGED', `"${path}" changed while it was being read`, {
    hint: 'build again when nothing writes to the build context',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The attributes that go into an image: capabilities, and those of users. */
export function readXattrs(path: string | Buffer): ReadonlyMap<string, Uint8Array> {
  let found: Map<string, Uint8Array> | undefined;
  for (const name of listXattrs(path)) {
    if (name !== 'security.capability' && (!name.startsWith('user.') || name.startsWith('user.overlay.'))) continue;
    const value = getXattr(path, name);
    if (!value) continue;
    found ??= new Map();
    found.set(name, value);
  }
  return found ?? NO_XATTRS;
}
