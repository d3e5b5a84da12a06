import type { FailureDetail, SourceRange } from '../../lib/error.ts';
import { printable } from '../../lib/printable.ts';

/** Hint and place of an error, as a Strake host tells them; what is not in their form is left out. */
export function errorDetail(body: { readonly hint?: unknown; readonly source?: unknown }): FailureDetail {
  const source = sourceIn(body.source);
  return {
    ...(typeof body.hint === 'string' ? { hint: printable(body.hint) } : {}),
    ...(source ? { source } : {}),
  };
}

function sourceIn(value: unknown): SourceRange | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { file, line, endLine, column, excerpt }: Partial<Record<keyof SourceRange, unknown>> = value;
  if (typeof file !== 'string' || typeof line !== 'number') return undefined;
  return {
    file: printable(file),
    line,
    endLine: typeof endLine === 'number' ? endLine : line,
    ...(typeof column === 'number' ? { column } : {}),
    ...(typeof excerpt === 'string' ? { excerpt: printable(excerpt) } : {}),
  };
}
