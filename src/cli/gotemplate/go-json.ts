import { isList, isMap, NIL_LIST, NIL_MAP, NIL_POINTER, type Value } from './value.ts';

/** Rows of tables print themselves as JSON with sorted keys and escaped angle brackets; this marks them. */
export const ROW: unique symbol = Symbol('row');

/** JSON as Go's encoder writes it, without a space. Of the members of a row, computed ones count, and methods that take arguments are left out. */
export function goJson(value: Value): string {
  if (isMap(value) && ROW in value) {
    const sorted = Object.keys(value)
      .sort()
      .map((key) => [key, memberOf(value[key])] as const);
    return escapeAngles(encode(Object.fromEntries(sorted.filter(([, member]) => typeof member !== 'function'))));
  }
  return encode(value);
}

/** A computed member is a function without parameters. */
function memberOf(member: Value): Value {
  return typeof member === 'function' && member.length === 0 ? member() : member;
}

function encode(value: Value): string {
  if (value === undefined || value === null || typeof value === 'function') return 'null';
  if (value === NIL_LIST || value === NIL_MAP || value === NIL_POINTER) return 'null';
  if (typeof value === 'bigint') return value.toString();
  if (isMap(value) && ROW in value) return goJson(value);
  if (isList(value)) return `[${value.map(encode).join(',')}]`;
  if (isMap(value))
    return `{${Object.entries(value)
      .map(([key, member]) => `${JSON.stringify(key)}:${encode(member)}`)
      .join(',')}}`;
  return escapeSeparators(JSON.stringify(value));
}

function escapeAngles(text: string): string {
  return text.replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
}

/** Go always escapes these two; JSON.stringify does not. */
function escapeSeparators(text: string): string {
  return text.replace(/[\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16)}`);
}
