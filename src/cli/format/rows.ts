import { compileTemplate } from '../gotemplate/evaluate.ts';
import { ROW } from '../gotemplate/go-json.ts';
import type { Value, ValueMap } from '../gotemplate/value.ts';
import { alignTabs } from './tabwriter.ts';

/** A row of a list, as templates see it: names as in Docker's formats, values as text; methods take arguments. */
export type Row = Readonly<Record<string, Value>>;

export interface ListSpec {
  /** Column titles of every field that a table may show: `{ ID: 'IMAGE ID' }`. */
  readonly titles: Readonly<Record<string, string>>;
  /** Fields of the table that is shown when nothing else is asked. */
  readonly columns: readonly string[];
  /** Value of `--format`. */
  readonly format: string;
  /** `-q`: only the IDs. */
  readonly quiet?: string | undefined;
}

/** Prints rows as `--format` asks: a table (`table`, `table TEMPLATE`), JSON lines (`json`), or a template a row. */
export function renderRows(rows: readonly Row[], spec: ListSpec): string {
  const { table, template } = wanted(spec);
  const marked = rows.map((row): ValueMap => Object.assign({ [ROW]: true }, row));
  const missing = (name: string) => `can't evaluate field ${name} in type row`;
  const print = compileTemplate(template, { missing });
  const lines = marked.map((row) => `${print(row)}\n`);
  if (!table) return lines.join('');
  const header = compileTemplate(template, { missing, functions: HEADER_FUNCTIONS });
  const titles = Object.fromEntries(Object.keys(spec.titles).map((name) => [name, titleOf(spec.titles, name)]));
  return alignTabs(`${header(titles)}\n${lines.join('')}`, { minWidth: 10, padding: 3 });
}

/** A title that also answers when a template calls it as a method, with the last part of its argument: `{{.Label "a.b"}}`. */
function titleOf(titles: Readonly<Record<string, string>>, name: string): Value {
  const title = titles[name] ?? '';
  return (...args) => (args.length > 0 ? (String(args[0]).split('.').at(-1) ?? '').replace(/[-_]/g, ' ') : title);
}

/** In a table's header, functions that change text leave titles alone. */
const HEADER_FUNCTIONS: Readonly<Record<string, (...args: readonly Value[]) => Value>> = Object.fromEntries(
  ['json', 'title', 'lower', 'upper', 'pad', 'truncate', 'split', 'join', 'println'].map((name) => [
    name,
    (value) => value,
  ]),
);

function wanted(spec: ListSpec): { table: boolean; template: string } {
  const format = spec.format.trim();
  if (spec.quiet !== undefined && (format === '' || format === 'table'))
    return { table: false, template: `{{.${spec.quiet}}}` };
  if (format === '' || format === 'table')
    return { table: true, template: spec.columns.map((name) => `{{.${name}}}`).join('\t') };
  if (format === 'json') return { table: false, template: '{{json .}}' };
  const table = /^table(\s|\\t)/.test(format);
  return { table, template: withEscapes(table ? format.slice('table'.length).trim() : format) };
}

/** `\t` and `\n` as people write them in a shell. */
function withEscapes(template: string): string {
  return template.replace(/\\t/g, '\t').replace(/\\n/g, '\n');
}
