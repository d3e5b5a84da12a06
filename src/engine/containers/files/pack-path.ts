import { closeSync, constants, fstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import { type FileStat, getXattr, statFile } from '../../../host/file-system-calls.ts';
import { Failure, systemCode } from '../../../lib/error.ts';
import { RESERVE_LIMIT } from '../../../tar/gather-buffer.ts';
import type { EntryHeader, EntryType } from '../../../tar/layer-entry.ts';
import { decodeName } from '../../../tar/names.ts';
import { TarWriter } from '../../../tar/tar-writer.ts';
import { isFolder, joined, MountedTree, type TreeParts } from './mounted-tree.ts';

export interface PackRequest {
  readonly tree: TreeParts;
  /** Real path of what is packed. */
  readonly real: string;
  /** Its name in the archive: a name, `.` or `/`. */
  readonly base: string;
}

const TYPES: ReadonlyMap<number, EntryType> = new Map([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'symlink'],
  [0o020000, 'char'],
  [0o060000, 'block'],
  [0o010000, 'fifo'],
]);
const CAPABILITIES = 'security.capability';

/**
 * The tar of a file or folder of a container, with what is mounted in it. For a worker thread: synchronous, in pieces of
 * up to 1 MiB. What disappears meanwhile is left out; a file that becomes shorter while it is read breaks the archive.
 */
export function* packPath(request: PackRequest): Generator<Buffer> {
  const tree = new MountedTree(request.tree);
  const ready: Buffer[] = [];
  const writer = new TarWriter((bytes) => ready.push(Buffer.from(bytes)));
  /** Names in the archive of files that have more than one, by device and inode. */
  const linked = new Map<string, string>();
  const pending = [{ real: request.real, name: request.base }];
  for (let item = pending.pop(); item; item = pending.pop()) {
    for (const _ of addEntry(writer, tree, item, linked)) yield* ready.splice(0);
    yield* ready.splice(0);
    pending.push(...childrenOf(tree, item).reverse());
  }
  writer.end();
  yield* ready;
}

interface Item {
  readonly real: string;
  /** In the archive. */
  readonly name: string;
}

/** Writes one entry; yields after every piece of content. */
function* addEntry(writer: TarWriter, tree: MountedTree, item: Item, linked: Map<string, string>): Generator<void> {
  using place = openedOrGone(() => tree.place(item.real));
  if (!place) return;
  const stat = openedOrGone(() => statFile(place.path));
  const type = stat && TYPES.get(stat.mode & 0o170000);
  if (!stat || !type) return; // gone, or a socket
  const header = headerOf(item, type, stat, place.path);
  const inode = `${stat.device}/${stat.inode}`;
  const first = stat.links > 1 && type !== 'directory' ? linked.get(inode) : undefined;
  if (first !== undefined) {
    writer.begin({ ...header, type: 'hardlink', linkTarget: first, size: 0 });
    return;
  }
  if (stat.links > 1 && type !== 'directory') linked.set(inode, item.name);
  if (type === 'file') yield* addFile(writer, header, place.path);
  else writer.begin(header);
}

function* addFile(writer: TarWriter, header: EntryHeader, path: string | Buffer): Generator<void> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = openedOrGone(() => openSync(path, flags));
  if (file === undefined) return;
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) return; // it was replaced
    writer.begin({ ...header, size: stat.size });
    for (let left = stat.size; left > 0; ) {
      const room = writer.reserve(Math.min(left, RESERVE_LIMIT));
      for (let filled = 0; filled < room.length; ) {
        const count = readSync(file, room, filled, room.length - filled, null);
        if (count === 0)
          throw new Failure('conflict', 'FILE_CHANGED', `${header.path} became shorter while it was being read`);
        filled += count;
      }
      left -= room.length;
      yield;
    }
  } finally {
    closeSync(file);
  }
}

function headerOf({ name }: Item, type: EntryType, stat: FileStat, path: string | Buffer): EntryHeader {
  const capabilities = type === 'file' ? getXattr(path, CAPABILITIES) : undefined;
  return {
    path: name === '.' ? '' : name,
    type,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    size: 0,
    mtime: stat.modified.seconds,
    mtimeNsec: 0,
    linkTarget: type === 'symlink' ? decodeName(readlinkSync(path, { encoding: 'buffer' })) : undefined,
    device: type === 'char' || type === 'block' ? { major: stat.major, minor: stat.minor } : undefined,
    xattrs: capabilities && new Map([[CAPABILITIES, capabilities]]),
  };
}

/** What is in a folder, sorted; nothing for anything else. */
function childrenOf(tree: MountedTree, { real, name }: Item): Item[] {
  const names = openedOrGone(() => {
    if (!isFolder(tree.stat(real))) return [];
    using folder = tree.folder(real);
    return readdirSync(joined(folder.path, '.'), { encoding: 'buffer' }).map(decodeName).sort();
  });
  const prefix = name === '/' ? '/' : `${name}/`;
  return (names ?? []).map((child) => ({ real: posix.join(real, child), name: `${prefix}${child}` }));
}

/** Undefined for what a running container has removed or replaced since it was listed. */
function openedOrGone<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}
