import { type FileHandle, open } from 'node:fs/promises';
import { Failure, systemCode } from '../lib/error.ts';
import type { LogWriter } from './log-writer.ts';
import { frame } from './output-hub.ts';
import type { OutputName } from './start-process.ts';

export interface LogQuery {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly timestamps: boolean;
  /** Milliseconds since the epoch. */
  readonly since: number | undefined;
  readonly until: number | undefined;
  /** Last so many entries; undefined is all. */
  readonly tail: number | undefined;
  /** Reads up to this offset only. */
  readonly end: number | undefined;
  /** Goes on with what comes until the log ends. Only while a process writes it. */
  readonly follow: LogWriter | undefined;
}

interface LogEntry {
  readonly log: string;
  readonly stream: OutputName;
  readonly time: string;
}

const BLOCK = 1 << 16;
const NEWLINE = 10;

/**
 * Reads a json-file log and gives its text in the Engine API's form (plain with a terminal, else framed). Memory is
 * bounded whatever the log's size. A log that was never begun is empty.
 */
export async function* readLog(
  path: string,
  tty: boolean,
  query: LogQuery,
  options: { readonly signal: AbortSignal },
): AsyncGenerator<Buffer> {
  const timer = query.until === undefined ? undefined : AbortSignal.timeout(Math.max(0, query.until - Date.now()));
  const signal = timer ? AbortSignal.any([options.signal, timer]) : options.signal;
  await using file = await opened(path, query.follow, signal);
  if (!file) return;
  let offset = query.tail === undefined ? 0 : await tailOffset(file, query.tail);
  let partial = Buffer.alloc(0);
  while (!options.signal.aborted) {
    const ended = query.follow?.ended ?? true;
    const changed = query.follow?.changed();
    const length = Math.min(BLOCK, (query.end ?? Number.POSITIVE_INFINITY) - offset);
    const block = Buffer.allocUnsafe(length);
    const { bytesRead } = await file.read(block, 0, length, offset);
    offset += bytesRead;
    if (bytesRead === 0) {
      if (ended || signal.aborted || !changed) return;
      await untilAborted(changed, signal);
      continue;
    }
    const bytes = Buffer.concat([partial, block.subarray(0, bytesRead)]);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    partial = bytes.subarray(end);
    const { pieces, done } = select(bytes.toString('utf8', 0, end), tty, query);
    if (pieces.length > 0) yield Buffer.concat(pieces);
    if (done) return;
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
  const { since, until, timestamps } = query;
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
    text += timestamps ? `${withNanoseconds(entry.time)} ${entry.log}` : entry.log;
  }
  flush();
  return { pieces, done: false };
}

/** RFC 3339 with nine digits after the point, so that the lines stand below each other. */
function withNanoseconds(time: string): string {
  const [seconds = '', fraction = ''] = time.replace(/Z$/, '').split('.');
  return `${seconds}.${fraction.padEnd(9, '0')}Z`;
}

async function opened(
  path: string,
  follow: LogWriter | undefined,
  signal: AbortSignal,
): Promise<FileHandle | undefined> {
  for (;;) {
    const ended = follow?.ended ?? true;
    const changed = follow?.changed();
    try {
      return await open(path, 'r');
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      if (ended || signal.aborted || !changed) return undefined;
      await untilAborted(changed, signal);
    }
  }
}

/** Where the last `count` entries begin, found from the end. */
async function tailOffset(file: FileHandle, count: number): Promise<number> {
  let { size: offset } = await file.stat();
  // The newline at the very end belongs to the last entry.
  let missing = count + 1;
  const block = Buffer.allocUnsafe(BLOCK);
  while (offset > 0) {
    const start = Math.max(0, offset - BLOCK);
    const { bytesRead } = await file.read(block, 0, offset - start, start);
    for (let at = bytesRead - 1; at >= 0; at--) if (block[at] === NEWLINE && --missing === 0) return start + at + 1;
    offset = start;
  }
  return 0;
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
