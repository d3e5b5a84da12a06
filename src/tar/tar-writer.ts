import { Failure } from '../lib/error.ts';
import { GatherBuffer } from './gather-buffer.ts';
import { BLOCK, checksumOf } from './header-block.ts';
import type { EntryHeader, EntryType } from './layer-entry.ts';
import { encodeName } from './names.ts';
import { encodePaxRecords, XATTR_PREFIX } from './pax.ts';
import { opaquePath, whiteoutPath } from './whiteout.ts';

/**
 * Writes the canonical tar of a layer: the same entries always give the same bytes. Entries come in the order of
 * `compareEntries`; names of directories end in a slash, the root is `./`; whiteouts are empty files with owner, mode
 * and time 0; times are whole seconds; user and group names are empty; a PAX header is added only for what ustar cannot
 * hold: names that are long or not ASCII, large numbers, times outside of 1970-2242, extended attributes.
 */
export class TarWriter {
  readonly #out: GatherBuffer;
  /** Bytes of content that are still to come for the entry, and the padding that follows them. */
  #left = 0;
  #padding = 0;

  /** `sink` gets the bytes in pieces of up to 1 MiB, valid during the call only unless they are `given`. */
  constructor(sink: (bytes: Buffer) => void, pieces: 'lent' | 'given' = 'lent') {
    this.#out = new GatherBuffer(sink, pieces);
  }

  /** Writes an entry's header; returns its place in the tar. For a file, `entry.size` bytes of content must follow. */
  begin(entry: EntryHeader): number {
    this.#endEntry();
    const offset = this.#out.position;
    const name = archiveName(entry);
    const records = extraRecords(entry, name);
    if (records.length > 0) {
      const payload = encodePaxRecords(records);
      const base = asciiOf(name.replace(/\/$/, '').slice(name.lastIndexOf('/', name.length - 2) + 1));
      writeBlock(this.#out.reserve(BLOCK), `PaxHeaders/${base}`.slice(0, 100), 'x', PAX_HEADER, payload.length);
      this.#out.put(payload);
      this.#out.zeros(paddingOf(payload.length));
    }
    writeBlock(this.#out.reserve(BLOCK), name, FLAGS[entry.type], entry, entry.size);
    if (entry.type === 'file') {
      this.#left = entry.size;
      this.#padding = paddingOf(entry.size);
    }
    return offset;
  }

  /** The next bytes of content. */
  data(bytes: Uint8Array): void {
    this.#take(bytes.length);
    this.#out.put(bytes);
  }

  /** Room for the next `length` bytes of content, at most RESERVE_LIMIT, which the caller fills before the next call. */
  reserve(length: number): Buffer {
    this.#take(length);
    return this.#out.reserve(length);
  }

  /** Passes on what there is; the caller puts the next `length` bytes of content behind it itself. */
  leave(length: number): void {
    this.#take(length);
    this.#out.skip(length);
  }

  /** Writes the end of the archive and passes on what is left; returns the length of the tar. */
  end(): number {
    this.#endEntry();
    this.#out.zeros(2 * BLOCK);
    this.#out.flush();
    return this.#out.position;
  }

  #take(length: number): void {
    this.#left -= length;
    if (this.#left < 0) throw new Error('tar: more content than the header says');
  }

  /** The padding waits until here because content that was reserved may not be filled earlier. */
  #endEntry(): void {
    if (this.#left > 0) throw new Error(`tar: ${this.#left} bytes of content are missing`);
    this.#out.zeros(this.#padding);
    this.#padding = 0;
  }
}

function writeBlock(block: Buffer, name: string, flag: string, entry: EntryHeader, size: number): void {
  block.fill(0);
  writeName(block, name);
  octal(block, 100, 7, entry.mode & 0o7777);
  octal(block, 108, 7, fits(entry.uid, OWNER_LIMIT));
  octal(block, 116, 7, fits(entry.gid, OWNER_LIMIT));
  octal(block, 124, 11, fits(size, SIZE_LIMIT));
  octal(block, 136, 11, fits(entry.mtime, SIZE_LIMIT));
  block[156] = flag.charCodeAt(0);
  if (entry.linkTarget !== undefined) block.write(asciiOf(entry.linkTarget), 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 8, 'latin1');
  octal(block, 329, 7, entry.device?.major ?? 0);
  octal(block, 337, 7, entry.device?.minor ?? 0);
  octal(block, 148, 6, checksumOf(block, 0));
  block[155] = 0x20;
}

/** The entry's name in the tar. */
function archiveName(entry: EntryHeader): string {
  switch (entry.type) {
    case 'directory':
      return entry.path === '' ? './' : entry.path.endsWith('/') ? entry.path : `${entry.path}/`;
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
      // The keyword of a record ends at its first equals sign.
      if (attribute.includes('='))
        throw new Failure('unsupported', 'XATTR_NAME', `"${entry.path}": a tar has no place for "${attribute}"`);
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

function writeName(block: Buffer, name: string): void {
  const ascii = asciiOf(name);
  const cut = ascii === name ? splitAt(name) : 0;
  if (cut > 0) {
    block.write(name.slice(cut + 1), 0, 100, 'latin1');
    block.write(name.slice(0, cut), 345, 155, 'latin1');
  } else block.write(ascii, 0, 100, 'latin1');
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
