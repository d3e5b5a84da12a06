import { close, fstatSync, ftruncateSync, open, statSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { encodeLines, LINE_LIMIT, pieceEnd } from './log-lines.ts';
import { packAside, putAside } from './log-rotation.ts';
import type { OutputName } from './process-streams.ts';

const openFile = promisify(open);
const writeFile = promisify(write);
const closeFile = promisify(close);

const NEWLINE = 10;
/** How long the end of a log waits for a file that is being packed, in milliseconds; then it stays plain. */
const PACKING_MS = 2000;

export interface LogLimits {
  /** A file that has reached so many bytes is put aside; undefined: there is one file without limit. */
  readonly maxSize: number | undefined;
  /** How many files there are at most, the one that is written among them. */
  readonly maxFiles: number;
  /** Whether files that are put aside are packed with gzip. */
  readonly compress: boolean;
}

/** A place in a log: a file, counted by how often the writer has begun a new one, and an offset in it. */
export interface LogPosition {
  readonly generation: number;
  readonly offset: number;
}

/**
 * Writes a log in Docker's json-file form: one JSON object a line, `{"log":"text\n","stream":"stdout","time":"..."}`.
 * Appends; the file is made with the first output. Files that were put aside are `<path>.1`, the newest, and
 * so on, or `<path>.1.gz`.
 */
export class LogWriter {
  readonly path: string;
  readonly #limits: LogLimits;
  readonly #partial: Record<OutputName, Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  #fd: number | undefined;
  /** Of the open file. */
  #size = 0;
  #generation = 0;
  #written: Promise<void> = Promise.resolve();
  #change = Promise.withResolvers<void>();
  #ended = false;
  #packed: Promise<void> = Promise.resolve();
  readonly #stopPacking = new AbortController();

  constructor(path: string, limits: LogLimits = { maxSize: undefined, maxFiles: 1, compress: false }) {
    this.path = path;
    this.#limits = limits;
  }

  /** Resolves when it is in the file. What cannot be written (a full disk) is lost, the process goes on. */
  write(name: OutputName, chunk: Buffer): Promise<void> | undefined {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    const pieces = end === 0 ? [] : [this.#take(name, chunk.subarray(0, end))];
    if (end < chunk.length) this.#partial[name] = Buffer.concat([this.#partial[name], chunk.subarray(end)]);
    while (this.#partial[name].length >= LINE_LIMIT) pieces.push(this.#cut(name));
    return pieces.length === 0 ? undefined : this.#append(name, pieces);
  }

  /** Writes the lines that were not ended, and closes the file. */
  async end(): Promise<void> {
    for (const name of ['stdout', 'stderr'] as const) {
      const rest = this.#take(name, Buffer.alloc(0));
      if (rest.length > 0) void this.#append(name, [rest]);
    }
    await this.#written;
    this.#ended = true;
    this.#change.resolve();
    await this.#close();
    const timer = setTimeout(() => this.#stopPacking.abort(), PACKING_MS);
    await this.#packed;
    clearTimeout(timer);
  }

  /** True when nothing will be added any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** How often a new file was begun. */
  get generation(): number {
    return this.#generation;
  }

  /** Where the log ends with what came until now, but for lines that are not ended. Resolves when it is written. */
  async position(): Promise<LogPosition> {
    return this.#written.then(() => ({
      generation: this.#generation,
      offset: this.#fd === undefined ? (statSync(this.path, { throwIfNoEntry: false })?.size ?? 0) : this.#size,
    }));
  }

  /** Lines that are not ended yet. */
  partialLines(): { name: OutputName; text: Buffer }[] {
    return (['stdout', 'stderr'] as const).flatMap((name) =>
      this.#partial[name].length > 0 ? { name, text: this.#partial[name] } : [],
    );
  }

  /** Resolves when the file has grown or the log has ended, after now. */
  changed(): Promise<void> {
    return this.#change.promise;
  }

  #take(name: OutputName, more: Buffer): Buffer {
    const taken = this.#partial[name].length === 0 ? more : Buffer.concat([this.#partial[name], more]);
    this.#partial[name] = Buffer.alloc(0);
    return taken;
  }

  /** Takes one piece of a long line. */
  #cut(name: OutputName): Buffer {
    const bytes = this.#partial[name];
    const end = pieceEnd(bytes, 0);
    this.#partial[name] = bytes.subarray(end);
    return bytes.subarray(0, end);
  }

  #append(name: OutputName, pieces: readonly Buffer[]): Promise<void> {
    const tail = Buffer.from(`","stream":"${name}","time":"${new Date().toISOString()}"}\n`);
    this.#written = this.#written
      .then(async () => {
        for (const piece of pieces) await this.#put(encodeLines(piece, tail));
      })
      .catch(() => this.#dropTorn())
      .then(() => {
        this.#change.resolve();
        this.#change = Promise.withResolvers();
      });
    return this.#written;
  }

  /** Writes lines, to one file as many at a time as it may take. */
  async #put({ bytes, ends }: ReturnType<typeof encodeLines>): Promise<void> {
    const { maxSize } = this.#limits;
    for (let from = 0; from < bytes.length; ) {
      if (maxSize !== undefined && this.#size >= maxSize) await this.#rotate();
      if (this.#fd === undefined) {
        this.#fd = await openFile(this.path, 'a', 0o640);
        this.#size = fstatSync(this.#fd).size;
        continue;
      }
      const full = from + (maxSize ?? Number.POSITIVE_INFINITY) - this.#size;
      const to = ends.find((end) => end >= full) ?? bytes.length;
      await writeAll(this.#fd, bytes.subarray(from, to));
      this.#size += to - from;
      from = to;
    }
  }

  /** Before the next file is put aside, the last one must be packed: files keep their order. */
  async #rotate(): Promise<void> {
    await this.#close();
    await this.#packed;
    const { maxFiles, compress } = this.#limits;
    putAside(this.path, maxFiles);
    this.#generation++;
    this.#size = 0;
    if (compress) this.#packed = packAside(this.path, maxFiles, this.#stopPacking.signal).catch(() => {}); // it stays plain
  }

  /** After a write that failed, on a full disk for example: half a line would spoil the next one. */
  #dropTorn(): void {
    if (this.#fd === undefined) return;
    try {
      if (fstatSync(this.#fd).size > this.#size) ftruncateSync(this.#fd, this.#size);
    } catch {
      // then a reader passes over it
    }
  }

  async #close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) await closeFile(fd).catch(() => {});
  }
}

async function writeAll(file: number, bytes: Buffer): Promise<void> {
  for (let rest = bytes; rest.length > 0; ) rest = rest.subarray((await writeFile(file, rest)).bytesWritten);
}
