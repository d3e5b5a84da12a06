import type { Output } from '../session.ts';
import { widthOf } from './text-width.ts';

/** A terminal in memory that knows the sequences which the views use; everything else it refuses. For tests. */
export class VirtualTerminal implements Output {
  readonly isTTY = true;
  columns: number;
  rows: number;
  readonly #screen: string[][] = [[]];
  #row = 0;
  #column = 0;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
  }

  write(chunk: string | Uint8Array): boolean {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    for (const [, sequence, character] of text.matchAll(/(\x1b\[[?\d;]*[A-Za-z])|([\s\S])/gu)) {
      if (sequence !== undefined) this.#control(sequence);
      else if (character !== undefined) this.#put(character);
    }
    return true;
  }

  once(): void {}

  /** Lines from the first to the last that has text, without trailing spaces. */
  lines(): string[] {
    const lines = this.#screen.map((cells) =>
      Array.from(cells, (cell) => cell ?? ' ')
        .join('')
        .trimEnd(),
    );
    while (lines.at(-1) === '') lines.pop();
    return lines;
  }

  get cursor(): { row: number; column: number } {
    return { row: this.#row, column: this.#column };
  }

  #control(sequence: string): void {
    const count = Number(/\d+/.exec(sequence)?.[0] ?? 1);
    const line = this.#line();
    if (/^\x1b\[\d*A$/.test(sequence)) this.#row = Math.max(0, this.#row - count);
    else if (/^\x1b\[\d*B$/.test(sequence)) this.#row += count;
    else if (sequence === '\x1b[K') line.length = Math.min(line.length, this.#column);
    else if (sequence === '\x1b[2K') line.length = 0;
    else if (sequence === '\x1b[J') {
      line.length = Math.min(line.length, this.#column);
      this.#screen.length = this.#row + 1;
    } else if (!/^\x1b\[(\?2026[hl]|[\d;]*m)$/.test(sequence)) throw new Error(`unknown ${JSON.stringify(sequence)}`);
  }

  #put(character: string): void {
    if (character === '\n') {
      this.#row++;
      this.#column = 0;
    } else if (character === '\r') this.#column = 0;
    else if (character < ' ') throw new Error(`control character ${JSON.stringify(character)}`);
    else {
      const width = widthOf(character);
      if (this.#column + width > this.columns) {
        this.#row++;
        this.#column = 0;
      }
      this.#line()[this.#column] = character;
      for (let more = 1; more < width; more++) this.#line()[this.#column + more] = '';
      this.#column += width;
    }
    this.#line();
  }

  #line(): string[] {
    while (this.#screen.length <= this.#row) this.#screen.push([]);
    return this.#screen[this.#row] ?? [];
  }
}
