import { createHash, type Hash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
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
import type { RawDigest } from '../context/source-file.ts';
import type { FileSink } from './write-ring.ts';

const futimens = bind<(fd: number, times: Buffer) => number>('int futimens(int fd, const void *times)');

const OWN_UID = process.geteuid?.() ?? 0;
const OWN_GID = process.getegid?.() ?? 0;
const UMASK = process.umask();
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const NODE_FORMATS: Readonly<Record<string, number>> = { char: Format.char, block: Format.block, fifo: Format.fifo };

const NO_DIGEST = new Uint8Array(32);
const times = Buffer.alloc(32);
const timeWords = new BigInt64Array(times.buffer, times.byteOffset, 4);

/** What a file has besides name and content. */
export interface FileAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly mtimeNsec: number;
}

/** Makes files in a tree. The folders that they go into must be there, and must not pass on their group. */
export class FileWriter implements FileSink {
  readonly #tree: Buffer;
  /** The file whose content is coming. */
  #open: { readonly fd: number; readonly attributes: FileAttributes; readonly hash: Hash | undefined } | undefined;
  /** The file at work, for messages. */
  current = '';

  constructor(tree: string) {
    this.#tree = Buffer.from(`${tree}/`);
  }

  file(path: Buffer, attributes: FileAttributes, content: Uint8Array): void {
    const fd = this.#create(path, attributes);
    try {
      writeAll(fd, content);
      finishFile(fd, attributes);
    } finally {
      closeSync(fd);
    }
  }

  open(path: Buffer, attributes: FileAttributes, needsDigest: boolean): void {
    const hash = needsDigest ? createHash('sha256') : undefined;
    this.#open = { fd: this.#create(path, attributes), attributes, hash };
  }

  chunk(content: Uint8Array): void {
    const { fd, hash } = this.#opened();
    hash?.update(content);
    writeAll(fd, content);
  }

  close(): RawDigest {
    const { fd, attributes, hash } = this.#opened();
    finishFile(fd, attributes);
    closeSync(fd);
    this.#open = undefined;
    return hash?.digest() ?? NO_DIGEST;
  }

  /** Closes what a failure left open. */
  [Symbol.dispose](): void {
    if (this.#open) closeSync(this.#open.fd);
    this.#open = undefined;
  }

  #create(path: Buffer, { mode }: FileAttributes): number {
    const full = Buffer.concat([this.#tree, path]);
    this.current = path.toString();
    return openSync(full, CREATE, mode & 0o777);
  }

  #opened() {
    if (!this.#open) throw new Error('no file is open');
    return this.#open;
  }
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

/** Sets a row's extended attributes; the times of modification stay. */
export function setXattrs(tree: string, row: LayerEntry): void {
  if (!row.xattrs) return;
  for (const [name, value] of row.xattrs) setXattr(pathInFolder(tree, row.path), name, Buffer.from(value));
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
}

function finishFile(fd: number, { mode, uid, gid, mtime, mtimeNsec }: FileAttributes): void {
  if (uid !== OWN_UID || gid !== OWN_GID) fchownSync(fd, uid, gid);
  if ((mode & ~0o777) !== 0 || (mode & UMASK) !== 0) fchmodSync(fd, mode);
  timeWords[0] = timeWords[2] = BigInt(mtime);
  timeWords[1] = timeWords[3] = BigInt(mtimeNsec);
  check(futimens(fd, times), 'futimens');
}
