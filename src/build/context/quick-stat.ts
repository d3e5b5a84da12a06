import { bind, lastError, type NativePath, systemError, terminated } from '../../host/libc.ts';

const statx = bind<(at: number, path: NativePath, flags: number, mask: number, into: Buffer) => number>(
  'int statx(int at, const char *path, int flags, uint32_t mask, void *into)',
);
const statxOfName = bind<(at: number, name: number, flags: number, mask: number, into: Buffer) => number>(
  'int statx(int at, uintptr_t name, int flags, uint32_t mask, void *into)',
);
const flistxattr = bind<(fd: number, list: null, size: number) => number>(
  'int64_t flistxattr(int fd, void *list, size_t size)',
);

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BTIME = 0x800;
/** STATX_BASIC_STATS and STATX_BTIME */
const WANTED = 0xfff;
const NO_ENTRY = 2;
const NOT_A_FOLDER = 20;
/** S_IFMT */
const TYPE = 0o170000;

const raw = Buffer.alloc(256);
const word = new Uint32Array(raw.buffer, raw.byteOffset, 64);
const signed = new Int32Array(raw.buffer, raw.byteOffset, 64);

/**
 * By which time a state of a file is known: that of its last change, or, for files that are made once and never changed, that of
 * their birth, which stays when names of the file come and go. Folders, and files of a file system that knows no births, have the
 * time of their last change in any case.
 */
export type Clock = 'change' | 'birth';

/**
 * What identifies a state of a file: any change of its bytes or metadata changes `changedSeconds` or
 * `changedNanoseconds`, unless it happens within the clock tick of the last change.
 */
export interface FileStamp {
  readonly inodeLow: number;
  readonly inodeHigh: number;
  /** Of the file system. */
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly size: number;
  readonly mtime: number;
  readonly mtimeNsec: number;
  readonly changedSeconds: number;
  readonly changedNanoseconds: number;
}

export interface QuickStat extends FileStamp {
  /** S_IFMT bits. */
  readonly format: number;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly major: number;
  readonly minor: number;
}

export const Format = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  fifo: 0o010000,
  char: 0o020000,
  block: 0o060000,
  socket: 0o140000,
} as const;

/** lstat in numbers only: the walk of a large context is mostly this call. Undefined when there is no such file. */
export function quickStat(path: NativePath, clock: Clock = 'change'): QuickStat | undefined {
  return quickStatIn(AT_FDCWD, path, clock);
}

/** The same of a name in an open folder, which is faster still: the kernel need not find the folder each time. */
export function quickStatIn(folder: number, path: NativePath, clock: Clock = 'change'): QuickStat | undefined {
  if (statx(folder, terminated(path), AT_SYMLINK_NOFOLLOW, WANTED, raw) === 0) return read(clock);
  const error = lastError();
  if (error === NO_ENTRY || error === NOT_A_FOLDER) return undefined;
  throw systemError(error, 'statx', path);
}

/** The same of an open file. */
export function quickStatOpen(fd: number, clock: Clock): QuickStat {
  if (statx(fd, '', AT_EMPTY_PATH, WANTED, raw) === 0) return read(clock);
  throw systemError(lastError(), 'statx');
}

/** Words of a state as `putState` writes it. */
export const STATE_WORDS = 12;
/** Where they are in a struct statx: inode, size, times of birth, change and modification, device of the file system. */
const [INODE, SIZE, BORN, CHANGED, MODIFIED, DEVICE] = [8, 10, 20, 24, 28, 34] as const;

/** Writes down a state, for `hasState`. */
export function putState(stamp: FileStamp, into: Uint32Array, at: number): void {
  const { size, mtime, changedSeconds } = stamp;
  into.set([stamp.inodeLow, stamp.inodeHigh, size, size / 2 ** 32], at);
  into.set([changedSeconds, changedSeconds / 2 ** 32, stamp.changedNanoseconds, mtime], at + 4);
  into.set([mtime / 2 ** 32, stamp.mtimeNsec, stamp.deviceMajor, stamp.deviceMinor], at + 8);
}

/**
 * Whether a name in an open folder still has the state that is written down. `name` is the address of its bytes and a NUL:
 * this is the fastest way to ask for a great many.
 */
export function hasState(folder: number, name: number, states: Uint32Array, at: number, clock: Clock): boolean {
  if (statxOfName(folder, name, AT_SYMLINK_NOFOLLOW, WANTED, raw) !== 0) return false;
  const changed = changedAt(clock);
  return (
    word[changed + 2] === states[at + 6] &&
    word[changed] === states[at + 4] &&
    word[changed + 1] === states[at + 5] &&
    word[INODE] === states[at] &&
    word[INODE + 1] === states[at + 1] &&
    word[SIZE] === states[at + 2] &&
    word[SIZE + 1] === states[at + 3] &&
    word[MODIFIED] === states[at + 7] &&
    word[MODIFIED + 1] === states[at + 8] &&
    word[MODIFIED + 2] === states[at + 9] &&
    word[DEVICE] === states[at + 10] &&
    word[DEVICE + 1] === states[at + 11]
  );
}

/** Whether an open file may have extended attributes. Far cheaper than asking for them by path. */
export function mayHaveXattrs(fd: number): boolean {
  return flistxattr(fd, null, 0) !== 0;
}

export function sameStamp(a: FileStamp, b: FileStamp): boolean {
  return (
    a.inodeLow === b.inodeLow &&
    a.inodeHigh === b.inodeHigh &&
    a.size === b.size &&
    a.mtime === b.mtime &&
    a.mtimeNsec === b.mtimeNsec &&
    a.changedSeconds === b.changedSeconds &&
    a.changedNanoseconds === b.changedNanoseconds &&
    a.deviceMajor === b.deviceMajor &&
    a.deviceMinor === b.deviceMinor
  );
}

/** The offsets are those of struct statx, in units of four bytes. https://man7.org/linux/man-pages/man2/statx.2.html */
function read(clock: Clock): QuickStat {
  const fileMode = at(7) & 0xffff;
  const changed = changedAt(clock);
  return {
    format: fileMode & TYPE,
    mode: fileMode & 0o7777,
    links: at(4),
    uid: at(5),
    gid: at(6),
    inodeLow: at(8),
    inodeHigh: at(9),
    size: at(10) + at(11) * 2 ** 32,
    changedSeconds: at(changed) + (signed[changed + 1] ?? 0) * 2 ** 32,
    changedNanoseconds: at(changed + 2),
    mtime: at(28) + (signed[29] ?? 0) * 2 ** 32,
    mtimeNsec: at(30),
    major: at(32),
    minor: at(33),
    deviceMajor: at(34),
    deviceMinor: at(35),
  };
}

/** Where the time is that the clock shows for the file that was looked at. */
function changedAt(clock: Clock): number {
  const isByBirth = clock === 'birth' && (at(7) & TYPE) === Format.file && (at(0) & STATX_BTIME) !== 0;
  return isByBirth ? BORN : CHANGED;
}

const at = (index: number): number => word[index] ?? 0;
