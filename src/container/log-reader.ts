import { Failure } from '../lib/error.ts';
import { timerDelay } from '../lib/timer-delay.ts';
import { openLogFile } from './log-rotation.ts';
import type { LogSource } from './log-source.ts';
import type { LogPosition, LogWriter } from './log-writer.ts';
import { frame } from './output-hub.ts';
import type { OutputName } from './process-streams.ts';

export interface LogQuery {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly timestamps: boolean;
  /** Milliseconds since the epoch. */
  readonly since: number | undefined;
  readonly until: number | undefined;
  /** Last so many entries; undefined is all. */
  readonly tail: number | undefined;
  /** Put before the text of each entry. */
  readonly prefix?: string | undefined;
}

/** How far a log is read that may still be written. */
export interface LogSpan {
  /** Who writes it. */
  readonly writer: LogWriter;
  /** Reads up to this place only. */
  readonly end?: LogPosition;
  /** Goes on with what comes until the log ends. Only while a process writes it. */
  readonly follow?: boolean;
}

interface LogEntry {
  readonly log: string;
  readonly stream: OutputName;
  readonly time: string;
}

const BLOCK = 1 << 16;
const NEWLINE = 10;
/** Files that were put aside: more than that nobody keeps. */
const FILE_LIMIT = 10_000;

/**
 * Reads a json-file log, with the files that were put aside, and gives its text in the Engine API's form (plain with a
 * terminal, else framed). Memory is bounded whatever the log's size. A log that was never begun is empty.
 */
export async function* readLog(
  path: string,
  tty: boolean,
  query: LogQuery,
  options: { readonly signal: AbortSignal; readonly span?: LogSpan | undefined },
): AsyncGenerator<Buffer> {
  const timer = query.until === undefined ? undefined : AbortSignal.timeout(timerDelay(query.until - Date.now()));
  const signal = timer ? AbortSignal.any([options.signal, timer]) : options.signal;
  using files = new LogFiles(path, options.span);
  let partial = Buffer.alloc(0);
  if (query.tail !== undefined) await files.skipTo(query.tail);
  const follow = options.span?.follow ? options.span.writer : undefined;
  while (!options.signal.aborted) {
    const ended = follow?.ended ?? true;
    const changed = follow?.changed();
    const { isComplete } = files;
    const block = await files.read();
    if (block.length === 0) {
      if (files.next(isComplete)) continue;
      if (ended || signal.aborted || !changed) return;
      await untilAborted(changed, signal);
      continue;
    }
    const bytes = Buffer.concat([partial, block]);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    partial = bytes.subarray(end);
    const { pieces, done } = select(bytes.toString('utf8', 0, end), tty, query);
    if (pieces.length > 0) yield Buffer.concat(pieces);
    if (done) return;
  }
}

/** The files of a log, oldest first, opened at once so that a rotation does not mix them up. */
class LogFiles implements Disposable {
  readonly #path: string;
  readonly #span: LogSpan | undefined;
  #open: { readonly source: LogSource; readonly generation: number }[] = [];
  /** Of the file that is written next, when there is none yet. */
  #awaited: number;

  constructor(path: string, span: LogSpan | undefined) {
    this.#path = path;
    this.#span = span;
    this.#awaited = this.#newest();
    for (let number = 0; number < FILE_LIMIT; number++) if (!this.#add(number, 'before') && number > 0) break;
  }

  /** True when the file will not grow any more. To be asked before it is read to its end. */
  get isComplete(): boolean {
    const file = this.#open[0];
    return this.#open.length > 1 || (file !== undefined && file.generation < this.#newest());
  }

  /** The next bytes of the file; none at its end. */
  async read(): Promise<Buffer> {
    const file = this.#open[0];
    if (!file) return Buffer.alloc(0);
    const { end } = this.#span ?? {};
    const left = end && file.generation === end.generation ? end.offset - file.source.offset : BLOCK;
    return left > 0 ? file.source.read(Math.min(BLOCK, left)) : Buffer.alloc(0);
  }

  /** Goes on to the next file, or to the first one when there was none; `isComplete` is of before the last read. */
  next(isComplete: boolean): boolean {
    const file = this.#open[0];
    const { end } = this.#span ?? {};
    if (file && (!isComplete || (end && file.generation >= end.generation))) return false;
    if (file) {
      file.source[Symbol.dispose]();
      this.#open.shift();
      this.#awaited = file.generation + 1;
    }
    if (this.#open.length === 0)
      for (let number = this.#newest() - this.#awaited; number >= 0; number--) this.#add(number, 'behind');
    return this.#open.length > 0;
  }

  /** Skips all but the last `count` lines. */
  async skipTo(count: number): Promise<void> {
    let missing = count;
    for (let index = this.#open.length - 1; index >= 0; index--) {
      missing -= (await this.#open[index]?.source.skipAllBut(missing)) ?? 0;
      if (missing > 0 && index > 0) continue;
      for (const { source } of this.#open.splice(0, index)) source[Symbol.dispose]();
      return;
    }
  }

  [Symbol.dispose](): void {
    for (const { source } of this.#open.splice(0)) source[Symbol.dispose]();
  }

  #newest(): number {
    return this.#span?.writer.generation ?? 0;
  }

  /** Opens the file that was put aside `number` rotations ago, 0 being the one that is written. */
  #add(number: number, where: 'before' | 'behind'): boolean {
    const source = openLogFile(this.#path, number);
    if (!source) return false;
    const file = { source, generation: this.#newest() - number };
    if (where === 'before') this.#open.unshift(file);
    else this.#open.push(file);
    return true;
  }
}

/** The wanted text of some complete lines, one piece for neighbours of the same stream; `done` when `until` is passed. */
function select(lines: string, tty: boolean, query: LogQuery): { pieces: Buffer[]; done: boolean } {
  const pieces: Buffer[] = [];
  let stream: OutputName = 'stdout';
  let text = '';
  const flush = () => {
    if (text !== '') pieces.push(tty ? Buffer.from(text) : frame(stream, Buffer.from(text)));
    text = '';
  };
  const { since, until, timestamps, prefix = '' } = query;
  for (const line of lines.split('\n')) {
    const entry = line === '' ? undefined : parse(line);
    if (!entry) continue;
    if (until !== undefined && Date.parse(entry.time) > until) {
      flush();
      return { pieces, done: true };
    }
    if (!query[entry.stream] || (since !== undefined && Date.parse(entry.time) < since)) continue;
    if (entry.stream !== stream) flush();
    stream = entry.stream;
    text += `${timestamps ? `${withNanoseconds(entry.time)} ` : ''}${prefix}${entry.log}`;
  }
  flush();
  return { pieces, done: false };
}

/** RFC 3339 with nine digits after the point, so that the lines stand below each other. */
function withNanoseconds(time: string): string {
  const [seconds = '', fraction = ''] = time.replace(/Z$/, '').split('.');
  return `${seconds}.${fraction.padEnd(9, '0')}Z`;
}

function parse(line: string): LogEntry | undefined {
  try {
    const entry = JSON.parse(line) as LogEntry; // written by LogWriter; a line cut by a crash does not parse
    return typeof entry.log === 'string' ? entry : undefined;
  } catch {
    return undefined;
  }
}

function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  const onAbort = () => resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', onAbort));
}

/** For containers whose output is not kept. */
export function logsNotKept(): Failure {
  return new Failure('unsupported', 'LOGS_NOT_KEPT', 'configured logging driver does not support reading');
}
