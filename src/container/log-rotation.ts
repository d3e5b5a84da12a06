import { createReadStream, createWriteStream, existsSync, openSync, renameSync, rmSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { systemCode } from '../lib/error.ts';
import { type LogSource, PackedLog, PlainLog } from './log-source.ts';

/**
 * Puts a log's file aside: it becomes `<path>.1`, that one `.2` and so on, packed ones (`.1.gz`) alike, until there are
 * `maxFiles` with the one that is begun next. Nothing waits in between, so that a reader finds all files in their places.
 */
export function putAside(path: string, maxFiles: number): void {
  if (maxFiles < 2) rmSync(path, { force: true });
  for (let number = maxFiles - 1; number >= 1; number--) {
    for (const end of ENDS) rmSync(aside(path, number, end), { force: true });
    for (const end of ENDS) move(aside(path, number - 1, end), aside(path, number, end));
  }
}

/**
 * Packs the files that were put aside and are not packed yet. No file may be put aside meanwhile. When it fails or is
 * aborted, what is not packed stays as it was.
 */
export async function packAside(path: string, maxFiles: number, signal: AbortSignal): Promise<void> {
  const scratch = `${path}.packing`;
  try {
    for (let number = 1; number < maxFiles; number++) {
      const plain = aside(path, number, '');
      if (!existsSync(plain)) continue;
      const output = createWriteStream(scratch, { mode: 0o640 });
      await pipeline(createReadStream(plain), createGzip(), output, { signal });
      renameSync(scratch, aside(path, number, '.gz'));
      rmSync(plain);
    }
  } finally {
    rmSync(scratch, { force: true });
  }
}

/** Opens the file that was put aside `number` rotations ago, 0 being the one that is written; undefined: there is none. */
export function openLogFile(path: string, number: number): LogSource | undefined {
  const packed = number === 0 ? undefined : openAt(aside(path, number, '.gz'));
  if (packed !== undefined) return new PackedLog(packed);
  const plain = openAt(aside(path, number, ''));
  return plain === undefined ? undefined : new PlainLog(plain);
}

const ENDS = ['', '.gz'] as const;

function aside(path: string, number: number, end: (typeof ENDS)[number]): string {
  return number === 0 ? `${path}${end}` : `${path}.${number}${end}`;
}

function move(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

function openAt(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
