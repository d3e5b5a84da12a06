import { crc32 } from 'node:zlib';
import { identityOf, readNote, writeNote } from './memo-file.ts';
import type { FileStamp } from './quick-stat.ts';
import type { RawDigest } from './source-file.ts';

/** What is remembered of a file in a state. */
export interface RememberedFile {
  readonly digest: RawDigest;
  /** It has extended attributes. They are part of the state: setting one changes the time of change. */
  readonly hasXattrs: boolean;
}

/*
 * The file: a header of 8 words, then slots of 18 words each, an open-addressing hash table keyed by inode. The table in
 * memory is the table in the file, so opening it is one read. Little endian, as all machines are that Strake runs on.
 */
const MAGIC = 0x326d7473;
const HEADER = 8;
const SLOT = 18;
/** Where a slot's digest is, in bytes. */
const DIGEST = 40;
const SMALLEST = 1 << 10;
/** 75 MB; a larger context is remembered in part. */
const LARGEST = 1 << 20;
/** A file that was not seen during so many changes of the memo goes when room is needed. */
const FORGET_AFTER = 16;
const IN_XATTRS = 0x8000_0000;

/**
 * Remembers the digests of a folder's files, each by the file's state: device, inode, size, times of modification and
 * change to the nanosecond. A digest is remembered only when the state is older than a clock tick, so that whatever is
 * done to the file afterwards gives it another state: what is found here is never stale.
 */
export class DigestMemo {
  readonly #path: string | undefined;
  #identity: string | undefined;
  #slots = SMALLEST;
  #table: Uint32Array = new Uint32Array(SMALLEST * SLOT);
  #bytes = bytesOf(this.#table);
  #used = 0;
  /** How often the memo was saved, and this time; marks slots in use, so never 0. */
  #generation = 1;
  #changed = false;
  #isLoaded = false;
  #isFull = false;

  /**
   * The memo in the file at `path`, read when the first file is asked for; a missing or damaged one is empty, and undefined
   * remembers nothing for later.
   */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  /** The digest is a view that lasts as long as the memo. */
  get(stamp: FileStamp): RememberedFile | undefined {
    this.#load();
    const slot = this.#find(stamp.inodeLow, stamp.inodeHigh, deviceOf(stamp));
    const t = this.#table;
    if (t[slot + 3] === 0 || !matches(t, slot, stamp)) return undefined;
    t[slot + 3] = this.#generation;
    const digest = this.#bytes.subarray(4 * slot + DIGEST, 4 * (slot + SLOT));
    return { digest, hasXattrs: ((t[slot + 5] ?? 0) & IN_XATTRS) !== 0 };
  }

  /**
   * Remembers what a file had in it. `stamp` was taken after `since` (milliseconds since the epoch) and before the file was
   * read; nothing is remembered when the state is so young at `since` that a later change could leave it as it is.
   */
  put(stamp: FileStamp, file: RememberedFile, since: number): void {
    if (!isSettled(stamp, since) || !fitsSlot(stamp)) return;
    this.#load();
    if (!this.#hasRoom(1)) return;
    const slot = this.#find(stamp.inodeLow, stamp.inodeHigh, deviceOf(stamp));
    const t = this.#table;
    if (t[slot + 3] === 0) this.#used++;
    t[slot] = stamp.inodeLow;
    t[slot + 1] = stamp.inodeHigh;
    t[slot + 2] = deviceOf(stamp);
    t[slot + 3] = this.#generation;
    t[slot + 4] = stamp.size >>> 0;
    t[slot + 5] = Math.floor(stamp.size / 2 ** 32) | (file.hasXattrs ? IN_XATTRS : 0);
    t[slot + 6] = stamp.mtime;
    t[slot + 7] = stamp.mtimeNsec;
    t[slot + 8] = stamp.changedSeconds;
    t[slot + 9] = stamp.changedNanoseconds;
    this.#bytes.set(file.digest, 4 * slot + DIGEST);
    this.#changed = true;
  }

  /** Writes the memo back when anything new was remembered; the file changes whole or not at all. */
  save(): void {
    if (!this.#changed || this.#path === undefined) return;
    if (this.#identity !== identityOf(this.#path)) this.#adopt(new DigestMemo(this.#path));
    const head = new Uint32Array(HEADER);
    const rows = bytesOf(this.#table);
    head.set([MAGIC, this.#slots, this.#used, this.#generation, crc32(rows)]);
    head[HEADER - 1] = crc32(bytesOf(head.subarray(0, HEADER - 1)));
    if (!writeNote(this.#path, [bytesOf(head), rows])) return;
    this.#changed = false;
    this.#identity = identityOf(this.#path);
  }

  #load(): void {
    if (this.#isLoaded) return;
    this.#isLoaded = true;
    if (this.#path === undefined) return;
    const identity = identityOf(this.#path);
    const bytes = readNote(this.#path);
    if (identity === undefined || bytes === undefined || bytes.byteOffset % 4 !== 0) return;
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    const [magic, slots = 0, used = 0, generation = 0, rowsCrc] = words;
    const table = words.subarray(HEADER);
    const isWhole =
      magic === MAGIC &&
      words[HEADER - 1] === crc32(bytesOf(words.subarray(0, HEADER - 1))) &&
      table.length === slots * SLOT &&
      rowsCrc === crc32(bytesOf(table));
    if (!isWhole) return;
    this.#identity = identity;
    this.#slots = slots;
    this.#used = used;
    this.#generation = generation >= 0x7fffffff ? 1 : generation + 1;
    this.#table = table;
    this.#bytes = bytesOf(table);
  }

  /** Where the file's slot is, or the free one where it would be. */
  #find(inodeLow: number, inodeHigh: number, device: number): number {
    const t = this.#table;
    const hash = Math.imul(inodeLow ^ Math.imul(inodeHigh ^ device, 0x85ebca6b), 0x9e3779b1) >>> 0;
    for (let index = Math.floor((hash * this.#slots) / 2 ** 32); ; index++) {
      if (index === this.#slots) index = 0;
      const slot = index * SLOT;
      if (t[slot + 3] === 0) return slot;
      if (t[slot] === inodeLow && t[slot + 1] === inodeHigh && t[slot + 2] === device) return slot;
    }
  }

  /**
   * Whether there is room for so many files more. Makes it when there is not: forgets what was not seen for long, and makes the
   * table two and a quarter times as large as what stays and comes.
   */
  #hasRoom(more: number): boolean {
    if ((this.#used + more - 1) * 3 <= this.#slots * 2) return true;
    if (this.#isFull) return false;
    const keep = (seen: number) => seen !== 0 && seen + FORGET_AFTER > this.#generation && seen <= this.#generation;
    let kept = 0;
    for (let slot = 3; slot < this.#table.length; slot += SLOT) if (keep(this.#table[slot] ?? 0)) kept++;
    const slots = Math.min(LARGEST, Math.max(SMALLEST, Math.ceil((kept + more - 1) * 2.25)));
    this.#isFull = kept * 5 > slots * 3;
    if (!this.#isFull) this.#rebuild(slots, keep);
    return !this.#isFull;
  }

  #rebuild(slots: number, keep: (seen: number) => boolean): void {
    const old = this.#table;
    this.#table = new Uint32Array(slots * SLOT);
    this.#bytes = bytesOf(this.#table);
    this.#slots = slots;
    this.#used = 0;
    for (let from = 0; from < old.length; from += SLOT) if (keep(old[from + 3] ?? 0)) this.#place(old, from);
  }

  #place(source: Uint32Array, from: number): void {
    const slot = this.#find(source[from] ?? 0, source[from + 1] ?? 0, source[from + 2] ?? 0);
    if (this.#table[slot + 3] !== 0) return;
    this.#table.set(source.subarray(from, from + SLOT), slot);
    this.#used++;
  }

  /** Takes over what another build has saved in the meantime. */
  #adopt(other: DigestMemo): void {
    other.#load();
    this.#generation = Math.max(this.#generation, other.#generation);
    this.#hasRoom(other.#used); // all at once: they come in the order of their hashes, and would pile up in a table that is too small
    for (let from = 0; from < other.#table.length; from += SLOT) {
      if (other.#table[from + 3] === 0) continue;
      if (!this.#hasRoom(1)) return;
      this.#place(other.#table, from);
    }
  }
}

/**
 * Whether the last change is so old that a change after `since` must get another time. The kernel's clock of file times
 * ticks every 1 to 10 ms; a file system that keeps whole seconds, or pairs of them, shows it by a round time.
 */
export function isSettled(stamp: FileStamp, since: number): boolean {
  const isCoarse = stamp.changedNanoseconds === 0;
  const changed = stamp.changedSeconds * 1000 + stamp.changedNanoseconds / 1e6;
  return changed + (isCoarse ? 2500 : 50) < since;
}

/** Times before 1970 or after 2106 and sizes of 128 TiB and more are not worth a slot. */
function fitsSlot({ mtime, changedSeconds, size }: FileStamp): boolean {
  const isWord = (value: number) => value >= 0 && value < 2 ** 32;
  return isWord(mtime) && isWord(changedSeconds) && size < 2 ** 47;
}

function matches(t: Uint32Array, slot: number, stamp: FileStamp): boolean {
  return (
    t[slot + 8] === stamp.changedSeconds &&
    t[slot + 9] === stamp.changedNanoseconds &&
    t[slot + 6] === stamp.mtime &&
    t[slot + 7] === stamp.mtimeNsec &&
    t[slot + 4] === stamp.size >>> 0 &&
    ((t[slot + 5] ?? 0) & ~IN_XATTRS) === Math.floor(stamp.size / 2 ** 32)
  );
}

/** The kernel's own device numbers: 12 bits of major, 20 of minor. */
function deviceOf(stamp: FileStamp): number {
  return ((stamp.deviceMajor << 20) | (stamp.deviceMinor & 0xfffff)) >>> 0;
}

const bytesOf = (words: Uint32Array): Buffer => Buffer.from(words.buffer, words.byteOffset, words.byteLength);
