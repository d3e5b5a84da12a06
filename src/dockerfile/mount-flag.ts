import { ArgumentFault } from './arguments.ts';
import type { MountField, MountFlag } from './instruction.ts';

/** Splits `type=cache,target=/x,...` at its commas. Only `from` is read: the other values may hold variables. */
export function parseMountFlag(text: string): MountFlag {
  const fields = splitFields(text, 'mounts').map((field): MountField => {
    const equals = field.indexOf('=');
    if (equals < 0) return { key: field.toLowerCase(), value: undefined, text: field };
    return { key: field.slice(0, equals).toLowerCase(), value: field.slice(equals + 1), text: field };
  });
  const from = fields.findLast(({ key }) => key === 'from')?.value;
  const variable = from?.indexOf('$') ?? -1;
  if (from !== undefined && variable >= 0 && variable < from.length - 1)
    throw new ArgumentFault(`'from' doesn't support variable expansion, define alias stage instead`);
  return { text, fields, from: from === '' ? undefined : from };
}

/** One line of comma-separated fields (RFC 4180): a field in double quotes may hold commas. */
export function splitFields(text: string, what: string): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    let field = '';
    if (text[at] === '"') {
      for (at++; ; at++) {
        if (at >= text.length) throw new ArgumentFault(`failed to parse csv ${what}: a quote is not closed in ${text}`);
        if (text[at] !== '"') field += text[at];
        else if (text[at + 1] === '"') field += text[at++];
        else break;
      }
      at++;
      if (at < text.length && text[at] !== ',')
        throw new ArgumentFault(`failed to parse csv ${what}: text follows a closing quote in ${text}`);
    } else {
      const comma = text.indexOf(',', at);
      field = text.slice(at, comma < 0 ? text.length : comma);
      if (field.includes('"'))
        throw new ArgumentFault(`failed to parse csv ${what}: bare " in non-quoted field ${field}`);
      at += field.length;
    }
    fields.push(field);
    if (at >= text.length) return fields;
    at++;
  }
}
