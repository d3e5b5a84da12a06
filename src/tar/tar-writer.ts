import { Failure } from '../lib/error.ts';
import { BLOCK, checksumOf } from './header-block.ts';
import type { EntryHeader, EntryType } from './layer-entry.ts';
import { encodeName } from './names.ts';
import { encodePaxRecords, XATTR_PREFIX } from './pax.ts';
import { opaquePath, whiteoutPath } from './whiteout.ts';

/** Longest content that `reserve` gives room for. */
export const RESERVE_LIMIT = 1 << 20;

/**
 * Writes the canonical tar of a layer: the same entries always give the same bytes. Entries come in the order of
 * `compareEntries`; names of directories end in a slash, the root is `./`; whiteouts are empty files with owner, mode
 * and time 0; times are whole seconds; user and group names are empty; a PAX header is added only for what ustar cannot
 * hold: names that are long or not ASCII, large numbers, times outside of 1970-2242, extended attributes.
 */
export class TarWriter {
  readonly #sink: (bytes: Buffer) => void;
  readonly #buffer = Buffer.allocUnsafeSlow(RESERVE_LIMIT + 8 * BLOCK);
  #fill = 0;
  #flushed = 0;
  #left = 0;
  #padding = 0;

  /** `sink` gets the bytes in pieces of about 1 MiB, as views that are valid during the call only. */
  constructor(sink: (bytes: Buffer) => void) {
    this.#sink = sink;
  }

  /** Bytes of the tar so far. */
  get position(): number {
    return this.#flushed + this.#fill;
  }

  /** Writes an entry's header; returns its place. `entry.size` bytes of content must follow for a file. */
  begin(entry: EntryHeader): number {
    if (this.#left > 0) throw new Error(`tar: ${this.#left} bytes of content are missing before "${entry.path}"`);
    const offset = this.position;
    const name = archiveName(entry);
    const records = extraRecords(entry, name);
    if (records.length > 0) {
      const payload = encodePaxRecords(records);
      const base = asciiOf(name.replace(/\/$/, '').slice(name.lastIndexOf('/', name.length - 2) + 1));
      this.#block(`PaxHeaders/${base}`.slice(0, 100), 'x', PAX_HEADER, payload.length);
      this.#put(payload);
      this.#zeros(paddingOf(payload.length));
    }
    this.#block(name, FLAGS[entry.type], entry, entry.size);
    if (entry.type === 'file') {
      this.#left = entry.size;
      this.#padding = paddingOf(entry.size);
    }
    return offset;
  }

  /** The next bytes of content. */
  data(bytes: Uint8Array): void {
    this.#put(bytes);
    this.#took(bytes.length);
  }

  /** Room for the next `length` bytes of content (at most RESERVE_LIMIT), which the caller must fill before the next call. */
  reserve(length: number): Buffer {
    if (this.#fill + length > this.#buffer.length) this.#flush();
    const room = this.#buffer.subarray(this.#fill, this.#fill + length);
    this.#fill += length;
    // The padding is put by the next call, because a flush now would pass on bytes that are not filled yet.
    this.#left -= length;
    if (this.#left < 0) throw new Error('tar: more content than the header says');
    return room;
  }

  /** Writes the end of the archive and passes on what is left. */
  end(): void {
    if (this.#left > 0) throw new Error(`tar: ${this.#left} bytes of content are missing at the end`);
    this.#zeros(this.#takePadding() + 2 * BLOCK);
    this.#flush();
  }

  #took(length: number): void {
    this.#left -= length;
    if (this.#left < 0) throw new Error('tar: more content than the header says');
  }

  #takePadding(): number {
    const padding = this.#padding;
    this.#padding = 0;
    return padding;
  }

  #block(name: string, flag: string, entry: EntryHeader, size: number): void {
    this.#zeros(this.#takePadding());
    if (this.#fill + BLOCK > this.#buffer.length) this.#flush();
    const block = this.#buffer;
    const at = this.#fill;
    block.fill(0, at, at + BLOCK);
    writeName(block, at, name);
    octal(block, at + 100, 7, entry.mode & 0o7777);
    octal(block, at + 108, 7, fits(entry.uid, OWNER_LIMIT));
    octal(block, at + 116, 7, fits(entry.gid, OWNER_LIMIT));
    octal(block, at + 124, 11, fits(size, SIZE_LIMIT));
    octal(block, at + 136, 11, fits(entry.mtime, SIZE_LIMIT));
    block[at + 156] = flag.charCodeAt(0);
    if (entry.linkTarget !== undefined) block.write(asciiOf(entry.linkTarget), at + 157, 100, 'latin1');
    block.write('ustar\x0000', at + 257, 8, 'latin1');
    octal(block, at + 329, 7, entry.device?.major ?? 0);
    octal(block, at + 337, 7, entry.device?.minor ?? 0);
    octal(block, at + 148, 6, checksumOf(block, at));
    block[at + 155] = 0x20;
    this.#fill += BLOCK;
  }

  #put(bytes: Uint8Array): void {
    if (this.#fill + bytes.length > this.#buffer.length) this.#flush();
    if (bytes.length > this.#buffer.length) {
      this.#sink(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
      this.#flushed += bytes.length;
    } else {
      this.#buffer.set(bytes, this.#fill);
      this.#fill += bytes.length;
    }
  }

  #zeros(length: number): void {
    if (length === 0) return;
    if (this.#fill + length > this.#buffer.length) this.#flush();
    this.#buffer.fill(0, this.#fill, this.#fill + length);
    this.#fill += length;
  }

  #flush(): void {
    if (this.#fill > 0) this.#sink(this.#buffer.subarray(0, this.#fill));
    this.#flushed += this.#fill;
    this.#fill = 0;
  }
}

/** The entry's name in the tar. */
function archiveName(entry: EntryHeader): string {
  switch (entry.type) {
    case 'directory':
      return entry.path === '' ? './' : `${entry.path}/`;
    case 'whiteout':
      return whiteoutPath(entry.path);
    case 'opaque':
      return opaquePath(entry.path);
    default:
      return entry.path;
  }
}

/** PAX records for what the header block cannot hold, sorted by keyword. */
function extraRecords(entry: EntryHeader, name: string): [string, Uint8Array][] {
  const records: [string, Uint8Array][] = [];
  const number = (keyword: string, value: number, limit: number) => {
    if (value < 0 || value > limit) records.push([keyword, Buffer.from(String(value))]);
  };
  if (entry.xattrs)
    for (const attribute of [...entry.xattrs.keys()].sort()) {
      const value = entry.xattrs.get(attribute);
      if (value) records.push([XATTR_PREFIX + attribute, value]);
    }
  number('gid', entry.gid, OWNER_LIMIT);
  const link = entry.linkTarget;
  if (link !== undefined && (link.length > 100 || !isAsciiText(link))) records.push(['linkpath', encodeName(link)]);
  number('mtime', entry.mtime, SIZE_LIMIT);
  if (!isAsciiText(name) || splitAt(name) < 0) records.push(['path', encodeName(name)]);
  number('size', entry.size, SIZE_LIMIT);
  number('uid', entry.uid, OWNER_LIMIT);
  return records;
}

/**
 * Where to cut a name between the fields prefix (155 bytes) and name (100 bytes): 0 when it needs no prefix, else the
 * place of the slash that is left out, -1 when there is none.
 */
function splitAt(name: string): number {
  if (name.length <= 100) return 0;
  const slash = name.lastIndexOf('/', Math.min(155, name.length - 2));
  return slash > 0 && name.length - slash - 1 <= 100 ? slash : -1;
}

function writeName(block: Buffer, at: number, name: string): void {
  const ascii = asciiOf(name);
  const cut = ascii === name ? splitAt(name) : 0;
  if (cut > 0) {
    block.write(name.slice(cut + 1), at, 100, 'latin1');
    block.write(name.slice(0, cut), at + 345, 155, 'latin1');
  } else block.write(ascii, at, 100, 'latin1');
}

/** Writes `digits` octal digits; the byte after them stays NUL. */
function octal(block: Buffer, at: number, digits: number, value: number): void {
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    block[i] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
  if (rest > 0) throw new Failure('unsupported', 'TAR_FIELD', `the number ${value} does not fit into a tar header`);
}

const fits = (value: number, limit: number): number => (value < 0 || value > limit ? 0 : value);
const isAsciiText = (text: string): boolean => !/[^\x01-\x7f]/.test(text);
const asciiOf = (text: string): string => (isAsciiText(text) ? text : text.replace(/[^\x01-\x7f]/g, ''));
const paddingOf = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

const OWNER_LIMIT = 0o7777777;
const SIZE_LIMIT = 0o77777777777;
const PAX_HEADER: EntryHeader = {
  path: '',
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0,
  mtimeNsec: 0,
};
const FLAGS: Readonly<Record<EntryType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
  whiteout: '0',
  opaque: '0',
};
