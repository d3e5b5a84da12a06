import { closeSync, fchmodSync, mkdirSync, readdirSync } from 'node:fs';
import { Format, type QuickStat, quickStatIn } from '../../../build/context/quick-stat.ts';
import { setOpenTimes } from '../../../host/file-system-calls.ts';
import { Failure } from '../../../lib/error.ts';
import { refused } from './arriving-file.ts';
import type { ClientEntry, ContentSink, FileSink } from './client-folder.ts';
import { CopyList, CopyListMaker } from './copy-list.ts';
import {
  EntryMaker,
  type EntryMakerOptions,
  type EntryPlace,
  isTimed,
  openFolder,
  openFolderIn,
  timeOf,
} from './entry-maker.ts';
import { compareNames, comparePaths } from './walk-order.ts';

const MOST_ENTRIES = 1 << 20;
const MOST_LEVELS = 200;
const LONGEST_NAME = 255;

export interface FolderWriterOptions extends EntryMakerOptions {
  /** For messages. */
  readonly label: string;
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
 * those that are there are asked for; what is not listed goes. The list is hostile: all is done by name in open folders, so
 * nothing leads out.
 */
export class FolderWriter implements FileSink, Disposable {
  readonly #root: string;
  readonly #options: FolderWriterOptions;
  readonly #levels: Level[];
  /** Folders that get their time when nothing comes into them any more. */
  readonly #touched: { readonly path: string; readonly modified: bigint }[] = [];
  readonly #maker: EntryMaker;
  readonly #before: CopyList;
  readonly #now = new CopyListMaker();
  #entries = 0;
  /** Up to where entries that passed were taken note of. */
  #noted: number;
  #isChanged = false;

  /** `root` is nobody else's until this is disposed. */
  constructor(root: string, options: FolderWriterOptions) {
    this.#root = root;
    this.#options = options;
    this.#maker = new EntryMaker(root, options);
    this.#before = new CopyList(options.list);
    this.#noted = this.#before.place;
    this.#levels = [level('', undefined, !this.#before.isEmpty)];
  }

  /** Bytes of the files that were listed. */
  get size(): number {
    return this.#maker.size;
  }

  /** How many they are. */
  get files(): number {
    return this.#maker.files;
  }

  /** Bytes that came. */
  get received(): number {
    return this.#maker.received;
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
    const place = { folder, path: `/proc/self/fd/${fd}/${name}` };
    if (entry.type !== 'directory') return this.#maker.put(entry, place, before);
    this.#enter(entry, place, before);
    return undefined;
  }

  listed(): void {
    if (!this.#isChanged && this.#before.isOver && !this.#before.isEmpty) {
      this.#levels.length = 0;
      this.#maker.size = this.#before.size;
      this.#maker.files = this.#before.files;
      return;
    }
    this.#change();
    this.#leaveOut();
    while (this.#levels.length > 0) this.#leave();
  }

  /** All has come: the folder becomes what was listed, which is known from now on. */
  complete(): void {
    this.#maker.complete();
    for (const { path, modified } of this.#touched) {
      const fd = openFolderIn(this.#root, path);
      try {
        setOpenTimes(fd, ...timeOf({ modified }));
      } finally {
        closeSync(fd);
      }
    }
    if (this.#options.list !== undefined && this.#isChanged) this.#now.write(this.#options.list, this);
  }

  [Symbol.dispose](): void {
    for (const { open } of this.#levels.splice(0)) if (open) closeSync(open.fd);
    this.#maker[Symbol.dispose]();
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
        this.#maker.files++;
        this.#maker.size += entry.size;
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
    const fd = openFolderIn(this.#root, folder.path);
    folder.open = { fd, left: new Set(readdirSync(`/proc/self/fd/${fd}`).filter((name) => !folder.names.has(name))) };
    return folder.open;
  }

  #enter(entry: ClientEntry, place: EntryPlace, before: QuickStat | undefined): void {
    if (this.#levels.length > MOST_LEVELS) throw refused(entry.path, `it is more than ${MOST_LEVELS} folders deep`);
    const isThere = before?.format === Format.directory;
    if (!isThere) {
      this.#maker.clear(place, before);
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
      for (const name of left) this.#maker.remove(`/proc/self/fd/${fd}/${name}`, quickStatIn(fd, name));
      const { path, modified } = over;
      if (modified !== undefined && (over.isChanged || left.size > 0)) this.#touched.push({ path, modified });
    } finally {
      closeSync(fd);
    }
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
}

function level(path: string, modified: bigint | undefined, isKept: boolean): Level {
  return { path, modified, isKept, names: new Set(), open: undefined, last: '', isChanged: false };
}
