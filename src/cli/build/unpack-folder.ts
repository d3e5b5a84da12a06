import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { Failure } from '../../lib/error.ts';
import type { EntryHeader } from '../../tar/layer-entry.ts';
import { encodeName, pathInFolder } from '../../tar/names.ts';
import { type TarHandler, TarReader } from '../../tar/tar-reader.ts';

export interface UnpackedFolder {
  /** Device nodes and pipes, which only root could make. */
  readonly leftOut: number;
}

export interface UnpackOptions {
  /** The name under which an entry, or the file that a hard link shares, is written. */
  readonly rename?: (path: string) => string;
  /** Give everything the owner that the tar says, as root can. */
  readonly owners?: boolean;
}

/**
 * Writes the files of a tar into a folder, as the calling user: modes (without setuid and setgid) and times are those of the
 * tar, owners are not unless that is asked for. What is there already stays, unless the tar has something of that name; a folder that is
 * there is never removed. Nothing is written outside of the folder, whatever the tar says and whatever links lie in it.
 */
export async function unpackFolder(
  source: AsyncIterable<Buffer>,
  folder: string,
  options: UnpackOptions = {},
): Promise<UnpackedFolder> {
  mkdirSync(folder, { recursive: true });
  using unpacking = new Unpacking(realpathSync(folder), options);
  const reader = new TarReader(unpacking);
  for await (const chunk of source) reader.push(chunk);
  reader.end();
  return unpacking.finish();
}

class Unpacking implements TarHandler, Disposable {
  readonly #root: string;
  /** Folders that were seen to be real ones on the way from the root. They are never removed, so they stay it. */
  readonly #folders = new Set(['']);
  /** Files of this tar. */
  readonly #files = new Set<string>();
  readonly #attributes: (() => void)[] = [];
  #open: { readonly file: number; readonly entry: EntryHeader } | undefined;
  #leftOut = 0;

  readonly #rename: (path: string) => string;
  readonly #owners: boolean;

  constructor(root: string, { rename = (path) => path, owners = false }: UnpackOptions) {
    this.#root = root;
    this.#rename = rename;
    this.#owners = owners;
  }

  entry(entry: EntryHeader): void {
    const path = safePath(this.#rename(entry.path));
    if (path === '') return;
    const place = pathInFolder(this.#root, path);
    const slash = path.lastIndexOf('/');
    this.#folder(slash < 0 ? '' : path.slice(0, slash));
    switch (entry.type) {
      case 'directory':
        this.#folder(path);
        chmodSync(place, 0o700); // until everything is in it
        if (this.#owners) lchownSync(place, entry.uid, entry.gid);
        this.#attributes.push(() => setFolder(place, entry));
        return;
      case 'file': {
        this.#clear(path);
        const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
        this.#open = { file: openSync(place, flags, 0o600), entry };
        this.#files.add(path);
        return;
      }
      case 'symlink':
        this.#clear(path);
        symlinkSync(encodeName(entry.linkTarget ?? ''), place);
        if (this.#owners) lchownSync(place, entry.uid, entry.gid);
        lutimesSync(place, entry.mtime, entry.mtime);
        return;
      case 'hardlink': {
        const target = safePath(this.#rename(entry.linkTarget ?? ''));
        if (!this.#files.has(target))
          throw refused(path, `is a link to "${target}", which is no file of the archive before it`);
        this.#clear(path);
        linkSync(pathInFolder(this.#root, target), place);
        this.#files.add(path);
        return;
      }
      default:
        this.#leftOut++;
    }
  }

  data(bytes: Buffer): void {
    if (!this.#open) return;
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#open.file, bytes, at);
  }

  hole(length: number): void {
    for (let left = length; left > 0; left -= ZEROS.length) this.data(ZEROS.subarray(0, left));
  }

  close(): void {
    if (!this.#open) return;
    const { file, entry } = this.#open;
    if (this.#owners) fchownSync(file, entry.uid, entry.gid);
    fchmodSync(file, entry.mode & 0o777);
    futimesSync(file, entry.mtime, entry.mtime);
    this[Symbol.dispose]();
  }

  raw(): void {}

  /** Gives folders their modes and times, which the writing into them would change: the inner ones first. */
  finish(): UnpackedFolder {
    for (const set of this.#attributes.reverse()) set();
    return { leftOut: this.#leftOut };
  }

  [Symbol.dispose](): void {
    if (this.#open) closeSync(this.#open.file);
    this.#open = undefined;
  }

  /** Sees to it that there is a real folder at `path`; a link or file in its place gives way. */
  #folder(path: string): void {
    if (this.#folders.has(path)) return;
    const slash = path.lastIndexOf('/');
    this.#folder(slash < 0 ? '' : path.slice(0, slash));
    const place = pathInFolder(this.#root, path);
    const there = lstatSync(place, { throwIfNoEntry: false });
    if (there && !there.isDirectory()) rmSync(place);
    if (!there?.isDirectory()) mkdirSync(place);
    this.#files.delete(path);
    this.#folders.add(path);
  }

  /** Makes room for something that is no folder. */
  #clear(path: string): void {
    const place = pathInFolder(this.#root, path);
    const there = lstatSync(place, { throwIfNoEntry: false });
    if (there?.isDirectory()) throw refused(path, 'would replace a folder that is there');
    if (there) rmSync(place);
    this.#files.delete(path);
  }
}

const ZEROS = Buffer.alloc(64 << 10);

function setFolder(place: string | Buffer, entry: EntryHeader): void {
  const file = openSync(place, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    fchmodSync(file, entry.mode & 0o1777);
  } finally {
    closeSync(file);
  }
  utimesSync(place, entry.mtime, entry.mtime);
}

/** A path of the archive without `./` and slashes around it. */
function safePath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || path.startsWith('/')) throw refused(path, 'leads out of the folder');
  return parts.join('/');
}

function refused(path: string, why: string): Failure {
  return new Failure('invalid', 'OUTPUT_ENTRY', `output: "${path}" ${why}`);
}
