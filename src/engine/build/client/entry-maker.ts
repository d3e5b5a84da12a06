import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  linkSync,
  openSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { posix } from 'node:path';
import { Format, type QuickStat, quickStatIn } from '../../../build/context/quick-stat.ts';
import {
  getXattr,
  listXattrs,
  makeNode,
  setOpenTimes,
  setOpenXattr,
  setTimes,
} from '../../../host/file-system-calls.ts';
import { findInside, openInside } from '../../../host/inside-root.ts';
import { type Arrival, ArrivingFile, refused } from './arriving-file.ts';
import type { ClientEntry, ContentSink } from './client-folder.ts';

export interface EntryMakerOptions {
  /** Takes away what stands at a path. */
  readonly discard: (path: string) => void;
  /** Files that are there may have extended attributes. */
  readonly hasXattrs: boolean;
  /** Hears that a file is about to have some. */
  readonly noteXattrs: () => void;
}

/** Where an entry is made. */
export interface EntryPlace {
  /** By the open folder. */
  readonly path: string;
  /** Hears that something else is there from now on. */
  readonly folder: { isChanged: boolean };
}

/**
 * Makes the entries of a client's list, folders aside, unless they are there as they are listed. Contents come later, in any order:
 * a file gets its time when it is whole, so that what a killed host leaves is another file than the list names.
 */
export class EntryMaker implements Disposable {
  /** Of the files that were listed. */
  size = 0;
  files = 0;
  /** Bytes that came. */
  received = 0;
  readonly #root: string;
  readonly #options: EntryMakerOptions;
  /** Paths of files whose content has not come yet. They are not there. */
  readonly #coming = new Set<string>();
  readonly #open = new Set<ArrivingFile>();
  /** Further names of such files. */
  readonly #late: { readonly path: string; readonly target: string }[] = [];
  /** The folder that got content last. */
  #place: { readonly path: string; readonly fd: number } | undefined;
  readonly #arrival: Arrival = {
    open: (file, { path, mode }) => {
      this.#open.add(file);
      return openSync(this.#placeFor(path), NEW_FILE, mode & 0o777);
    },
    came: (bytes) => {
      this.received += bytes;
    },
    finish: (fd, entry) => {
      this.#finish(fd, entry);
      this.#coming.delete(entry.path);
    },
    closed: (file) => this.#open.delete(file),
  };

  constructor(root: string, options: EntryMakerOptions) {
    this.#root = root;
    this.#options = options;
  }

  /** Makes an entry at a place where `before` is; gives the way for its content when that is wanted. */
  put(entry: ClientEntry, place: EntryPlace, before: QuickStat | undefined): ContentSink | undefined {
    switch (entry.type) {
      case 'symlink':
        if (before?.format === Format.symlink && isTimed(before, entry) && readlinkSync(place.path) === entry.link)
          return undefined;
        if (entry.link === '' || entry.link.includes('\0')) throw refused(entry.path, 'it leads nowhere');
        this.clear(place, before);
        symlinkSync(entry.link, place.path);
        setTimes(place.path, ...timeOf(entry));
        return undefined;
      case 'fifo':
        if (before?.format === Format.fifo && before.mode === entry.mode && isTimed(before, entry)) return undefined;
        this.clear(place, before);
        makeNode(place.path, Format.fifo | 0o600);
        chmodSync(place.path, entry.mode);
        setTimes(place.path, ...timeOf(entry));
        return undefined;
      case 'file':
        return entry.link === '' ? this.#putFile(entry, place, before) : this.#link(entry, place, before);
      case 'device':
        throw refused(entry.path, 'it is a device');
      default:
        throw refused(entry.path, 'its type is unknown');
    }
  }

  /** Makes room for something new. */
  clear({ folder, path }: EntryPlace, before: QuickStat | undefined): void {
    folder.isChanged = true;
    this.remove(path, before);
  }

  remove(path: string, before: QuickStat | undefined): void {
    if (before?.format === Format.directory) this.#options.discard(path);
    else if (before) unlinkSync(path);
  }

  /** All contents have come: makes the names that waited for them. */
  complete(): void {
    for (const { path, target } of this.#late) {
      using folder = findInside(this.#root, posix.dirname(target));
      if (folder) linkSync(`${folder.path}/${posix.basename(target)}`, this.#placeFor(path));
    }
    this.#leavePlace();
  }

  [Symbol.dispose](): void {
    for (const file of this.#open) file.close();
    this.#leavePlace();
  }

  #putFile(entry: ClientEntry, place: EntryPlace, before: QuickStat | undefined): ContentSink | undefined {
    const { mode, size, path } = entry;
    if (size < 0) throw refused(path, `its size is ${size}`);
    this.files++;
    this.size += size;
    const xattrs = keptXattrs(entry);
    const isSame =
      before?.format === Format.file && before.mode === mode && before.size === size && isTimed(before, entry);
    if (isSame && this.#hasXattrs(place.path, xattrs)) return undefined;
    this.clear(place, before);
    if (size > 0) {
      this.#coming.add(path);
      return new ArrivingFile(entry, this.#arrival);
    }
    const fd = openSync(place.path, NEW_FILE, mode & 0o777);
    try {
      this.#finish(fd, entry);
    } finally {
      closeSync(fd);
    }
    return undefined;
  }

  #finish(fd: number, entry: ClientEntry): void {
    if ((entry.mode & ~0o777) !== 0 || (entry.mode & UMASK) !== 0) fchmodSync(fd, entry.mode);
    const xattrs = keptXattrs(entry);
    if (xattrs.length > 0) this.#options.noteXattrs();
    for (const [name, value] of xattrs) setOpenXattr(fd, name, value);
    setOpenTimes(fd, ...timeOf(entry)); // last of all: from now on it is the file of the list
  }

  /** Where to make what has that path, in a folder that is kept open for the next. */
  #placeFor(path: string): string {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (this.#place?.path !== parent) {
      this.#leavePlace();
      this.#place = { path: parent, fd: openFolderIn(this.#root, parent) };
    }
    return `/proc/self/fd/${this.#place.fd}/${posix.basename(path)}`;
  }

  #leavePlace(): void {
    if (this.#place) closeSync(this.#place.fd);
    this.#place = undefined;
  }

  /** Another name of a file that was listed before. */
  #link(entry: ClientEntry, place: EntryPlace, before: QuickStat | undefined): undefined {
    if (this.#coming.has(entry.link)) {
      this.files++;
      this.clear(place, before);
      this.#late.push({ path: entry.path, target: entry.link });
      return;
    }
    using folder = findInside(this.#root, posix.dirname(entry.link));
    const name = posix.basename(entry.link);
    const target = folder && quickStatIn(folder.fd, name);
    if (!target || target.format !== Format.file)
      throw refused(entry.path, `it is a link to "${entry.link}", which is no file before it`);
    this.files++;
    if (before?.inodeLow === target.inodeLow && before.inodeHigh === target.inodeHigh) return;
    this.clear(place, before);
    linkSync(`${folder.path}/${name}`, place.path);
  }

  #hasXattrs(path: string, wanted: readonly (readonly [string, Uint8Array])[]): boolean {
    if (!this.#options.hasXattrs) return wanted.length === 0;
    const there = listXattrs(path).filter(isKeptXattr);
    return (
      there.length === wanted.length &&
      wanted.every(([name, value]) => getXattr(path, name)?.equals(Buffer.from(value)) === true)
    );
  }
}

const UMASK = process.umask();
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Opens a folder at a path below `root`; no link leads out. */
export function openFolderIn(root: string, path: string): number {
  return path === '' ? openFolder(root) : openInside(root, path, FOLDER).fd;
}

export function openFolder(path: string): number {
  return openSync(path, FOLDER);
}

const PER_SECOND = 1_000_000_000n;

/** Attributes that may be in an image and mean nothing to this host. */
function keptXattrs({ xattrs }: ClientEntry): [string, Uint8Array][] {
  return xattrs.size === 0 ? [] : [...xattrs].filter(([name]) => isKeptXattr(name));
}

const isKeptXattr = (name: string): boolean => name === 'security.capability' || name.startsWith('user.');

/** Whether a file has the time of an entry. */
export function isTimed(stat: QuickStat, { modified }: Pick<ClientEntry, 'modified'>): boolean {
  return BigInt(stat.mtime) * PER_SECOND + BigInt(stat.mtimeNsec) === modified;
}

/** The time of an entry as system calls take it. */
export function timeOf({ modified }: Pick<ClientEntry, 'modified'>): [seconds: bigint, nanoseconds: number] {
  const nanoseconds = ((modified % PER_SECOND) + PER_SECOND) % PER_SECOND;
  return [(modified - nanoseconds) / PER_SECOND, Number(nanoseconds)];
}
