import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from 'node:fs';
import type { IgnoreMatcher } from '../../dockerfile/ignore.ts';
import { Failure, systemCode } from '../../lib/error.ts';
import type { EntryHeader } from '../../tar/layer-entry.ts';
import { TarWriter } from '../../tar/tar-writer.ts';

/** A file that is not on the disk. It replaces one of the same name in the folder's root. */
export interface ExtraFile {
  readonly path: string;
  readonly bytes: Buffer;
}

/** One context: files of a folder, and others. */
export interface ContextPart {
  readonly folder: ContextFolder | undefined;
  readonly extra: readonly ExtraFile[];
}

export interface ContextFolder {
  readonly folder: string;
  readonly ignores: IgnoreMatcher;
  /** Paths that are sent even when they are ignored: the Dockerfile and the ignore file. */
  readonly keep: readonly string[];
}

const PIECE = 1 << 20;

/**
 * The tar of a build context: what is not ignored, owned by root, in a fixed order; sockets are left out. Files are
 * read while the tar flows. A Failure of kind `conflict` when a file shrinks meanwhile.
 */
export function contextTar(part: ContextPart): AsyncGenerator<Buffer> {
  return contextsTar(new Map([['', part]]));
}

/** The tar of several contexts, each below the folder of its name. */
export async function* contextsTar(parts: ReadonlyMap<string, ContextPart>): AsyncGenerator<Buffer> {
  const ready: Buffer[] = [];
  const writer = new TarWriter((bytes) => ready.push(Buffer.from(bytes)));
  for (const [name, { folder, extra }] of parts) {
    const below = (path: string) => (name === '' ? path : `${name}/${path}`);
    if (name !== '') writer.begin({ ...HEADER, path: name, type: 'directory', mode: 0o755 });
    for (const { path, bytes } of extra) {
      writer.begin({ ...HEADER, path: below(path), type: 'file', size: bytes.length, mode: 0o600 });
      writer.data(bytes);
    }
    const replaced = new Set(extra.map(({ path }) => path));
    for (const { path, full } of folder ? walk(folder, '') : []) {
      if (!replaced.has(path)) for (const _ of addEntry(writer, below(path), full)) yield* ready.splice(0);
      if (ready.length > 0) yield* ready.splice(0);
    }
  }
  writer.end();
  yield* ready;
}

const HEADER = { uid: 0, gid: 0, size: 0, mtime: 0, mtimeNsec: 0 };

/** What is not ignored below `base`, folders before their content. */
function* walk(context: ContextFolder, base: string): Generator<{ path: string; full: string }> {
  const { folder, ignores, keep } = context;
  const names = readdirSync(base === '' ? folder : `${folder}/${base}`, { withFileTypes: true });
  names.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of names) {
    const path = base === '' ? entry.name : `${base}/${entry.name}`;
    const full = `${folder}/${path}`;
    const kept = !ignores.ignores(path) || keep.includes(path);
    const isFolder = entry.isDirectory();
    if (kept) yield { path, full };
    const leadsToKept = keep.some((wanted) => wanted.startsWith(`${path}/`));
    if (isFolder && (kept || leadsToKept || ignores.mayContainExceptions(path))) yield* walk(context, path);
  }
}

/** Writes one entry; yields after every piece of content, so that the caller can pass bytes on. */
function* addEntry(writer: TarWriter, path: string, full: string): Generator<void> {
  const stat = lstatSync(full);
  const header = { ...HEADER, path, mode: stat.mode & 0o7777, mtime: Math.floor(stat.mtimeMs / 1000) };
  if (stat.isFile()) {
    yield* addFile(writer, header, full);
    return;
  }
  const special = specialEntry(stat, full);
  if (special) writer.begin({ ...header, ...special });
}

/** What a header says about a folder, link or device; undefined for a socket. */
export function specialEntry(
  stat: Stats,
  full: string,
): Pick<EntryHeader, 'type' | 'linkTarget' | 'device'> | undefined {
  if (stat.isDirectory()) return { type: 'directory' };
  if (stat.isSymbolicLink()) return { type: 'symlink', linkTarget: readlinkSync(full) };
  if (stat.isFIFO()) return { type: 'fifo' };
  if (stat.isSocket()) return undefined;
  const device = {
    major: (stat.rdev >> 8) & 0xfff,
    minor: (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00),
  };
  return { type: stat.isCharacterDevice() ? 'char' : 'block', device };
}

/** Writes a file; yields after every piece of content. A Failure of kind `conflict` when it becomes shorter meanwhile. */
export function* addFile(writer: TarWriter, header: Omit<EntryHeader, 'type'>, full: string): Generator<void> {
  const file = openFile(full);
  try {
    const { size } = fstatSync(file);
    writer.begin({ ...header, type: 'file', size });
    for (let left = size; left > 0; ) {
      const room = writer.reserve(Math.min(left, PIECE));
      for (let filled = 0; filled < room.length; ) {
        const count = readSync(file, room, filled, room.length - filled, null);
        if (count === 0)
          throw new Failure('conflict', 'FILE_CHANGED', `${full} became shorter while it was being sent`);
        filled += count;
      }
      left -= room.length;
      yield;
    }
  } finally {
    closeSync(file);
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (systemCode(error) !== 'EACCES') throw error;
    throw new Failure('denied', 'CONTEXT_UNREADABLE', `error checking context: no permission to read from '${path}'`);
  }
}
