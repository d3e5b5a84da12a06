import { closeSync, openSync, statfsSync } from 'node:fs';
import { Failure } from '../lib/error.ts';
import { bind, check, ERRNO, lastError, type NativePath, systemError, terminated } from './libc.ts';

// None of these follows a symbolic link in the last component of the path. All of them work in worker threads.

type PathCall = (path: NativePath, ...rest: (number | bigint | NativePath | null)[]) => number;

const lsetxattr = bind<PathCall>(
  'int64_t lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
);
const fsetxattr = bind<(fd: number, name: NativePath, value: Uint8Array, size: number, flags: number) => number>(
  'int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)',
);
const lgetxattr = bind<PathCall>('int64_t lgetxattr(const char *path, const char *name, void *value, size_t size)');
const llistxattr = bind<PathCall>('int64_t llistxattr(const char *path, void *list, size_t size)');
const lremovexattr = bind<PathCall>('int lremovexattr(const char *path, const char *name)');
const mknod = bind<PathCall>('int mknod(const char *path, uint32_t mode, uint64_t device)');
const utimensat = bind<(at: number, path: NativePath, times: Buffer, flags: number) => number>(
  'int utimensat(int at, const char *path, const void *times, int flags)',
);
const futimens = bind<(fd: number, times: Buffer) => number>('int futimens(int fd, const void *times)');
const statx = bind<(at: number, path: NativePath, flags: number, mask: number, into: Buffer) => number>(
  'int statx(int at, const char *path, int flags, uint32_t mask, void *into)',
);
const renameat2 = bind<(from: number, path: NativePath, to: number, target: NativePath, flags: number) => number>(
  'int renameat2(int from, const char *path, int to, const char *target, uint32_t flags)',
);
const copyRange = bind<
  (
    from: number,
    fromOffset: Buffer | null,
    to: number,
    toOffset: Buffer | null,
    length: number,
    flags: number,
  ) => number
>('int64_t copy_file_range(int from, void *from_offset, int to, void *to_offset, size_t length, uint32_t flags)');
const syncfs = bind<(fd: number) => number>('int syncfs(int fd)');
const ioctl = bind<(fd: number, request: number, argument: Buffer) => number>(
  'int ioctl(int fd, uint64_t request, void *argument)',
);

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BASIC_STATS = 0x7ff;
const NO_DATA = ERRNO['ENODATA'] ?? 61;
const NOT_SUPPORTED = ERRNO['EOPNOTSUPP'] ?? 95;
const TOO_SMALL = ERRNO['ERANGE'] ?? 34;
const GET_FLAGS = 0x80086601;
const SET_FLAGS = 0x40086602;
const TOP_DIRECTORY = 0x00020000;
/** The kernel's bound of both a value and a list of names. */
const XATTR_LIMIT = 65536;

let scratch = Buffer.allocUnsafe(1024);
const times = Buffer.alloc(32);
const timeWords = new BigInt64Array(times.buffer, times.byteOffset, 4);
const statBuffer = Buffer.alloc(256);

/** Sets an extended attribute, whether it exists or not. */
export function setXattr(path: NativePath, name: string, value: Buffer | string): void {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  check(lsetxattr(terminated(path), terminated(name), bytes, bytes.length, 0), 'lsetxattr', path);
}

/** The same of an open file. */
export function setOpenXattr(fd: number, name: string, value: Uint8Array): void {
  check(fsetxattr(fd, terminated(name), value, value.length, 0), 'fsetxattr');
}

/** The value of an extended attribute in a fresh Buffer, or undefined when the file has none of that name. */
export function getXattr(path: NativePath, name: string): Buffer | undefined {
  const size = fill((into) => lgetxattr(terminated(path), terminated(name), into, into.length));
  if (size >= 0) return Buffer.from(scratch.subarray(0, size));
  if (-size === NO_DATA || -size === NOT_SUPPORTED) return undefined;
  throw systemError(-size, 'lgetxattr', path);
}

/** Names of all extended attributes, in the file system's order; none on a file system without them. */
export function listXattrs(path: NativePath): string[] {
  const size = fill((into) => llistxattr(terminated(path), into, into.length));
  if (size === 0 || -size === NOT_SUPPORTED) return [];
  if (size < 0) throw systemError(-size, 'llistxattr', path);
  return scratch.toString('utf8', 0, size - 1).split('\0');
}

export function removeXattr(path: NativePath, name: string): void {
  check(lremovexattr(terminated(path), terminated(name)), 'lremovexattr', path);
}

/** Makes a device, fifo or socket node. `mode` includes the S_IF type bits; the process umask applies. */
export function makeNode(path: NativePath, mode: number, device = 0): void {
  check(mknod(terminated(path), mode, device), 'mknod', path);
}

/** Makes overlayfs's mark of a deleted name: a character device 0:0. */
export function makeWhiteout(path: NativePath): void {
  makeNode(path, 0o020000, 0);
}

/** A device number as mknod takes it. Linux has 12 bits of major and 20 bits of minor number. */
export function deviceNumber(major: number, minor: number): number {
  if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff)
    throw new Failure('invalid', 'DEVICE_INVALID', `device number ${major}:${minor} is out of range`);
  return (((minor & 0xfff00) << 12) | (major << 8) | (minor & 0xff)) >>> 0;
}

/** Sets access and modification time, to the nanosecond. Seconds may be negative. */
export function setTimes(path: NativePath, seconds: number | bigint, nanoseconds: number): void {
  putTimes(seconds, nanoseconds);
  check(utimensat(AT_FDCWD, terminated(path), times, AT_SYMLINK_NOFOLLOW), 'utimensat', path);
}

/** The same of an open file or folder. */
export function setOpenTimes(fd: number, seconds: number | bigint, nanoseconds: number): void {
  putTimes(seconds, nanoseconds);
  check(futimens(fd, times), 'futimens');
}

function putTimes(seconds: number | bigint, nanoseconds: number): void {
  timeWords[0] = timeWords[2] = BigInt(seconds);
  timeWords[1] = timeWords[3] = BigInt(nanoseconds);
}

/** What lstat tells, with exact times. */
export interface FileStat {
  /** Type and permission bits. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly inode: bigint;
  readonly size: number;
  /** `major:minor` of the file system that holds the file. */
  readonly device: string;
  /** Of a device node. */
  readonly major: number;
  readonly minor: number;
  readonly modified: Instant;
  readonly changed: Instant;
}

/** A time: whole seconds since the epoch, negative before it, and 0 to 999,999,999 nanoseconds. */
export interface Instant {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** lstat with nanoseconds, 64-bit inode numbers and device numbers taken apart. */
export function statFile(path: NativePath): FileStat {
  const b = statBuffer;
  check(statx(AT_FDCWD, terminated(path), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, b), 'statx', path);
  return {
    links: b.readUInt32LE(16),
    uid: b.readUInt32LE(20),
    gid: b.readUInt32LE(24),
    mode: b.readUInt16LE(28),
    inode: b.readBigUInt64LE(32),
    size: b.readUInt32LE(40) + b.readUInt32LE(44) * 2 ** 32,
    changed: { seconds: seconds(b, 96), nanoseconds: b.readUInt32LE(104) },
    modified: { seconds: seconds(b, 112), nanoseconds: b.readUInt32LE(120) },
    major: b.readUInt32LE(128),
    minor: b.readUInt32LE(132),
    device: `${b.readUInt32LE(136)}:${b.readUInt32LE(140)}`,
  };
}

/**
 * Renames atomically. `no-replace` fails with EEXIST when `to` exists; `exchange` swaps the two, which must both exist.
 */
export function rename2(from: NativePath, to: NativePath, how: 'no-replace' | 'exchange'): void {
  const flags = how === 'no-replace' ? 1 : 2;
  check(renameat2(AT_FDCWD, terminated(from), AT_FDCWD, terminated(to), flags), 'renameat2', from);
}

/**
 * Copies `length` bytes between open files inside the kernel (a reflink where the file system can) from and to their
 * current positions. Returns the number of bytes copied, 0 at the end of the source. Throws EXDEV or EINVAL where the
 * file systems cannot; the caller then copies by hand.
 */
export function copyFileRange(from: number, to: number, length: number): number {
  return check(copyRange(from, null, to, null, length, 0), 'copy_file_range');
}

/** Writes everything of the file system that holds the path or open file to the disk. */
export function syncFileSystem(target: NativePath | number): void {
  const fd = typeof target === 'number' ? target : openSync(target, 'r');
  try {
    check(syncfs(fd), 'syncfs');
  } finally {
    if (typeof target !== 'number') closeSync(fd);
  }
}

/**
 * Tells the file system that what stands in the folders below this one has nothing to do with each other, as with home
 * folders, so that each gets a region of the disk of its own. Where others were just deleted, ext4 would pass over their
 * inodes one by one: new files in the same region cost ten times as much for minutes. Nothing happens on other file
 * systems.
 */
export function spreadSubfolders(path: string): void {
  const flags = Buffer.alloc(8);
  const fd = openSync(path, 'r');
  try {
    if (ioctl(fd, GET_FLAGS, flags) === -1) return;
    flags.writeUInt32LE((flags.readUInt32LE() | TOP_DIRECTORY) >>> 0);
    ioctl(fd, SET_FLAGS, flags);
  } finally {
    closeSync(fd);
  }
}

/** Bytes that an unprivileged user could still write on the file system of `path`. */
export function freeSpace(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** Runs an xattr call on the scratch buffer, growing it as needed; a size, or a negated error number. */
function fill(call: (into: Buffer) => number): number {
  const size = call(scratch);
  if (size >= 0) return size;
  const errno = lastError();
  if (errno !== TOO_SMALL || scratch.length >= XATTR_LIMIT) return -errno;
  scratch = Buffer.allocUnsafe(XATTR_LIMIT);
  return fill(call);
}

function seconds(buffer: Buffer, offset: number): number {
  return buffer.readUInt32LE(offset) + buffer.readInt32LE(offset + 4) * 2 ** 32;
}
