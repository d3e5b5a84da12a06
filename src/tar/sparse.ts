import { BLOCK, parseNumber } from './header-block.ts';
import { type PaxRecords, parsePaxNumber } from './pax.ts';
import { invalidTar } from './tar-failure.ts';

/** A piece of a sparse file that the archive holds; what lies between the runs is zeros. */
export interface SparseRun {
  readonly offset: number;
  readonly length: number;
}

/** More pieces than this in one file are refused: their table would be megabytes. */
export const RUN_LIMIT = 1 << 18;

/** Runs of a table of `count` pairs (12-byte offset, 12-byte length) in an old GNU sparse header or its continuation. */
export function parseOldRuns(block: Buffer, at: number, count: number, offset: number, runs: SparseRun[]): void {
  for (let i = 0; i < count; i++) {
    const place = at + 24 * i;
    if (block[place + 12] === 0) return;
    runs.push({
      offset: parseNumber(block, place, 12, 'sparse offset', offset),
      length: parseNumber(block, place + 12, 12, 'sparse length', offset),
    });
  }
  if (runs.length > RUN_LIMIT) throw tooMany(offset);
}

/** Runs of the formats 0.0 and 0.1: one list of decimal numbers separated by commas. */
export function parseRunList(value: Buffer, offset: number): SparseRun[] {
  if (value.length === 0) return [];
  const numbers = value.toString('latin1').split(',');
  if (numbers.length % 2 !== 0) throw invalidTar('sparse map has an odd number of values', offset);
  const runs: SparseRun[] = [];
  for (let i = 0; i < numbers.length; i += 2)
    runs.push({ offset: decimal(numbers[i] ?? '', offset), length: decimal(numbers[i + 1] ?? '', offset) });
  if (runs.length > RUN_LIMIT) throw tooMany(offset);
  return runs;
}

/**
 * The map of format 1.0, which stands before the content: the number of runs and then their numbers, each on a line of
 * its own, padded to whole blocks. Takes one block at a time.
 */
export class RunMapParser {
  #text = '';
  #wanted = -1;
  readonly #numbers: number[] = [];

  /** Takes a block; returns the runs when the map is complete. */
  push(block: Buffer, at: number, offset: number): SparseRun[] | undefined {
    const lines = (this.#text + block.toString('latin1', at, at + BLOCK)).split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) {
      if (this.#wanted === this.#numbers.length) break; // padding
      const number = decimal(line, offset);
      if (this.#wanted >= 0) this.#numbers.push(number);
      else if (number > RUN_LIMIT) throw tooMany(offset);
      else this.#wanted = 2 * number;
    }
    if (this.#wanted !== this.#numbers.length) {
      if (this.#text.length > BLOCK) throw invalidTar('malformed sparse map', offset);
      return undefined;
    }
    const runs: SparseRun[] = [];
    for (let i = 0; i < this.#numbers.length; i += 2)
      runs.push({ offset: this.#numbers[i] ?? 0, length: this.#numbers[i + 1] ?? 0 });
    return runs;
  }
}

/** What PAX records say of a sparse file: its real size, and its runs unless they stand before the content (1.0). */
export function sparseFromPax(
  records: PaxRecords,
  offset: number,
): { size: number; runs: SparseRun[] | undefined } | undefined {
  const map = records.get('GNU.sparse.map');
  const isFormatOne = records.get('GNU.sparse.major')?.toString() === '1';
  if (map === undefined && !isFormatOne) return undefined;
  const size = records.get('GNU.sparse.realsize') ?? records.get('GNU.sparse.size');
  if (size === undefined) throw invalidTar('sparse file without a size', offset);
  return {
    size: parsePaxNumber(size, 'GNU.sparse.size', offset),
    runs: isFormatOne || map === undefined ? undefined : parseRunList(map, offset),
  };
}

/** Checks that runs ascend, stay inside the file and add up to the bytes that the archive holds. */
export function checkRuns(runs: readonly SparseRun[], size: number, stored: number, offset: number): void {
  let end = 0;
  let sum = 0;
  for (const run of runs) {
    if (run.offset < end || run.offset + run.length > size) throw invalidTar('sparse map is not in order', offset);
    end = run.offset + run.length;
    sum += run.length;
  }
  if (sum !== stored) throw invalidTar(`sparse map holds ${sum} bytes, the archive ${stored}`, offset);
}

function decimal(text: string, offset: number): number {
  const number = Number(text);
  if (!/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(number)) throw invalidTar('malformed sparse map', offset);
  return number;
}

const tooMany = (offset: number) => invalidTar(`sparse file with more than ${RUN_LIMIT} pieces`, offset);
