import { close, open, write } from 'node:fs';
import { promisify } from 'node:util';
import type { OutputName } from './start-process.ts';

const openFile = promisify(open);
const writeFile = promisify(write);
const closeFile = promisify(close);

/** Longer lines are logged in pieces of about this many bytes, none but the last one ended by a newline. */
const LINE_LIMIT = 16 << 10;
const NEWLINE = 10;

/**
 * Writes a log in Docker's json-file form: one JSON object a line, `{"log":"text\n","stream":"stdout","time":"..."}`.
 * Appends; the file is made with the first output.
 */
export class LogWriter {
  readonly path: string;
  readonly #partial: Record<OutputName, Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  #file: Promise<number> | undefined;
  #written: Promise<void> = Promise.resolve();
  #change = Promise.withResolvers<void>();
  #ended = false;

  constructor(path: string) {
    this.path = path;
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
    if (this.#file) await closeFile(await this.#file).catch(() => {});
  }

  /** True when nothing will be added any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Resolves when all that came so far is in the file, but for lines that are not ended. */
  flushed(): Promise<void> {
    return this.#written;
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
    let text = '';
    for (const piece of pieces) text += `{"log":${JSON.stringify(piece)}${tail}`;
    this.#file ??= openFile(this.path, 'a', 0o640);
    const file = this.#file;
    this.#written = this.#written
      .then(async () => writeAll(await file, Buffer.from(text)))
      .catch(() => {})
      .then(() => {
        this.#change.resolve();
        this.#change = Promise.withResolvers();
      });
    return this.#written;
  }
}

async function writeAll(file: number, bytes: Buffer): Promise<void> {
  for (let rest = bytes; rest.length > 0; ) rest = rest.subarray((await writeFile(file, rest)).bytesWritten);
}
