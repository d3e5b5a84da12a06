import {
  chmodSync,
  constants,
  fchmodSync,
  fchownSync,
  lchownSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { deviceNumber, makeNode, setTimes, setXattr } from '../../host/file-system-calls.ts';
import { bind, check } from '../../host/libc.ts';
import type { LayerEntry } from '../../tar/layer-entry.ts';
import { encodeName, pathInFolder } from '../../tar/names.ts';
import { Format } from '../context/quick-stat.ts';

const futimens = bind<(fd: number, times: Buffer) => number>('int futimens(int fd, const void *times)');

const OWN_UID = process.geteuid?.() ?? 0;
const OWN_GID = process.getegid?.() ?? 0;
const UMASK = process.umask();
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const NODE_FORMATS: Readonly<Record<string, number>> = { char: Format.char, block: Format.block, fifo: Format.fifo };

const times = Buffer.alloc(32);
const timeWords = new BigInt64Array(times.buffer, times.byteOffset, 4);

/** Makes a new file with the mode of `row`; the caller writes the content and then calls `finishFile`. */
export function createFile(tree: string, row: LayerEntry): number {
  return openSync(pathInFolder(tree, row.path), CREATE, row.mode & 0o777);
}

export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
}

/** Gives an open, written file the attributes of its row. The folder it is in must not pass on its group. */
export function finishFile(fd: number, tree: string, row: LayerEntry): void {
  if (row.uid !== OWN_UID || row.gid !== OWN_GID) fchownSync(fd, row.uid, row.gid);
  if ((row.mode & ~0o777) !== 0 || (row.mode & UMASK) !== 0) fchmodSync(fd, row.mode);
  setXattrs(tree, row);
  timeWords[0] = timeWords[2] = BigInt(row.mtime);
  timeWords[1] = timeWords[3] = BigInt(row.mtimeNsec);
  check(futimens(fd, times), 'futimens', row.path);
}

/** Makes a symlink, fifo or device. */
export function makeSpecial(tree: string, row: LayerEntry): void {
  const path = pathInFolder(tree, row.path);
  if (row.type === 'symlink') symlinkSync(encodeName(row.linkTarget ?? ''), path);
  else {
    const device = row.device ? deviceNumber(row.device.major, row.device.minor) : 0;
    makeNode(path, (NODE_FORMATS[row.type] ?? 0) | row.mode, device);
  }
  lchownSync(path, row.uid, row.gid);
  if (row.type !== 'symlink') chmodSync(path, row.mode);
  setTimes(path, row.mtime, row.mtimeNsec);
}

/** Makes a folder that only this process may use until `finishFolder`, and that passes nothing on to what is made in it. */
export function makeFolder(tree: string, path: string): void {
  mkdirSync(pathInFolder(tree, path), 0o700);
}

/** Gives a folder the attributes of its row, once everything is in it. */
export function finishFolder(tree: string, row: LayerEntry): void {
  const path = pathInFolder(tree, row.path);
  lchownSync(path, row.uid, row.gid);
  chmodSync(path, row.mode);
  setXattrs(tree, row);
  setTimes(path, row.mtime, row.mtimeNsec);
}

function setXattrs(tree: string, row: LayerEntry): void {
  if (!row.xattrs) return;
  for (const [name, value] of row.xattrs) setXattr(pathInFolder(tree, row.path), name, Buffer.from(value));
}
