import { createHash, hash } from 'node:crypto';
import { closeSync, constants, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { type FileStat, getXattr, listXattrs, setTimes, statFile } from '../host/file-system-calls.ts';
import { cancelled, Failure } from '../lib/error.ts';
import { type Digest, Digester, parseDigest } from '../oci/digest.ts';
import { diskFailure } from '../store/disk.ts';
import type { LayerFacts } from '../store/layers.ts';
import { RESERVE_LIMIT } from '../tar/gather-buffer.ts';
import {
  countedSize,
  type EntryHeader,
  type EntryType,
  isUsualRoot,
  type LayerEntry,
  notNewer,
} from '../tar/layer-entry.ts';
import { writeLayerIndex } from '../tar/layer-index.ts';
import { decodeName, pathInFolder } from '../tar/names.ts';
import { TarWriter } from '../tar/tar-writer.ts';
import { isOverlayXattr, OPAQUE_VALUE, OPAQUE_XATTR, WHITEOUT_PREFIX } from '../tar/whiteout.ts';
import { markRow } from './entry-applier.ts';
import { linkRow } from './file-contents.ts';

export interface ScanRequest {
  /** A layer's tree in overlayfs form that nobody changes any more. */
  readonly tree: string;
  /** File to write the index to. */
  readonly index: string;
  /** What is newer gets this modification time, in seconds, here and on disk. */
  readonly newest?: number | undefined;
}

/**
 * Makes the index of a tree and the diffID of its canonical tar, which is never stored, reading each file once. The
 * root directory itself gets a row only when its owner or mode is not the default. Blocks: meant for a worker thread.
 */
export function scanTree(
  { tree, index, newest }: ScanRequest,
  { signal }: { readonly signal: AbortSignal },
): LayerFacts {
  const scan = new Scan(tree, newest, signal);
  scan.walk();
  const facts = scan.finish();
  try {
    writeLayerIndex(index, scan.rows);
  } catch (error) {
    throw diskFailure(error, index);
  }
  return facts;
}

const TYPES: ReadonlyMap<number, EntryType> = new Map([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'symlink'],
  [0o020000, 'char'],
  [0o060000, 'block'],
  [0o010000, 'fifo'],
]);
const SOCKET = 0o140000;
const EMPTY = createHash('sha256').digest('hex');

class Scan {
  readonly rows: LayerEntry[] = [];
  readonly #tree: string;
  readonly #newest: number | undefined;
  readonly #signal: AbortSignal;
  readonly #digester = new Digester();
  readonly #writer = new TarWriter((bytes) => this.#digester.update(bytes));
  /** The first row of each file that has more than one name. */
  readonly #linked = new Map<bigint, LayerEntry>();
  #size = 0;

  constructor(tree: string, newest: number | undefined, signal: AbortSignal) {
    this.#tree = tree;
    this.#newest = newest;
    this.#signal = signal;
  }

  walk(): void {
    const pending = [''];
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      if (this.#signal.aborted) throw cancelled(this.#signal);
      if (!this.#take(path)) continue;
      const names = namesIn(pathInFolder(this.#tree, path));
      for (let i = names.length - 1; i >= 0; i--) pending.push(path === '' ? `${names[i]}` : `${path}/${names[i]}`);
    }
  }

  finish(): LayerFacts {
    const tarSize = this.#writer.end();
    return { diffId: this.#digester.diffId(), size: this.#size, tarSize, entries: this.rows.length };
  }

  /** Takes what is at `path`; true when it is a directory. */
  #take(path: string): boolean {
    const disk = pathInFolder(this.#tree, path);
    const stat = statFile(disk);
    const kind = stat.mode & 0o170000;
    const type = TYPES.get(kind);
    if (type === undefined) {
      if (kind === SOCKET) return false; // nobody listens in a layer, and tar has no form for it
      throw new Failure('unsupported', 'FILE_TYPE', `"${path}" has a type that a layer cannot hold`);
    }
    if (type === 'char' && stat.major === 0 && stat.minor === 0) {
      this.#add(markRow(path, 'whiteout', 0));
      return false;
    }
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (name.startsWith(WHITEOUT_PREFIX))
      throw new Failure('unsupported', 'WHITEOUT_NAME', `"${path}": names in ".wh." mean deleted files in a layer`);
    const first = stat.links > 1 && type !== 'directory' ? this.#linked.get(stat.inode) : undefined;
    if (first) {
      this.#add(linkRow(first, path, 0));
      return false;
    }
    const { xattrs, opaque } = attributesOf(disk, path);
    const found = headerOf(path, type, stat, disk, xattrs);
    const entry = notNewer(found, this.#newest);
    if (entry !== found) setTimes(disk, entry.mtime, entry.mtimeNsec);
    if (type === 'file') this.#addFile(entry, disk);
    else if (!isUsualRoot(entry)) this.#add({ ...entry, offset: 0 });
    const row = this.rows.at(-1);
    if (stat.links > 1 && type !== 'directory' && row) this.#linked.set(stat.inode, row);
    if (opaque) this.#add(markRow(path, 'opaque', 0));
    return type === 'directory';
  }

  /** Adds a row without content; its offset is set here. */
  #add(row: LayerEntry): void {
    const offset = this.#writer.begin(row);
    this.#size += countedSize(row);
    this.rows.push({ ...row, offset });
  }

  #addFile(entry: EntryHeader, disk: string | Buffer): void {
    const offset = this.#writer.begin(entry);
    const digest = entry.size === 0 ? EMPTY : this.#readFile(entry, disk);
    this.#size += countedSize(entry);
    this.rows.push({ ...entry, digest: toDigest(digest), offset });
  }

  /** Reads a file straight into the tar's buffer; returns the hexadecimal digest of its content. */
  #readFile(entry: EntryHeader, disk: string | Buffer): string {
    const file = openSync(disk, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      if (entry.size <= RESERVE_LIMIT) {
        const room = this.#writer.reserve(entry.size);
        readWhole(file, room, entry.path);
        return hash('sha256', room, 'hex');
      }
      const content = createHash('sha256');
      for (let left = entry.size; left > 0; ) {
        if (this.#signal.aborted) throw cancelled(this.#signal);
        const room = this.#writer.reserve(Math.min(left, RESERVE_LIMIT));
        readWhole(file, room, entry.path);
        content.update(room);
        left -= room.length;
      }
      return content.digest('hex');
    } finally {
      closeSync(file);
    }
  }
}

function headerOf(
  path: string,
  type: EntryType,
  stat: FileStat,
  disk: string | Buffer,
  xattrs: Map<string, Uint8Array> | undefined,
): EntryHeader {
  return {
    path,
    type,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    size: type === 'file' ? stat.size : 0,
    mtime: stat.modified.seconds,
    mtimeNsec: stat.modified.nanoseconds,
    linkTarget: type === 'symlink' ? decodeName(readlinkSync(disk, { encoding: 'buffer' })) : undefined,
    device: type === 'char' || type === 'block' ? { major: stat.major, minor: stat.minor } : undefined,
    xattrs,
  };
}

/** Extended attributes without overlayfs's own, which tell whether the directory is opaque. */
function attributesOf(
  disk: string | Buffer,
  path: string,
): { xattrs: Map<string, Uint8Array> | undefined; opaque: boolean } {
  let xattrs: Map<string, Uint8Array> | undefined;
  let opaque = false;
  for (const name of listXattrs(disk)) {
    if (name === OPAQUE_XATTR) opaque = getXattr(disk, name)?.toString() === OPAQUE_VALUE;
    else if (name === 'trusted.overlay.redirect' || name === 'trusted.overlay.metacopy')
      throw new Failure('internal', 'LAYER_INCOMPLETE', `"${path}" of a layer depends on the layer below (${name})`);
    if (isOverlayXattr(name)) continue;
    const value = getXattr(disk, name);
    if (!value) continue;
    xattrs ??= new Map();
    xattrs.set(name, value);
  }
  return { xattrs, opaque };
}

function namesIn(disk: string | Buffer): string[] {
  const names = readdirSync(disk);
  // A name that is not UTF-8 shows as U+FFFD; then the bytes are read.
  const exact = names.some((name) => name.includes('\ufffd'))
    ? readdirSync(disk, { encoding: 'buffer' }).map((name) => decodeName(name))
    : names;
  return exact.sort();
}

function readWhole(file: number, room: Buffer, path: string): void {
  for (let fill = 0; fill < room.length; ) {
    const count = readSync(file, room, fill, room.length - fill, null);
    if (count === 0) throw new Failure('internal', 'LAYER_CHANGED', `"${path}" of a layer changed while it was read`);
    fill += count;
  }
}

const toDigest = (hex: string): Digest => parseDigest(`sha256:${hex}`);
