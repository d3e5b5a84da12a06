import { compileTemplate } from '../gotemplate/evaluate.ts';
import { ROW } from '../gotemplate/go-json.ts';
import type { Value, ValueMap } from '../gotemplate/value.ts';
import type { Row } from './rows.ts';
import { alignTabs } from './tabwriter.ts';

/** Prints rows by a template: `json`, `table TEMPLATE` with a line of titles, or a bare template. */
export function renderTemplate(rows: readonly Row[], titles: Readonly<Record<string, string>>, format: string): string {
  const table = /^table(\s|\\t)/.test(format);
  const source = table ? format.slice('table'.length).trim() : format;
  const template = format === 'json' ? '{{json .}}' : withEscapes(source);
  const print = compileTemplate(template, { missing });
  const lines = rows.map((row) => `${print(marked(row))}\n`);
  if (!table) return lines.join('');
  const header = compileTemplate(template, { missing, functions: HEADER_FUNCTIONS });
  const answers = Object.fromEntries(Object.entries(titles).map(([name, title]) => [name, titleOf(title)]));
  return alignTabs(`${header(answers)}\n${lines.join('')}`, { minWidth: 10, padding: 3 });
}

/** Prints an object whose members are lists of rows, by a template or as `json`. */
export function renderLists(lists: Readonly<Record<string, readonly Row[]>>, format: string): string {
  const template = format === 'json' ? '{{json .}}' : withEscapes(format);
  const members = Object.entries(lists).map(([name, rows]) => [name, rows.map(marked)]);
  return `${compileTemplate(template, { missing })(Object.fromEntries(members))}\n`;
}

function marked(row: Row): ValueMap {
  return Object.assign({ [ROW]: true }, row);
}

const missing = (name: string): string => `can't evaluate field ${name} in type row`;

/** A title that also answers when a template calls it as a method, with the last part of its argument: `{{.Label "a.b"}}`. */
function titleOf(title: string): Value {
  return (...args) => (args.length > 0 ? (String(args[0]).split('.').at(-1) ?? '').replace(/[-_]/g, ' ') : title);
}

/** In a table's header, functions that change text leave titles alone. */
const HEADER_FUNCTIONS: Readonly<Record<string, (...args: readonly Value[]) => Value>> = Object.fromEntries(
  ['json', 'title', 'lower', 'upper', 'pad', 'truncate', 'split', 'join', 'println'].map((name) => [
    name,
    (value) => value,
  ]),
);

/** `\t` and `\n` as people write them in a shell. */
function withEscapes(template: string): string {
  return template.replace(/\\t/g, '\t').replace(/\\n/g, '\n');
}
