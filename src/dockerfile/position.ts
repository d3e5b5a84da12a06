import type { SourceRange } from '../lib/error.ts';
import type { Segment } from './instruction.ts';

/** Line and column (from 1) in the file of an index into an instruction's `original`. */
export function positionAt(segments: readonly Segment[], index: number): { line: number; column: number } {
  const segment = segments.findLast(({ at }) => at <= index) ?? segments[0];
  if (!segment) return { line: 1, column: 1 };
  return { line: segment.line, column: segment.column + index - segment.at };
}

/**
 * The lines of `range` with their numbers, for people, and a caret under the column when it is known. At most five
 * lines; tabs become single spaces so that the caret stands right.
 */
export function excerpt(text: string, range: Pick<SourceRange, 'line' | 'endLine' | 'column'>): string {
  const LINES = 5;
  const last = Math.max(range.line, range.endLine);
  const width = String(last).length;
  const shown: string[] = [];
  let start = 0;
  for (let line = 1; line <= last && start <= text.length; line++) {
    const end = text.indexOf('\n', start);
    const stop = end < 0 ? text.length : end;
    if (line >= range.line) {
      if (shown.length >= LINES) {
        shown.push(`${' '.repeat(width)} | ...`);
        break;
      }
      shown.push(`${String(line).padStart(width)} | ${clean(text.slice(start, Math.min(stop, start + 400)))}`);
      if (line === range.line && range.column !== undefined)
        shown.push(`${' '.repeat(width)} | ${' '.repeat(Math.min(range.column, 401) - 1)}^`);
    }
    start = stop + 1;
  }
  return shown.join('\n');
}

function clean(line: string): string {
  return line.replace(/\r$/, '').replaceAll('\t', ' ');
}
