import { wrapText } from '../format/wrap-text.ts';
import type { Flag } from './flag.ts';
import { type FlagTable, longName } from './parse-flags.ts';

/** The lines of a help text that describe flags, aligned in two columns and wrapped at `width`. */
export function describeFlags(flags: FlagTable, width: number): string {
  const rows = Object.entries(flags)
    .filter(([, flag]) => !flag.hidden)
    .map(([key, flag]) => ({ name: longName(key), left: leftColumn(longName(key), flag), flag }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const column = Math.max(0, ...rows.map((row) => row.left.length)) + 3;
  return rows.map(({ left, flag }) => left.padEnd(column) + indent(rightColumn(flag), column, width)).join('\n');
}

/** Two columns of a command list. */
export function describeCommands(commands: readonly { name: string; short: string }[]): string {
  const column = Math.max(11, ...commands.map(({ name }) => name.length)) + 1;
  return commands.map(({ name, short }) => `  ${name.padEnd(column)}${short}`).join('\n');
}

function leftColumn(name: string, flag: Flag<unknown>): string {
  const short = flag.short === undefined ? '      ' : `  -${flag.short}, `;
  return `${short}--${name}${flag.type === '' ? '' : ` ${flag.type}`}`;
}

function rightColumn(flag: Flag<unknown>): string {
  return flag.shown === undefined ? flag.help : `${flag.help} (default ${flag.shown})`;
}

function indent(text: string, column: number, width: number): string {
  return wrapText(text, Math.max(24, width - column)).join(`\n${' '.repeat(column)}`);
}
