import type { Value } from '../gotemplate/value.ts';
import { alignTabs } from './tabwriter.ts';

/**
 * A row of a list, as templates see it: names as in Docker's formats, values as text. A function without parameters is
 * a value that costs something; one with parameters is a method (`{{.Label "x"}}`).
 */
export type Row = Readonly<Record<string, Value>>;

export interface ListSpec {
  /** Column titles of every field that a table may show: `{ ID: 'IMAGE ID' }`. */
  readonly titles: Readonly<Record<string, string>>;
  /** Fields of the table that is shown when nothing else is asked. */
  readonly columns: readonly string[];
  /** Value of `--format`. */
  readonly format: string;
  /** `-q`: the field that is shown alone. */
  readonly quiet?: string | undefined;
}

/** Prints rows as `--format` asks: a table (`table`, `table TEMPLATE`), JSON lines (`json`), or a template a row. */
export async function renderRows(rows: readonly Row[], spec: ListSpec): Promise<string> {
  const format = spec.format.trim();
  if (format !== '' && format !== 'table') {
    const { renderTemplate } = await import('./template-rows.ts');
    return renderTemplate(rows, spec.titles, format);
  }
  const { quiet } = spec;
  if (quiet !== undefined) return rows.map((row) => `${cell(row[quiet])}\n`).join('');
  return alignRows([
    spec.columns.map((name) => spec.titles[name] ?? ''),
    ...rows.map((row) => spec.columns.map((name) => cell(row[name]))),
  ]);
}

/** Lines of cells as an aligned table. */
export function alignRows(lines: readonly (readonly string[])[]): string {
  return alignTabs(`${lines.map((cells) => cells.join('\t')).join('\n')}\n`, { minWidth: 10, padding: 3 });
}

function cell(value: Value): string {
  return String(typeof value === 'function' ? value() : value);
}
