import { ExtensionHeaders } from './extension-headers.ts';
import { BLOCK, type HeaderBlock, isZeroBlock, parseHeaderBlock, parseNumber } from './header-block.ts';
import type { EntryHeader, EntryType } from './layer-entry.ts';
import { decodeName } from './names.ts';
import { type PaxRecords, parsePaxNumber, parsePaxTime, XATTR_PREFIX } from './pax.ts';
import { checkRuns, parseOldRuns, RunMapParser, type SparseRun, sparseFromPax } from './sparse.ts';
import { invalidTar } from './tar-failure.ts';

/** An entry as the archive states it: path and link target are not cleaned yet and may be hostile. */
export interface TarEntry extends EntryHeader {
  /** Place of the first header block, extension headers included. */
  readonly offset: number;
}

/**
 * What a reader calls, in the order of the archive. Buffers are views of the caller's chunk: valid during the call only.
 * For each entry: `entry`, then `data` and `hole` in the order of the content, then `close`.
 */
export interface TarHandler {
  entry(entry: TarEntry): void;
  /** The next bytes of the content. */
  data(bytes: Buffer): void;
  /** The next `length` bytes of the content are zeros that the archive does not hold (sparse files). */
  hole(length: number): void;
  close(): void;
  /** All that is not content: headers, padding, sparse maps, the end of the archive. With `data`, every byte passes. */
  raw(bytes: Buffer): void;
}

type State = 'header' | 'extension' | 'old-runs' | 'run-map' | 'content' | 'padding' | 'tail';

/**
 * Reads a tar archive that is pushed in chunks of any size: V7, POSIX ustar, PAX, star and GNU, with their sparse
 * files. Throws a Failure of kind `invalid` that names the place. The first zero block ends the archive, as in GNU tar;
 * so does the end of input before a header. https://www.gnu.org/software/tar/manual/html_node/Standard.html
 */
export class TarReader {
  readonly #handler: TarHandler;
  #state: State = 'header';
  /** Bytes of the archive before the chunk in hand. */
  #before = 0;
  readonly #block = Buffer.alloc(BLOCK);
  #blockFill = 0;
  #entryOffset = -1;
  readonly #extensions = new ExtensionHeaders();
  #entry: TarEntry | undefined;
  #runMap = new RunMapParser();
  #runs: SparseRun[] = [];
  #runIndex = 0;
  /** Bytes of the content, or of the padding, that are still to come. */
  #left = 0;
  /** Bytes that the archive holds for the entry, sparse map included. */
  #stored = 0;
  /** Place in the (expanded) content. */
  #position = 0;

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  push(chunk: Buffer): void {
    let at = 0;
    let rawStart = 0;
    while (at < chunk.length) {
      const available = chunk.length - at;
      if (this.#state === 'content') {
        const length = Math.min(this.#left, available);
        if (rawStart < at) this.#handler.raw(chunk.subarray(rawStart, at));
        this.#handler.data(chunk.subarray(at, at + length));
        at += length;
        rawStart = at;
        this.#left -= length;
        this.#position += length;
        if (this.#left === 0) this.#nextRun();
      } else if (this.#state === 'padding') {
        const length = Math.min(this.#left, available);
        at += length;
        this.#left -= length;
        if (this.#left === 0) this.#state = 'header';
      } else if (this.#state === 'extension') {
        at += this.#fillExtension(chunk, at);
      } else if (this.#state === 'tail') {
        at = chunk.length;
      } else if (this.#blockFill === 0 && available >= BLOCK) {
        this.#takeBlock(chunk, at, this.#before + at);
        at += BLOCK;
      } else {
        const length = chunk.copy(this.#block, this.#blockFill, at, at + BLOCK - this.#blockFill);
        at += length;
        this.#blockFill += length;
        if (this.#blockFill === BLOCK) {
          this.#blockFill = 0;
          this.#takeBlock(this.#block, 0, this.#before + at - BLOCK);
        }
      }
    }
    if (rawStart < at) this.#handler.raw(chunk.subarray(rawStart, at));
    this.#before += at;
  }

  /** Bytes of content of the open entry that come next without a break. */
  get contentLeft(): number {
    return this.#state === 'content' ? this.#left : 0;
  }

  /** Leaves those bytes out: what is pushed next are the bytes behind them. */
  skipContent(): void {
    const length = this.contentLeft;
    this.#before += length;
    this.#position += length;
    this.#left = 0;
    if (length > 0) this.#nextRun();
  }

  /** States that the input has ended; throws when that is in the middle of an entry. */
  end(): void {
    const between = this.#state === 'header' && this.#blockFill === 0 && this.#entryOffset < 0;
    if (between || this.#state === 'tail' || this.#state === 'padding') return;
    const name =
      this.#state === 'header' || this.#state === 'extension' ? this.#extensions.longName : this.#entry?.path;
    const where = name === undefined ? 'in a header' : `in entry "${name}"`;
    throw invalidTar(`the tar archive is truncated ${where}`, this.#before);
  }

  #takeBlock(block: Buffer, at: number, offset: number): void {
    if (this.#state === 'old-runs') {
      parseOldRuns(block, at, 21, offset, this.#runs);
      if (block[at + 504] === 0) this.#startContent(offset);
    } else if (this.#state === 'run-map') {
      this.#stored -= BLOCK;
      if (this.#stored < 0) throw invalidTar('sparse map is longer than its entry', offset);
      const runs = this.#runMap.push(block, at, offset);
      if (runs) {
        this.#runs = runs;
        this.#startContent(offset);
      }
    } else this.#takeHeader(block, at, offset);
  }

  #takeHeader(block: Buffer, at: number, offset: number): void {
    if (isZeroBlock(block, at)) {
      if (this.#entryOffset >= 0) throw invalidTar('the tar archive ends after an extension header', offset);
      this.#state = 'tail';
      return;
    }
    const header = parseHeaderBlock(block, at, offset);
    if (this.#entryOffset < 0) this.#entryOffset = offset;
    if (ExtensionHeaders.has(header.flag)) {
      this.#extensions.begin(header.flag, header.size, offset);
      this.#state = 'extension';
      this.#left = padded(header.size);
      if (this.#left === 0) this.#endExtension(offset);
    } else if (header.flag === 'V') {
      // GNU volume label
      this.#entryOffset = -1;
      this.#skip(padded(header.size));
    } else this.#startEntry(header, block, at, offset);
  }

  /** Takes payload and padding of an extension header; returns how many bytes. */
  #fillExtension(chunk: Buffer, at: number): number {
    const length = Math.min(this.#left, chunk.length - at);
    this.#extensions.fill(chunk.subarray(at, at + length));
    this.#left -= length;
    if (this.#left === 0) this.#endExtension(this.#before + at);
    return length;
  }

  #endExtension(offset: number): void {
    this.#state = 'header';
    this.#extensions.end(offset);
    if (!this.#extensions.hasOwn) this.#entryOffset = -1; // a global one belongs to no entry
  }

  #startEntry(header: HeaderBlock, block: Buffer, at: number, offset: number): void {
    const { records, longName, longLink } = this.#extensions.take();
    const name = textOf(records.get('GNU.sparse.name') ?? records.get('path')) ?? longName ?? header.name;
    const link = textOf(records.get('linkpath')) ?? longLink ?? header.link;
    if (name === '' || name.includes('\0') || link.includes('\0'))
      throw invalidTar(`tar entry with the unusable name "${name}"`, offset);
    const type = typeOf(header.flag, name, offset);
    const time = records.get('mtime');
    const { seconds, nanoseconds } = time ? parsePaxTime(time, offset) : { seconds: header.mtime, nanoseconds: 0 };
    const stated = numberOf(records, 'size', offset) ?? header.size;
    this.#stored = type === 'file' || header.flag === 'D' ? stated : 0;
    const sparse = type === 'file' ? sparseFromPax(records, offset) : undefined;
    const isOldSparse = header.flag === 'S';
    const oldSize = isOldSparse ? parseNumber(block, at + 483, 12, 'realsize', offset) : 0;
    this.#entry = {
      path: name,
      type,
      mode: header.mode,
      uid: ownerId(numberOf(records, 'uid', offset) ?? header.uid, offset),
      gid: ownerId(numberOf(records, 'gid', offset) ?? header.gid, offset),
      size: type !== 'file' ? 0 : isOldSparse ? oldSize : (sparse?.size ?? stated),
      mtime: seconds,
      mtimeNsec: nanoseconds,
      linkTarget: type === 'symlink' || type === 'hardlink' ? link : undefined,
      device: type === 'char' || type === 'block' ? header.device : undefined,
      xattrs: xattrsOf(records),
      offset: this.#entryOffset,
    };
    this.#entryOffset = -1;
    this.#runs = [];
    if (header.flag === 'D') this.#startDump();
    else if (isOldSparse) {
      parseOldRuns(block, at + 386, 4, offset, this.#runs);
      if (block[at + 482] === 0) this.#startContent(offset);
      else this.#state = 'old-runs';
    } else if (sparse && sparse.runs === undefined) {
      this.#runMap = new RunMapParser();
      this.#state = 'run-map';
    } else {
      this.#runs = sparse?.runs ?? (this.#stored > 0 ? [{ offset: 0, length: this.#stored }] : []);
      this.#startContent(offset);
    }
  }

  /** A directory of an incremental GNU archive: its "content" is a list of names, of no use here. */
  #startDump(): void {
    this.#handler.entry(this.#current());
    this.#handler.close();
    this.#skip(padded(this.#stored));
  }

  #startContent(offset: number): void {
    const entry = this.#current();
    if (entry.type === 'file') checkRuns(this.#runs, entry.size, this.#stored, offset);
    this.#handler.entry(entry);
    this.#position = 0;
    this.#runIndex = 0;
    this.#nextRun();
  }

  /** Goes on to the next run that has bytes, or ends the entry after the last. */
  #nextRun(): void {
    const entry = this.#current();
    for (let run = this.#runs[this.#runIndex++]; run; run = this.#runs[this.#runIndex++]) {
      this.#holeUntil(run.offset);
      if (run.length === 0) continue;
      this.#left = run.length;
      this.#state = 'content';
      return;
    }
    this.#holeUntil(entry.size);
    this.#handler.close();
    this.#skip(padded(this.#stored) - this.#stored);
  }

  #holeUntil(position: number): void {
    if (position > this.#position) this.#handler.hole(position - this.#position);
    this.#position = Math.max(position, this.#position);
  }

  #skip(length: number): void {
    this.#left = length;
    this.#state = length > 0 ? 'padding' : 'header';
  }

  #current(): TarEntry {
    if (!this.#entry) throw new Error('no entry is open');
    return this.#entry;
  }
}

function typeOf(flag: string, name: string, offset: number): EntryType {
  switch (flag) {
    case '0':
    case '7':
      return name.endsWith('/') ? 'directory' : 'file';
    case 'S':
      return 'file';
    case '1':
      return 'hardlink';
    case '2':
      return 'symlink';
    case '3':
      return 'char';
    case '4':
      return 'block';
    case '5':
    case 'D':
      return 'directory';
    case '6':
      return 'fifo';
    default:
      throw invalidTar(`tar entry "${name}" has the unknown type "${flag}"`, offset);
  }
}

function xattrsOf(records: PaxRecords): Map<string, Uint8Array> | undefined {
  let xattrs: Map<string, Uint8Array> | undefined;
  for (const [keyword, value] of records) {
    if (!keyword.startsWith(XATTR_PREFIX)) continue;
    xattrs ??= new Map();
    xattrs.set(keyword.slice(XATTR_PREFIX.length), value);
  }
  return xattrs;
}

const numberOf = (records: PaxRecords, keyword: string, offset: number): number | undefined => {
  const value = records.get(keyword);
  return value === undefined || value.length === 0 ? undefined : parsePaxNumber(value, keyword, offset);
};

const textOf = (value: Buffer | undefined): string | undefined =>
  value === undefined || value.length === 0 ? undefined : decodeName(value);

/** `size` rounded up to whole blocks. */
const padded = (size: number): number => Math.ceil(size / BLOCK) * BLOCK;

/** The highest value is -1 to the kernel, which means that an owner stays as it is. */
function ownerId(id: number, offset: number): number {
  if (id >= 0xffff_ffff) throw invalidTar(`tar entry of the owner ${id}, above the highest there is`, offset);
  return id;
}
