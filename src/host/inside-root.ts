import { chownSync, closeSync, constants, fstatSync, mkdirSync, readlinkSync, readSync, writeFileSync } from 'node:fs';
import { posix } from 'node:path';
import { bind, check, ERRNO, lastError, type NativePath, systemError, terminated } from './libc.ts';

const syscall = bind<(call: number, at: number, path: string | Buffer, how: Buffer, size: number) => number>(
  'int64_t syscall(int64_t call, int64_t at, const char *path, const void *how, size_t size)',
);
const open = bind<(path: string | Buffer, flags: number, mode: number) => number>(
  'int open(const char *path, int flags, uint32_t mode)',
);

const OPENAT2 = 437; // the same number on every architecture
const RESOLVE_IN_ROOT = 0x10n;
const RESOLVE_BENEATH = 0x08n;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;

/** An open file or folder; `path` names it for as long as it is open, whatever happens to its name. */
export interface OpenedInside extends Disposable {
  readonly fd: number;
  readonly path: string;
}

/**
 * Opens `path` as a process whose root is `root` would: symbolic links and `..` cannot lead out of it, not even when the
 * tree changes meanwhile. `flags` are those of open(2) without O_CREAT; by default only the place is opened (O_PATH).
 */
export function openInside(root: string, path: NativePath, flags: number = O_PATH): OpenedInside {
  const opened = openOrErrno(root, path, flags);
  if (typeof opened === 'number') throw systemError(opened, 'openat2', path);
  return opened;
}

/** Opens the place of a relative path below `root`. What leads out of it on the way, `..` or a link, throws EXDEV. */
export function openBelow(root: string, path: string): OpenedInside {
  const opened = openOrErrno(root, path, O_PATH, RESOLVE_BENEATH);
  if (typeof opened === 'number') throw systemError(opened, 'openat2', path);
  return opened;
}

/** As `openInside`; undefined when there is nothing at `path`, or a link that leads nowhere. */
export function findInside(root: string, path: NativePath, flags: number = O_PATH): OpenedInside | undefined {
  const opened = openOrErrno(root, path, flags);
  if (typeof opened !== 'number') return opened;
  if (MISSING.has(opened)) return undefined;
  throw systemError(opened, 'openat2', path);
}

function openOrErrno(
  root: string,
  path: NativePath,
  flags: number,
  resolve: bigint = RESOLVE_IN_ROOT,
): OpenedInside | number {
  const rootFd = check(open(terminated(root), O_PATH | constants.O_DIRECTORY | O_CLOEXEC, 0), 'open', root);
  try {
    const how = Buffer.alloc(24);
    how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
    how.writeBigUInt64LE(resolve | RESOLVE_NO_MAGICLINKS, 16);
    const fd = syscall(OPENAT2, rootFd, terminated(path), how, how.length);
    if (fd === -1) return lastError();
    return { fd, path: `/proc/self/fd/${fd}`, [Symbol.dispose]: () => closeSync(fd) };
  } finally {
    closeSync(rootFd);
  }
}

const MISSING = new Set([ERRNO['ENOENT'], ERRNO['ENOTDIR'], ERRNO['ELOOP']]);

/** The first `limit` bytes of a regular file inside `root`, or undefined when there is none at `path`. */
export function readInside(root: string, path: string, limit: number): Buffer | undefined {
  using file = findInside(root, path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (file === undefined) return undefined;
  const stat = fstatSync(file.fd);
  if (!stat.isFile()) return undefined;
  const buffer = Buffer.alloc(Math.min(limit, stat.size));
  return buffer.subarray(0, readSync(file.fd, buffer));
}

/** What `path` inside `root` is; undefined when there is nothing, or a link that leads nowhere. */
export function kindInside(root: string, path: string): 'folder' | 'other' | undefined {
  using place = findInside(root, path);
  return place && (fstatSync(place.fd).isDirectory() ? 'folder' : 'other');
}

/** Where `path` really is inside `root`, links resolved; undefined when there is nothing. */
export function realPathInside(root: string, path: string): string | undefined {
  using place = findInside(root, path);
  return place && (readlinkSync(place.path).slice(root.length) || '/');
}

/**
 * Makes a folder or an empty file inside `root`, with the folders on the way to it (0755, `owner`'s, by default root's);
 * at the end of a link that leads nowhere, what it names. Returns the paths made, outermost first: none when it was there. Throws ENOTDIR or
 * EEXIST when something else is in the way.
 */
export function makeInside(
  root: string,
  path: string,
  kind: 'folder' | 'file',
  { owner = { uid: 0, gid: 0 }, links = 8 }: { owner?: { uid: number; gid: number }; links?: number } = {},
): string[] {
  if (kindInside(root, path) !== undefined) return [];
  const parent = posix.dirname(path);
  const made = makeInside(root, parent, 'folder', { owner, links });
  using folder = openInside(root, parent);
  const target = `${folder.path}/${posix.basename(path)}`;
  const link = links > 0 ? readLink(target) : undefined;
  if (link !== undefined)
    return [...made, ...makeInside(root, posix.resolve(parent, link), kind, { owner, links: links - 1 })];
  if (kind === 'folder') mkdirSync(target, { mode: 0o755 });
  else writeFileSync(target, '', { flag: 'wx', mode: 0o755 });
  chownSync(target, owner.uid, owner.gid);
  return [...made, path];
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // nothing there, or no link
  }
}
