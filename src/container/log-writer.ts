import { close, fstatSync, open, statSync, write } from 'node:fs';
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
  /** Open file, and its size when it was opened. */
  #file: Promise<{ readonly fd: number; readonly size: number }> | undefined;
  #written: Promise<void> = Promise.resolve();
  #change = Promise.withResolvers<void>();
  #ended = false;
  /** Bytes given to the file by this writer. */
  #appended = 0;

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
    if (this.#file) await this.#file.then(({ fd }) => closeFile(fd)).catch(() => {});
  }

  /** True when nothing will be added any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Where the file ends with what came until now, but for lines that are not ended. Resolves when it is written. */
  async position(): Promise<number> {
    const appended = this.#appended;
    const written = this.#written;
    const begun = this.#file ? (await this.#file).size : (statSync(this.path, { throwIfNoEntry: false })?.size ?? 0);
    await written;
    return begun + appended;
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
    this.#file ??= openFile(this.path, 'a', 0o640).then((fd) => ({ fd, size: fstatSync(fd).size }));
    const file = this.#file;
    const bytes = Buffer.from(text);
    this.#appended += bytes.length;
    this.#written = this.#written
      .then(async () => writeAll((await file).fd, bytes))
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
