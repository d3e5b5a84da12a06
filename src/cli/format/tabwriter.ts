/**
 * Aligns tab-terminated cells as Go's text/tabwriter does with spaces: a column is a run of lines that have a cell
 * there, as wide as its widest cell plus `padding`, at least `minWidth`. https://pkg.go.dev/text/tabwriter
 */
export function alignTabs(text: string, options: { minWidth: number; padding: number }): string {
  const lines = text.split('\n').map((line) => line.split('\t'));
  const output: string[] = lines.map(() => '');
  alignColumn(lines, output, 0, lines.length, 0, options);
  return output.join('\n');
}

function alignColumn(
  lines: readonly string[][],
  output: string[],
  start: number,
  end: number,
  column: number,
  options: { minWidth: number; padding: number },
): void {
  for (let from = start; from < end; ) {
    const terminated = hasCell(lines, from, column);
    let to = from + 1;
    while (to < end && hasCell(lines, to, column) === terminated) to++;
    if (terminated) {
      let width = options.minWidth;
      for (let line = from; line < to; line++)
        width = Math.max(width, lengthOf(lines[line]?.[column] ?? '') + options.padding);
      for (let line = from; line < to; line++) {
        const cell = lines[line]?.[column] ?? '';
        output[line] += cell + ' '.repeat(width - lengthOf(cell));
      }
      alignColumn(lines, output, from, to, column + 1, options);
    } else {
      for (let line = from; line < to; line++) output[line] += lines[line]?.[column] ?? '';
    }
    from = to;
  }
}

/** Whether the line has a cell that a tab ends in this column; its last piece of text is no cell. */
function hasCell(lines: readonly string[][], line: number, column: number): boolean {
  return column < (lines[line]?.length ?? 0) - 1;
}

function lengthOf(text: string): number {
  return [...text].length;
}
