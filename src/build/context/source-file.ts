import { type Digest, hexOf, parseDigest } from '../../oci/digest.ts';
import type { LayerEntry } from '../../tar/layer-entry.ts';
import { readLayerIndex } from '../../tar/layer-index.ts';
import { pathInFolder } from '../../tar/names.ts';
import { type Clock, Format, type QuickStat } from './quick-stat.ts';

export type SourceType = 'file' | 'directory' | 'symlink' | 'fifo' | 'char' | 'block';

/** The 32 bytes of a sha256; large contexts have too many for strings. */
export type RawDigest = Uint8Array;

/** A file of a build context, a stage or an image that a COPY may take. */
export interface SourceFile {
  /** Below `folder`; '' is that folder itself. Names that are not UTF-8 as in tar/names.ts. */
  readonly path: string;
  readonly type: SourceType;
  readonly stat: QuickStat;
  readonly linkTarget: string | undefined;
  /** Folder on disk from which `path` leads to the bytes. */
  readonly folder: string;
  /** Somebody may be changing it. What is in a layer never changes. */
  readonly isMutable: boolean;
  /** Of its states. */
  readonly clock: Clock;
  /** Undefined as long as nobody has looked. */
  xattrs: ReadonlyMap<string, Uint8Array> | undefined;
  /** Of a file: sha256 of its content; undefined as long as nobody has read it. */
  digest: RawDigest | undefined;
}

/** A tree of files to copy from. Paths are below its root, without leading slash, `.` and `..`. */
export interface SourceTree {
  /** What has the name `path`, a symlink as itself; the folders on the way must not be links. Undefined when there is nothing. */
  find(path: string): SourceFile | undefined;
  /** Names in a folder, sorted by UTF-16 code units. */
  names(folder: string): readonly string[];
  /** Everything below a folder, depth first, sorted like `names`, each folder before its content. */
  walk(folder: string, visit: (file: SourceFile) => void, options?: WalkOptions): void;
  /** A folder about half way through such a walk, worth walking in two parts; undefined when it is not. */
  middle?(folder: string): string | undefined;
}

/** A part of a walk: what comes before a path, or from it on. */
export type WalkPart = { readonly before: string } | { readonly from: string };

export interface WalkOptions {
  readonly part?: WalkPart | undefined;
  /** Gets all that the walk looks at, visited or not: together with the names in its folders, what the result depends on. */
  readonly seen?: ((file: SourceFile) => void) | undefined;
}

export const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map();

const TYPES = new Map<number, SourceType>([
  [Format.file, 'file'],
  [Format.directory, 'directory'],
  [Format.symlink, 'symlink'],
  [Format.fifo, 'fifo'],
  [Format.char, 'char'],
  [Format.block, 'block'],
]);

/** The source file that a name on disk is; undefined for a socket, which no image holds, and when the link is gone. */
export function sourceFile(
  found: Pick<SourceFile, 'path' | 'folder' | 'stat' | 'isMutable'> & Partial<Pick<SourceFile, 'clock'>>,
  readLink: () => string | undefined,
): SourceFile | undefined {
  const { path, folder, stat, isMutable, clock = 'change' } = found;
  const type = TYPES.get(stat.format);
  const linkTarget = type === 'symlink' ? readLink() : undefined;
  if (!type || (type === 'symlink' && linkTarget === undefined)) return undefined;
  return { path, type, stat, linkTarget, folder, isMutable, clock, xattrs: undefined, digest: undefined };
}

/** Where the bytes are, in the form that `node:fs` takes. */
export function placeOf(file: SourceFile): string | Buffer {
  return pathInFolder(file.folder, file.path);
}

/** Takes what is known of a file from an index; a further name of a file is described by the row of the first. */
export function describe(file: SourceFile, rows: ReadonlyMap<string, LayerEntry>): void {
  const found = rows.get(file.path);
  const row = found?.type === 'hardlink' && found.linkTarget !== undefined ? rows.get(found.linkTarget) : found;
  file.xattrs = row?.xattrs ?? NO_XATTRS;
  if (file.type === 'file') file.digest = row?.digest && Buffer.from(hexOf(row.digest), 'hex');
}

/** The rows of an index by path. */
export function rowsByPath(indexPath: string): ReadonlyMap<string, LayerEntry> {
  const { entries } = readLayerIndex(indexPath);
  return new Map(entries.filter((row) => row.type !== 'opaque').map((row) => [row.path, row]));
}

/** A digest as it is written. */
export function digestOfRaw(raw: RawDigest): Digest {
  return parseDigest(`sha256:${Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('hex')}`);
}

/** A name in a folder of a tree, whose root is ''. */
export function joinPath(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
