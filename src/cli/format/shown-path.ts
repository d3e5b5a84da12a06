import { printable } from '../../lib/printable.ts';

/** A path from an image as a table may show it: one line, and nothing that drives a terminal. */
export function shownPath(path: string): string {
  return printable(path).replace(/[\n\t]/g, '\ufffd');
}
