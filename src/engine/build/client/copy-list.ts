import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { systemCode } from '../../../lib/error.ts';
import type { ClientEntry } from './client-folder.ts';

/** Longer lists are not kept: they would take more memory than looking at the files takes time. */
const MOST_BYTES = 64 << 20;
const BLOCK = 1 << 18;
/** Of the totals before the entries. */
const HEAD = 16;
/** Two words before an entry: lengths of it as its client wrote it, and of what it says. */
const RECORD = 8;
/** Set in the first word of an entry that has to be looked at each time. */
const LOOK = 0x8000_0000;

/** What a list has to know of an entry that is in the copy. */
export type ListedEntry = Pick<ClientEntry, 'path' | 'type' | 'size' | 'modified'>;

/**
 * What a copy of a client's folder holds: the entries that it was made from, in their order and as the client wrote them. What
 * comes again with the same bytes at the same place is there as it is, and is not even read: nobody else writes to a copy. The
 * list exists only while nothing is done to its copy.
 */
export class CopyList {
  /** Of all files. */
  readonly size: number;
  readonly files: number;
  readonly #path: string | undefined;
  readonly #bytes: Buffer;
  /** The entry that is expected. */
  #at = HEAD;

  /** The list at `path`; an empty one when there is none. */
  constructor(path: string | undefined) {
    this.#path = path;
    this.#bytes = (path === undefined ? undefined : readBytes(path)) ?? Buffer.alloc(HEAD);
    this.size = this.#bytes.readDoubleLE(0);
    this.files = this.#bytes.readDoubleLE(8);
  }

  get isEmpty(): boolean {
    return this.#bytes.length === HEAD;
  }

  /** All has passed. */
  get isOver(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Where the next entry stands; see `records`. */
  get place(): number {
    return this.#at;
  }

  /** Whether the next entry is this one; then the one after it is next. */
  passes(raw: Uint8Array): boolean {
    if (this.isOver || this.#bytes.readUInt32LE(this.#at) !== raw.length) return false;
    const start = this.#at + RECORD;
    if (this.#bytes.compare(raw, 0, raw.length, start, start + raw.length) !== 0) return false;
    this.#at = this.#next(this.#at);
    return true;
  }

  /** The next entry; undefined at the end. */
  peek(): ListedEntry | undefined {
    return this.isOver ? undefined : this.#read(this.#at);
  }

  skip(): void {
    this.#at = this.#next(this.#at);
  }

  /** The entries from a place up to the next one, and each as it stands in the list. */
  *records(from: number): Generator<{ readonly entry: ListedEntry; readonly record: Uint8Array }> {
    for (let at = from; at < this.#at; at = this.#next(at))
      yield { entry: this.#read(at), record: this.#bytes.subarray(at, this.#next(at)) };
  }

  /** The copy changes from now on. */
  drop(): void {
    if (this.#path !== undefined) rmSync(this.#path, { force: true });
  }

  #next(at: number): number {
    const words = (this.#bytes.readUInt32LE(at) & ~LOOK) + this.#bytes.readUInt32LE(at + 4);
    return at + RECORD + words;
  }

  #read(at: number): ListedEntry {
    const start = at + RECORD + (this.#bytes.readUInt32LE(at) & ~LOOK);
    const [type = '', size, modified = '0', path = ''] = this.#bytes
      .toString('utf8', start, this.#next(at))
      .split('\0');
    return { type: type as ClientEntry['type'], size: Number(size), modified: BigInt(modified), path }; // as `add` wrote it
  }
}

/** Writes down what a copy holds, when it has become what these entries say. */
export class CopyListMaker {
  readonly #full: Uint8Array[] = [];
  #block = Buffer.alloc(0);
  #fill = 0;
  #length = 0;

  /** `raw` is the entry as its client wrote it. */
  add(entry: ClientEntry, raw: Uint8Array): void {
    const { type, size, modified, path } = entry;
    const words = Buffer.from([type, size, modified, path].join('\0'));
    const record = this.#room(RECORD + raw.length + words.length);
    record.writeUInt32LE((raw.length | (isPlain(entry) ? 0 : LOOK)) >>> 0, 0);
    record.writeUInt32LE(words.length, 4);
    record.set(raw, RECORD);
    record.set(words, RECORD + raw.length);
  }

  /** An entry as it stands in an earlier list. */
  addRecord(record: Uint8Array): void {
    this.#room(record.length).set(record);
  }

  /** On a disk without space there is no list. */
  write(path: string, { size, files }: { readonly size: number; readonly files: number }): void {
    if (this.#length > MOST_BYTES) return;
    const head = Buffer.alloc(HEAD);
    head.writeDoubleLE(size, 0);
    head.writeDoubleLE(files, 8);
    try {
      writeFileSync(`${path}.new`, Buffer.concat([head, ...this.#full, this.#block.subarray(0, this.#fill)]), {
        mode: 0o600,
      });
      renameSync(`${path}.new`, path);
    } catch (error) {
      rmSync(`${path}.new`, { force: true });
      if (!['ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '')) throw error;
    }
  }

  #room(length: number): Buffer {
    this.#length += length;
    if (this.#fill + length > this.#block.length) {
      if (this.#length > MOST_BYTES) this.#full.length = 0;
      else this.#full.push(this.#block.subarray(0, this.#fill));
      this.#block = Buffer.allocUnsafeSlow(Math.max(BLOCK, length));
      this.#fill = 0;
    }
    this.#fill += length;
    return this.#block.subarray(this.#fill - length, this.#fill);
  }
}

/** Whether an entry is all that it says: it has no attributes, and is not another name of a file that may have changed. */
function isPlain({ type, link, xattrs }: ClientEntry): boolean {
  return xattrs.size === 0 && (type !== 'file' || link === '');
}

function readBytes(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
