import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
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
import { Failure } from '../../../lib/error.ts';
import { type Arrival, ArrivingFile, refused } from './arriving-file.ts';
import type { ClientEntry, ContentSink, FileSink } from './client-folder.ts';
import { CopyList, CopyListMaker } from './copy-list.ts';
import { compareNames, comparePaths } from './walk-order.ts';

const MOST_ENTRIES = 1 << 20;
const MOST_LEVELS = 200;
const LONGEST_NAME = 255;
const PER_SECOND = 1_000_000_000n;

export interface FolderWriterOptions {
  /** For messages. */
  readonly label: string;
  /** Takes away what stands at a path. */
  readonly discard: (path: string) => void;
  /** Files that are there may have extended attributes. */
  readonly hasXattrs: boolean;
  /** Hears that a file is about to have some. */
  readonly noteXattrs: () => void;
  /** Where the list of what the folder holds is kept; undefined to keep none. */
  readonly list: string | undefined;
}

/** A folder of the list that is not yet over. It is opened when something in it may be another than the copy has. */
interface Level {
  readonly path: string;
  readonly modified: bigint | undefined;
  /** It is as the list of the copy has it; so is what is in it, as long as the folder is not opened. */
  readonly isKept: boolean;
  /** Listed until now. */
  readonly names: Set<string>;
  open: OpenLevel | undefined;
  /** The name listed last. */
  last: string;
  isChanged: boolean;
}

interface OpenLevel {
  readonly fd: number;
  /** Names that are there and were not listed yet. */
  readonly left: Set<string>;
}

/**
 * Makes a folder of this host what a list of its client says. Only files of another type, size, mode, time or link target than
 * those that are there are asked for; what is not listed goes. A file gets its time when it is whole: what a killed host leaves
 * is another file than the list names. The list is hostile: all is done by name in open folders, so nothing leads out.
 */
export class FolderWriter implements FileSink, Disposable {
  /** Of the files that were listed. */
  size = 0;
  files = 0;
  /** Bytes that came. */
  received = 0;
  readonly #root: string;
  readonly #options: FolderWriterOptions;
  readonly #levels: Level[];
  /** Paths of files whose content has not come yet. They are not there. */
  readonly #coming = new Set<string>();
  readonly #open = new Set<ArrivingFile>();
  /** Further names of such files. */
  readonly #late: { readonly path: string; readonly target: string }[] = [];
  /** Folders that get their time when nothing comes into them any more. */
  readonly #touched: { readonly path: string; readonly modified: bigint }[] = [];
  /** The folder that got content last. */
  #place: { readonly path: string; readonly fd: number } | undefined;
  readonly #before: CopyList;
  readonly #now = new CopyListMaker();
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
  #entries = 0;
  /** Up to where entries that passed were taken note of. */
  #noted: number;
  #isChanged = false;

  /** `root` is nobody else's until this is disposed. */
  constructor(root: string, options: FolderWriterOptions) {
    this.#root = root;
    this.#options = options;
    this.#before = new CopyList(options.list);
    this.#noted = this.#before.place;
    this.#levels = [level('', undefined, !this.#before.isEmpty)];
  }

  passes(raw: Uint8Array): boolean {
    const isThere = this.#before.passes(raw);
    if (isThere) this.#count();
    return isThere;
  }

  add(entry: ClientEntry, raw: Uint8Array): ContentSink | undefined {
    this.#count();
    this.#change();
    this.#leaveOut(entry.path);
    const { folder, name } = this.#placeOf(entry.path);
    folder.last = name;
    if (this.#options.list !== undefined) this.#now.add(entry, raw);
    if (entry.type === 'socket' || entry.type === 'other') return undefined;
    const { fd, left } = this.#opened(folder);
    folder.names.add(name);
    const before = left.delete(name) ? quickStatIn(fd, name) : undefined;
    return this.#put(entry, { folder, name, path: `/proc/self/fd/${fd}/${name}` }, before);
  }

  listed(): void {
    if (!this.#isChanged && this.#before.isOver && !this.#before.isEmpty) {
      this.#levels.length = 0;
      this.size = this.#before.size;
      this.files = this.#before.files;
      return;
    }
    this.#change();
    this.#leaveOut();
    while (this.#levels.length > 0) this.#leave();
  }

  /** All has come: the folder becomes what was listed, which is known from now on. */
  complete(): void {
    for (const { path, target } of this.#late) {
      using folder = findInside(this.#root, posix.dirname(target));
      if (folder) linkSync(`${folder.path}/${posix.basename(target)}`, this.#placeFor(path));
    }
    this.#leavePlace();
    for (const { path, modified } of this.#touched) {
      using folder = openInside(this.#root, path, FOLDER);
      setOpenTimes(folder.fd, ...timeOf({ modified }));
    }
    if (this.#options.list !== undefined && this.#isChanged) this.#now.write(this.#options.list, this);
  }

  [Symbol.dispose](): void {
    for (const { open } of this.#levels.splice(0)) if (open) closeSync(open.fd);
    for (const file of this.#open) file.close();
    this.#leavePlace();
  }

  #count(): void {
    if (++this.#entries > MOST_ENTRIES)
      throw new Failure(
        'exhausted',
        'CONTEXT_TOO_LARGE',
        `the folder ${this.#options.label} has more than ${MOST_ENTRIES} files`,
        {
          hint: 'name what the build does not need in .dockerignore',
        },
      );
  }

  /** Something in the folder may be another than before: takes note of all that passed until here. */
  #change(): void {
    if (!this.#isChanged) this.#before.drop();
    this.#isChanged = true;
    for (const { entry, record } of this.#before.records(this.#noted)) {
      const { folder, name } = this.#placeOf(entry.path);
      folder.last = name;
      folder.names.add(name);
      folder.open?.left.delete(name);
      if (entry.type === 'directory') this.#levels.push(level(entry.path, entry.modified, true));
      if (entry.type === 'file') {
        this.files++;
        this.size += entry.size;
      }
      this.#now.addRecord(record);
    }
    this.#noted = this.#before.place;
  }

  /** What was listed before and is not now, up to a path: the folders that it was in are looked at when they are over. */
  #leaveOut(path?: string): void {
    for (let old = this.#before.peek(); old; old = this.#before.peek()) {
      const order = path === undefined ? -1 : comparePaths(old.path, path);
      if (order > 0) break;
      this.#before.skip();
      if (order === 0) break;
      const parent = old.path.slice(0, Math.max(0, old.path.lastIndexOf('/')));
      const folder = this.#levels.find((one) => one.path === parent); // none of a folder that is gone itself
      if (folder) this.#opened(folder);
    }
    this.#noted = this.#before.place;
  }

  #opened(folder: Level): OpenLevel {
    if (folder.open) return folder.open;
    const fd = this.#openFolder(folder.path);
    folder.open = { fd, left: new Set(readdirSync(`/proc/self/fd/${fd}`).filter((name) => !folder.names.has(name))) };
    return folder.open;
  }

  #put(entry: ClientEntry, place: Place, before: QuickStat | undefined): ContentSink | undefined {
    switch (entry.type) {
      case 'directory':
        this.#enter(entry, place, before);
        return undefined;
      case 'symlink':
        if (before?.format === Format.symlink && isTimed(before, entry) && readlinkSync(place.path) === entry.link)
          return undefined;
        if (entry.link === '' || entry.link.includes('\0')) throw refused(entry.path, 'it leads nowhere');
        this.#clear(place, before);
        symlinkSync(entry.link, place.path);
        setTimes(place.path, ...timeOf(entry));
        return undefined;
      case 'fifo':
        if (before?.format === Format.fifo && before.mode === entry.mode && isTimed(before, entry)) return undefined;
        this.#clear(place, before);
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

  #putFile(entry: ClientEntry, place: Place, before: QuickStat | undefined): ContentSink | undefined {
    const { mode, size, path } = entry;
    if (size < 0) throw refused(path, `its size is ${size}`);
    this.files++;
    this.size += size;
    const xattrs = keptXattrs(entry);
    const isSame =
      before?.format === Format.file && before.mode === mode && before.size === size && isTimed(before, entry);
    if (isSame && this.#hasXattrs(place.path, xattrs)) return undefined;
    this.#clear(place, before);
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
      this.#place = { path: parent, fd: this.#openFolder(parent) };
    }
    return `/proc/self/fd/${this.#place.fd}/${posix.basename(path)}`;
  }

  #leavePlace(): void {
    if (this.#place) closeSync(this.#place.fd);
    this.#place = undefined;
  }

  #openFolder(path: string): number {
    return path === '' ? openFolder(this.#root) : openInside(this.#root, path, FOLDER).fd;
  }

  /** Another name of a file that was listed before. */
  #link(entry: ClientEntry, place: Place, before: QuickStat | undefined): undefined {
    if (this.#coming.has(entry.link)) {
      this.files++;
      this.#clear(place, before);
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
    this.#clear(place, before);
    linkSync(`${folder.path}/${name}`, place.path);
  }

  #enter(entry: ClientEntry, place: Place, before: QuickStat | undefined): void {
    if (this.#levels.length > MOST_LEVELS) throw refused(entry.path, `it is more than ${MOST_LEVELS} folders deep`);
    const isThere = before?.format === Format.directory;
    if (!isThere) {
      this.#clear(place, before);
      mkdirSync(place.path, { mode: 0o700 });
    }
    const fd = openFolder(place.path);
    const left = new Set(isThere ? readdirSync(`/proc/self/fd/${fd}`) : []);
    const entered = level(entry.path, entry.modified, false);
    entered.open = { fd, left };
    this.#levels.push(entered);
    if (before?.mode !== entry.mode || !isThere) fchmodSync(fd, entry.mode);
    entered.isChanged = !isThere || !isTimed(before, entry);
  }

  /** The last folder is over: what was not listed in it goes, and it gets its time. */
  #leave(): void {
    const over = this.#levels.at(-1);
    if (!over) return;
    if (!over.open && over.isKept) {
      this.#levels.pop(); // nothing in it was touched, and nothing has gone
      return;
    }
    const { fd, left } = this.#opened(over);
    this.#levels.pop();
    try {
      for (const name of left) this.#remove(`/proc/self/fd/${fd}/${name}`, quickStatIn(fd, name));
      const { path, modified } = over;
      if (modified !== undefined && (over.isChanged || left.size > 0)) this.#touched.push({ path, modified });
    } finally {
      closeSync(fd);
    }
  }

  /** Makes room for something new. */
  #clear({ folder, path }: Place, before: QuickStat | undefined): void {
    folder.isChanged = true;
    this.#remove(path, before);
  }

  #remove(path: string, before: QuickStat | undefined): void {
    if (before?.format === Format.directory) this.#options.discard(path);
    else if (before) unlinkSync(path);
  }

  /** The open folder that an entry belongs to. */
  #placeOf(path: string): { folder: Level; name: string } {
    const slash = path.lastIndexOf('/');
    const parent = path.slice(0, Math.max(0, slash));
    const name = path.slice(slash + 1);
    if (name === '' || name === '.' || name === '..' || slash === 0 || name.includes('\0'))
      throw refused(path, 'it is not a path below the folder');
    if (Buffer.byteLength(name) > LONGEST_NAME) throw refused(path, 'its name is too long');
    while (this.#levels.length > 1 && this.#levels.at(-1)?.path !== parent) this.#leave();
    const folder = this.#levels.at(-1);
    if (folder?.path !== parent) throw refused(path, 'its folder was not listed before it');
    if (folder.last !== '' && compareNames(folder.last, name) >= 0)
      throw refused(path, `it is out of order: "${folder.last}" came before it`);
    return { folder, name };
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

interface Place {
  readonly folder: Level;
  readonly name: string;
  /** By the open folder. */
  readonly path: string;
}

const UMASK = process.umask();
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

function level(path: string, modified: bigint | undefined, isKept: boolean): Level {
  return { path, modified, isKept, names: new Set(), open: undefined, last: '', isChanged: false };
}

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

function openFolder(path: string): number {
  return openSync(path, FOLDER);
}

/** Attributes that may be in an image and mean nothing to this host. */
function keptXattrs({ xattrs }: ClientEntry): [string, Uint8Array][] {
  return xattrs.size === 0 ? [] : [...xattrs].filter(([name]) => isKeptXattr(name));
}

const isKeptXattr = (name: string): boolean => name === 'security.capability' || name.startsWith('user.');

function isTimed(stat: QuickStat, { modified }: Pick<ClientEntry, 'modified'>): boolean {
  return BigInt(stat.mtime) * PER_SECOND + BigInt(stat.mtimeNsec) === modified;
}

function timeOf({ modified }: Pick<ClientEntry, 'modified'>): [seconds: bigint, nanoseconds: number] {
  const nanoseconds = ((modified % PER_SECOND) + PER_SECOND) % PER_SECOND;
  return [(modified - nanoseconds) / PER_SECOND, Number(nanoseconds)];
}
