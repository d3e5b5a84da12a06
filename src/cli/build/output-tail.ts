import { plainLine } from '../terminal/text-width.ts';

const LINE_LIMIT = 4096;

/** The last lines of a program's output, made safe for a terminal. A carriage return rewrites its line. */
export class OutputTail {
  readonly #limit: number;
  readonly #lines: string[] = [];
  #open = '';

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(text: string): void {
    const pieces = text.split('\n');
    this.#open = (this.#open + (pieces.shift() ?? '')).slice(-LINE_LIMIT);
    for (const piece of pieces) {
      this.#lines.push(shown(this.#open));
      this.#open = piece.slice(-LINE_LIMIT);
    }
    if (this.#lines.length > this.#limit) this.#lines.splice(0, this.#lines.length - this.#limit);
  }

  /** At most `count` lines, the newest last. */
  last(count: number): string[] {
    const open = shown(this.#open);
    const all = open === '' ? this.#lines : [...this.#lines, open];
    return all.slice(-Math.max(0, count) || all.length + 1).slice(0, count);
  }
}

/** What a terminal would show of a line in which carriage returns go back to its start. */
function shown(line: string): string {
  const parts = line.split('\r').filter((part) => part !== '');
  return plainLine(parts.at(-1) ?? '');
}
