import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { posix } from 'node:path';
import { deviceNumber, freeSpace, makeNode, setTimes, setXattr } from '../../../host/file-system-calls.ts';
import { Failure, messageOf, systemCode } from '../../../lib/error.ts';
import { diskFailure } from '../../../store/disk.ts';
import { decompress } from '../../../tar/compression.ts';
import { encodeName } from '../../../tar/names.ts';
import { type TarEntry, type TarHandler, TarReader } from '../../../tar/tar-reader.ts';
import { isOverlayXattr } from '../../../tar/whiteout.ts';
import { joined, MountedTree, type TreeParts, type TreePlace } from './mounted-tree.ts';
import { removeTree } from './remove-tree.ts';

export interface UnpackRequest {
  readonly tree: TreeParts;
  /** Real path of the folder that the archive is unpacked into. */
  readonly real: string;
  /** Owner of everything, instead of what the archive says. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Refuse to put a folder over something else, or something else over a folder. */
  readonly noOverwriteDirNonDir: boolean;
}

const ENTRY_LIMIT = 2_000_000;
const NODE_TYPES: Readonly<Record<string, number>> = { char: 0o020000, block: 0o060000, fifo: 0o010000 };

/**
 * Unpacks a tar, compressed in any way that is known, into a folder of a container. For a worker thread: blocks. Whatever
 * the archive says and the container does meanwhile, nothing outside of the tree is touched. What was unpacked before a
 * Failure stays. The rules and words are those of Docker's daemon.
 */
export async function unpackInto(
  source: AsyncIterable<Uint8Array>,
  request: UnpackRequest,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  let current = request.real;
  try {
    using unpacking = new Unpacking(request, (path) => {
      current = path;
    });
    const reader = new TarReader(unpacking);
    for await (const chunk of decompress(source, { ...options, limit: unpacking.limit })) reader.push(chunk);
    reader.end();
    unpacking.finish();
  } catch (error) {
    throw unpackFailure(diskFailure(error, request.real), current);
  }
}

class Unpacking implements TarHandler, Disposable {
  /** Bytes of free space: more than that an archive, and its sparse files, cannot have. */
  readonly limit: number;
  readonly #request: UnpackRequest;
  readonly #onEntry: (path: string) => void;
  readonly #tree: MountedTree;
  /** The folder used last: entries come in the order of folders. */
  #recent: { readonly real: string; readonly place: TreePlace } | undefined;
  readonly #folders: { readonly real: string; readonly entry: TarEntry }[] = [];
  #open: { readonly file: number; readonly path: string | Buffer; readonly entry: TarEntry } | undefined;
  #position = 0;
  #expanded = 0;
  #entries = 0;

  /** `onEntry` hears where each entry belongs. */
  constructor(request: UnpackRequest, onEntry: (path: string) => void) {
    this.#request = request;
    this.#onEntry = onEntry;
    this.#tree = new MountedTree(request.tree);
    using place = this.#tree.folder(request.real);
    this.limit = freeSpace(`${place.path}`);
  }

  entry(entry: TarEntry): void {
    if (++this.#entries > ENTRY_LIMIT)
      throw new Failure('exhausted', 'TOO_MANY_ENTRIES', `the archive has more than ${ENTRY_LIMIT} entries`);
    const { real: root } = this.#request;
    const target = this.#inside(root, entry.path, () => `"${entry.path}" is outside of "${root}"`);
    this.#onEntry(target);
    if (target === root) return; // the folder itself keeps what it is
    const real = posix.join(this.#parent(posix.dirname(target)), posix.basename(target));
    const path = joined(this.#folder(posix.dirname(real)).path, posix.basename(real));
    if (this.#makeRoom(real, path, entry)) this.#make(real, path, entry, target);
  }

  data(bytes: Buffer): void {
    if (!this.#open) return;
    const { file } = this.#open;
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, this.#position + at);
    this.#position += bytes.length;
  }

  hole(length: number): void {
    this.#expanded += length;
    if (this.#expanded > this.limit)
      throw new Failure('exhausted', 'EXPANDED_TOO_LARGE', `sparse files expand to more than ${this.limit} bytes`);
    this.#position += length;
  }

  close(): void {
    if (!this.#open) return;
    const { file, path, entry } = this.#open;
    const { uid, gid } = this.#ownerOf(entry);
    ftruncateSync(file, this.#position); // a hole at the end
    fchownSync(file, uid, gid);
    fchmodSync(file, entry.mode);
    this.#closeFile();
    setXattrs(path, entry);
    setTimes(path, entry.mtime, entry.mtimeNsec);
  }

  raw(): void {}

  /** Gives folders their times, which the writing into them has changed. */
  finish(): void {
    for (const { real, entry } of this.#folders.reverse()) {
      using place = this.#tree.place(real);
      setTimes(place.path, entry.mtime, entry.mtimeNsec);
    }
  }

  [Symbol.dispose](): void {
    this.#closeFile();
    this.#forgetRecent();
  }

  /** Where a name of the archive belongs, links not yet followed; `refusal` when that is not in the folder. */
  #inside(folder: string, name: string, refusal: (target: string) => string): string {
    const { real } = this.#request;
    const target = posix.join(folder, name).replace(/(?<=.)\/$/, '');
    if (target === real || target.startsWith(real === '/' ? '/' : `${real}/`)) return target;
    throw new Failure('invalid', 'TAR_ENTRY_REFUSED', refusal(target));
  }

  /** The real path of a folder; what is missing on the way is made. */
  #parent(folder: string): string {
    try {
      return this.#tree.resolve(folder, { missing: 'throw' });
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
    const real = posix.join(this.#parent(posix.dirname(folder)), posix.basename(folder));
    const path = joined(this.#folder(posix.dirname(real)).path, posix.basename(real));
    mkdirSync(path, { mode: 0o755 });
    lchownSync(path, 0, 0);
    return real;
  }

  #folder(real: string): TreePlace {
    if (this.#recent?.real === real) return this.#recent.place;
    this.#forgetRecent();
    const place = this.#tree.folder(real);
    this.#recent = { real, place };
    return place;
  }

  #forgetRecent(): void {
    this.#recent?.place[Symbol.dispose]();
    this.#recent = undefined;
  }

  /** Removes what the entry replaces. False when nothing is to be made: what is mounted there keeps its attributes. */
  #makeRoom(real: string, path: string | Buffer, entry: TarEntry): boolean {
    const isFolder = entry.type === 'directory';
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (this.#tree.isMount(real) && isFolder) return false;
    if (!there || (there.isDirectory() && isFolder)) return true;
    if (this.#request.noOverwriteDirNonDir && there.isDirectory() !== isFolder) {
      const [old, new_] = isFolder ? ['non-directory', 'directory'] : ['directory', 'non-directory'];
      throw new Failure(
        'invalid',
        'TAR_ENTRY_REFUSED',
        `cannot overwrite ${old} "${real}" with ${new_} "${this.#request.real}"`,
      );
    }
    if (this.#tree.holdsMount(real))
      throw new Failure('conflict', 'PATH_BUSY', `unlinkat ${real}: device or resource busy`);
    removeTree(path);
    return true;
  }

  #make(real: string, path: string | Buffer, entry: TarEntry, target: string): void {
    switch (entry.type) {
      case 'directory':
        if (!lstatSync(path, { throwIfNoEntry: false })) mkdirSync(path, { mode: 0o700 });
        this.#finishNode(path, entry);
        this.#folders.push({ real, entry });
        return;
      case 'file': {
        const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
        this.#open = { file: openSync(path, flags, 0o600), path, entry };
        this.#position = 0;
        return;
      }
      case 'symlink': {
        const { linkTarget = '' } = entry;
        // Nothing here would follow it; Docker refuses it all the same, and so do its clients on the way back.
        this.#inside(posix.dirname(target), linkTarget, () => `invalid symlink "${target}" -> "${linkTarget}"`);
        symlinkSync(encodeName(linkTarget), path);
        break;
      }
      case 'hardlink':
        this.#link(path, entry);
        return;
      default: {
        const { major, minor } = entry.device ?? { major: 0, minor: 0 };
        if (entry.type === 'char' && major === 0 && minor === 0)
          throw new Failure('invalid', 'TAR_ENTRY_REFUSED', `"${entry.path}" is the device 0:0, which overlayfs uses`);
        makeNode(path, (NODE_TYPES[entry.type] ?? 0) | 0o600, deviceNumber(major, minor));
      }
    }
    this.#finishNode(path, entry);
    setTimes(path, entry.mtime, entry.mtimeNsec);
  }

  #link(path: string | Buffer, { linkTarget = '' }: TarEntry): void {
    const target = this.#inside(this.#request.real, linkTarget, (to) => `invalid hardlink "${to}" -> "${linkTarget}"`);
    const folder = this.#tree.resolve(posix.dirname(target), { missing: 'throw' });
    using place = this.#tree.place(posix.join(folder, posix.basename(target)));
    linkSync(place.path, path);
  }

  #finishNode(path: string | Buffer, entry: TarEntry): void {
    const { uid, gid } = this.#ownerOf(entry);
    lchownSync(path, uid, gid);
    if (entry.type !== 'symlink') setMode(path, entry.mode);
    setXattrs(path, entry);
  }

  #ownerOf(entry: TarEntry): { readonly uid: number; readonly gid: number } {
    return this.#request.owner ?? entry;
  }

  #closeFile(): void {
    if (this.#open) closeSync(this.#open.file);
    this.#open = undefined;
  }
}

/** chmod that does not follow a link which a running container has put there meanwhile. */
function setMode(path: string | Buffer, mode: number): void {
  const file = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    if (!fstatSync(file).isSymbolicLink()) chmodSync(`/proc/self/fd/${file}`, mode);
  } finally {
    closeSync(file);
  }
}

const O_PATH = 0o10000000;

function setXattrs(path: string | Buffer, { xattrs }: TarEntry): void {
  for (const [name, value] of xattrs ?? []) if (!isOverlayXattr(name)) setXattr(path, name, Buffer.from(value));
}

/** System errors that the archive or the container causes, as Failures; `path` is what was being made. */
function unpackFailure(error: unknown, path: string): unknown {
  const detail = { cause: error };
  const [, reason, call] = /^\w+: ([^,]+), (\w+)/.exec(messageOf(error)) ?? [];
  const text = `${call ?? 'make'} ${path}: ${reason ?? messageOf(error)}`;
  switch (systemCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ELOOP':
    case 'ENAMETOOLONG':
    case 'EEXIST':
      return new Failure('invalid', 'TAR_ENTRY_REFUSED', text, detail);
    case 'EBUSY':
    case 'EROFS':
      return new Failure('conflict', 'PATH_BUSY', text, detail);
    case 'EPERM':
    case 'EACCES':
    case 'EOPNOTSUPP':
    case 'ENOTSUP':
      return new Failure('unsupported', 'TAR_ENTRY_UNSUPPORTED', `the file system refuses ${text}`, detail);
    default:
      return error;
  }
}
