import type { Digest } from '../oci/digest.ts';
import { encodeName } from './names.ts';

export type EntryType =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'hardlink'
  | 'char'
  | 'block'
  | 'fifo'
  | 'whiteout' // `path` of lower layers is deleted
  | 'opaque'; // what lower layers have inside the directory `path` is hidden

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** What a tar header says about one entry of a layer. */
export interface EntryHeader {
  /**
   * Where the entry is below the layer's root: `etc/passwd`, without leading or trailing slash, without `.` and `..`; the
   * root itself is ''. Bytes that are not UTF-8 are kept as lone surrogates, see names.ts. A whiteout has the path that
   * it deletes, an opaque mark that of its directory.
   */
  readonly path: string;
  readonly type: EntryType;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of content; 0 for everything but files. */
  readonly size: number;
  /** Seconds since 1970 and the nanoseconds (0 to 999,999,999) to add. */
  readonly mtime: number;
  readonly mtimeNsec: number;
  /** Symlink: the text of the link. Hard link: the path, in this layer, of the file row that it shares. */
  readonly linkTarget?: string | undefined;
  readonly device?: DeviceNumber | undefined;
  readonly xattrs?: ReadonlyMap<string, Uint8Array> | undefined;
}

/** One row of a layer's index. */
export interface LayerEntry extends EntryHeader {
  /** sha256 of a file's content; files only. */
  readonly digest?: Digest | undefined;
  /** Place in the uncompressed tar of the first header block; -1 for a directory that the tar implies but does not list. */
  readonly offset: number;
}

/** Whether an entry is the root as it usually is, which the canonical tar of a tree does not list. */
export function isUsualRoot({ path, mode, uid, gid }: EntryHeader): boolean {
  return path === '' && mode === 0o755 && uid === 0 && gid === 0;
}

/** The header with a modification time that is not after `newest`, in seconds. */
export function notNewer<T extends EntryHeader>(header: T, newest: number | undefined): T {
  const isNewer = newest !== undefined && (header.mtime > newest || (header.mtime === newest && header.mtimeNsec > 0));
  return isNewer ? { ...header, mtime: newest, mtimeNsec: 0 } : header;
}

/**
 * What an entry counts in the size of its layer, as Docker shows sizes: the bytes of a file, the length of a symlink's
 * text. Further names of a file (hard links) count nothing.
 */
export function countedSize(entry: EntryHeader): number {
  return entry.type === 'symlink' ? encodeName(entry.linkTarget ?? '').length : entry.size;
}

/**
 * The order of rows in an index and of entries in a canonical tar: depth first, names by UTF-16 code units, a directory
 * before its opaque mark and both before its content.
 */
export function compareEntries(a: EntryHeader, b: EntryHeader): number {
  return comparePaths(a.path, b.path) || Number(a.type === 'opaque') - Number(b.type === 'opaque');
}

/** Compares paths name by name, so that `a/b` comes before `a-b`. */
export function comparePaths(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return left === 47 ? -1 : right === 47 ? 1 : left - right;
  }
  return a.length - b.length;
}
