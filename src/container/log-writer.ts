import { close, fstatSync, ftruncateSync, open, renameSync, rmSync, statSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { systemCode } from '../lib/error.ts';
import type { OutputName } from './start-process.ts';

const openFile = promisify(open);
const writeFile = promisify(write);
const closeFile = promisify(close);

/** Longer lines are logged in pieces of about this many bytes, none but the last one ended by a newline. */
const LINE_LIMIT = 16 << 10;
const NEWLINE = 10;

export interface LogLimits {
  /** A file that has reached so many bytes is put aside; undefined: there is one file without limit. */
  readonly maxSize: number | undefined;
  /** How many files there are at most, the one that is written among them. */
  readonly maxFiles: number;
}

/** A place in a log: a file, counted by how often the writer has begun a new one, and an offset in it. */
export interface LogPosition {
  readonly generation: number;
  readonly offset: number;
}

/**
 * Writes a log in Docker's json-file form: one JSON object a line, `{"log":"text\n","stream":"stdout","time":"..."}`.
 * Appends; the file is made with the first output. Files that were put aside are `<path>.1`, the newest, and so on.
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

  constructor(path: string, limits: LogLimits = { maxSize: undefined, maxFiles: 1 }) {
    this.path = path;
    this.#limits = limits;
  }

  /** Resolves when it is in the file. What cannot be written (a full disk) is lost, the process goes on. */
  write(name: OutputName, chunk: Buffer): Promise<void> | undefined {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    const pieces =
      end === 0
        ? []
        : this.#take(name, chunk.subarray(0, end))
            .toString('utf8')
            .split(/(?<=\n)/);
    if (end < chunk.length) this.#partial[name] = Buffer.concat([this.#partial[name], chunk.subarray(end)]);
    while (this.#partial[name].length >= LINE_LIMIT) pieces.push(this.#cut(name));
    return pieces.length === 0 ? undefined : this.#append(name, pieces);
  }

  /** Writes the lines that were not ended, and closes the file. */
  async end(): Promise<void> {
    for (const name of ['stdout', 'stderr'] as const) {
      const rest = this.#take(name, Buffer.alloc(0)).toString('utf8');
      if (rest !== '') void this.#append(name, [rest]);
    }
    await this.#written;
    this.#ended = true;
    this.#change.resolve();
    await this.#close();
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

  /** Takes one piece of a long line, not ending within a character. */
  #cut(name: OutputName): string {
    const bytes = this.#partial[name];
    let end = LINE_LIMIT;
    while (end > LINE_LIMIT - 4 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
    this.#partial[name] = bytes.subarray(end);
    return bytes.toString('utf8', 0, end);
  }

  #append(name: OutputName, pieces: readonly string[]): Promise<void> {
    const tail = `,"stream":"${name}","time":"${new Date().toISOString()}"}\n`;
    const lines = pieces.map((piece) => `{"log":${JSON.stringify(piece)}${tail}`);
    this.#written = this.#written
      .then(() => this.#put(lines))
      .catch(() => this.#dropTorn())
      .then(() => {
        this.#change.resolve();
        this.#change = Promise.withResolvers();
      });
    return this.#written;
  }

  /** Writes lines, to one file as many at a time as it may take. */
  async #put(lines: readonly string[]): Promise<void> {
    const { maxSize = Number.POSITIVE_INFINITY } = this.#limits;
    for (let at = 0; at < lines.length; ) {
      if (this.#size >= maxSize) await this.#rotate();
      if (this.#fd === undefined) {
        this.#fd = await openFile(this.path, 'a', 0o640);
        this.#size = fstatSync(this.#fd).size;
        continue;
      }
      let text = '';
      // Of characters that are more than one byte more would fit: files are then a little too large, as with Docker.
      while (at < lines.length && this.#size + text.length < maxSize) text += lines[at++];
      const bytes = Buffer.from(text);
      await writeAll(this.#fd, bytes);
      this.#size += bytes.length;
    }
  }

  /** Puts the file aside. Nothing waits in between, so that a reader finds all files in their places. */
  async #rotate(): Promise<void> {
    await this.#close();
    const { maxFiles } = this.#limits;
    if (maxFiles < 2) rmSync(this.path, { force: true });
    for (let number = maxFiles - 1; number >= 1; number--) {
      const from = number === 1 ? this.path : `${this.path}.${number - 1}`;
      try {
        renameSync(from, `${this.path}.${number}`);
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') throw error;
      }
    }
    this.#generation++;
    this.#size = 0;
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
