import { closeSync, createReadStream, fstatSync, openSync, read, readSync } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';

/** One file of a log, read from its beginning. It stays what it is when it is put aside or removed meanwhile. */
export interface LogSource extends Disposable {
  /** Bytes of the log that were read or passed over. */
  readonly offset: number;
  /** At most `limit` of the next bytes; none at the end, as it is now. */
  read(limit: number): Promise<Buffer>;
  /** Passes over all but the last `count` lines; how many are left. */
  skipAllBut(count: number): Promise<number>;
}

const readFile = promisify(read);

const BLOCK = 1 << 16;
const NEWLINE = 10;

/** A file that may still grow. */
export class PlainLog implements LogSource {
  readonly #fd: number;
  #offset = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get offset(): number {
    return this.#offset;
  }

  async read(limit: number): Promise<Buffer> {
    const block = Buffer.allocUnsafe(limit);
    const { bytesRead } = await readFile(this.#fd, block, 0, limit, this.#offset);
    this.#offset += bytesRead;
    return block.subarray(0, bytesRead);
  }

  /** Looks from the end, so that it need not read the whole file. */
  async skipAllBut(count: number): Promise<number> {
    const block = Buffer.allocUnsafe(BLOCK);
    let lines = 0;
    for (let { size: end } = fstatSync(this.#fd); end > 0; end = Math.max(0, end - BLOCK)) {
      const start = Math.max(0, end - BLOCK);
      const length = readSync(this.#fd, block, 0, end - start, start);
      for (let at = length - 1; at >= 0; at--) {
        if (block[at] !== NEWLINE) continue;
        // The newline at the very end belongs to the last line.
        if (lines === count) {
          this.#offset = start + at + 1;
          return lines;
        }
        lines++;
      }
    }
    return lines;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** A file in gzip's form. What cannot be unpacked is passed over. */
export class PackedLog implements LogSource {
  readonly #fd: number;
  #stream: Readable;
  #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  #offset = 0;

  constructor(fd: number) {
    this.#fd = fd;
    this.#stream = unpacked(fd);
    this.#chunks = this.#stream[Symbol.asyncIterator]();
  }

  get offset(): number {
    return this.#offset;
  }

  async read(limit: number): Promise<Buffer> {
    if (this.#rest.length === 0) this.#rest = await this.#next();
    const block = this.#rest.subarray(0, limit);
    this.#rest = this.#rest.subarray(block.length);
    this.#offset += block.length;
    return block;
  }

  /** Reads the file twice: only its end tells how many lines it has. */
  async skipAllBut(count: number): Promise<number> {
    let lines = 0;
    for (let chunk = await this.#next(); chunk.length > 0; chunk = await this.#next()) lines += newlinesIn(chunk);
    this.#stream = unpacked(this.#fd);
    this.#chunks = this.#stream[Symbol.asyncIterator]();
    for (let surplus = lines - count; surplus > 0; ) {
      const chunk = await this.#next();
      if (chunk.length === 0) break;
      let at = 0;
      for (; surplus > 0; surplus--) {
        const newline = chunk.indexOf(NEWLINE, at);
        if (newline < 0) break;
        at = newline + 1;
      }
      if (surplus === 0) this.#rest = chunk.subarray(at);
      this.#offset += surplus === 0 ? at : chunk.length;
    }
    return Math.min(lines, count);
  }

  [Symbol.dispose](): void {
    this.#stream.destroy();
    closeSync(this.#fd);
  }

  async #next(): Promise<Buffer> {
    try {
      const { done, value } = await this.#chunks.next();
      return done ? Buffer.alloc(0) : value;
    } catch {
      return Buffer.alloc(0);
    }
  }
}

/** The content of an open file from its beginning, through a descriptor that ends with the stream. */
function unpacked(fd: number): Readable {
  const gunzip = createGunzip({ chunkSize: BLOCK });
  pipeline(createReadStream('', { fd: openSync(`/proc/self/fd/${fd}`, 'r') }), gunzip, () => {});
  return gunzip;
}

function newlinesIn(chunk: Buffer): number {
  let count = 0;
  for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) count++;
  return count;
}
