import type { Digest } from '../../oci/digest.ts';
import type { DeviceNumber, LayerEntry } from '../../tar/layer-entry.ts';
import { readLayerIndex } from '../../tar/layer-index.ts';
import { type FileStamp, Format, type QuickStat } from './quick-stat.ts';

export type SourceType = 'file' | 'directory' | 'symlink' | 'fifo' | 'char' | 'block';

/** A file of a build context, a stage or an image that a COPY may take. */
export interface SourceFile {
  /** Below the root of its tree; '' is the root itself. Names that are not UTF-8 as in tar/names.ts. */
  readonly path: string;
  readonly type: SourceType;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  /** Owner in the tree. A context's is that of whoever wrote it and means nothing in an image. */
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly mtimeNsec: number;
  readonly linkTarget: string | undefined;
  readonly device: DeviceNumber | undefined;
  /** Undefined as long as nobody has looked. */
  xattrs: ReadonlyMap<string, Uint8Array> | undefined;
  /** Of a file; undefined as long as nobody has read it. */
  digest: Digest | undefined;
  /** Equal for names of one file that has several; undefined for all others. */
  readonly linked: string | undefined;
  /** State on disk; undefined in a layer, which never changes. */
  readonly stamp: FileStamp | undefined;
  /** Where its bytes are. */
  readonly place: string;
}

/** A tree of files to copy from. Paths are below its root, without leading slash, `.` and `..`. */
export interface SourceTree {
  /** What has the name `path`, a symlink as itself; the folders on the way must not be links. Undefined when there is nothing. */
  find(path: string): SourceFile | undefined;
  /** Names in a folder, sorted by UTF-16 code units. */
  names(folder: string): readonly string[];
  /** Everything below a folder, depth first, sorted like `names`, each folder before its content. */
  walk(folder: string, visit: (file: SourceFile) => void): void;
}

/** The source file that a name on disk is; undefined for a socket, which no image holds. */
export function sourceFile(
  path: string,
  place: string,
  stat: QuickStat,
  how: { readonly isMutable: boolean; readonly readLink: () => string | undefined },
): SourceFile | undefined {
  const type = typeOf(stat.format);
  const linkTarget = type === 'symlink' ? how.readLink() : undefined;
  if (!type || (type === 'symlink' && linkTarget === undefined)) return undefined;
  const isNode = type === 'char' || type === 'block';
  return {
    path,
    type,
    mode: type === 'symlink' ? 0o777 : stat.mode,
    uid: stat.uid,
    gid: stat.gid,
    size: type === 'file' ? stat.size : 0,
    mtime: stat.mtime,
    mtimeNsec: stat.mtimeNsec,
    linkTarget,
    device: isNode ? { major: stat.major, minor: stat.minor } : undefined,
    xattrs: undefined,
    digest: undefined,
    linked: stat.links > 1 && type === 'file' ? nameOfInode(stat) : undefined,
    stamp: how.isMutable ? stat : undefined,
    place,
  };
}

/** Takes what is known of a file from an index; a further name of a file is described by the row of the first. */
export function describe(file: SourceFile, rows: ReadonlyMap<string, LayerEntry>): void {
  const found = rows.get(file.path);
  const row = found?.type === 'hardlink' && found.linkTarget !== undefined ? rows.get(found.linkTarget) : found;
  file.xattrs = row?.xattrs ?? NO_XATTRS;
  if (file.type === 'file') file.digest = row?.digest;
}

/** The rows of an index by path. */
export function rowsByPath(indexPath: string): ReadonlyMap<string, LayerEntry> {
  const { entries } = readLayerIndex(indexPath);
  return new Map(entries.filter((row) => row.type !== 'opaque').map((row) => [row.path, row]));
}

export const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map();

export function joinPath(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

function typeOf(format: number): SourceType | undefined {
  switch (format) {
    case Format.file:
      return 'file';
    case Format.directory:
      return 'directory';
    case Format.symlink:
      return 'symlink';
    case Format.fifo:
      return 'fifo';
    case Format.char:
      return 'char';
    case Format.block:
      return 'block';
    default:
      return undefined;
  }
}

const nameOfInode = (stat: QuickStat): string =>
  `${stat.deviceMajor}:${stat.deviceMinor}:${stat.inodeHigh}:${stat.inodeLow}`;
