import { Failure } from '../../lib/error.ts';

/** What a template works on: JSON, `undefined` for no value, and methods that take arguments (`.Label "x"`). */
export type Value =
  | undefined
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Value[]
  | ((...args: readonly Value[]) => Value)
  | ValueMap;
export interface ValueMap {
  readonly [key: string]: Value;
}

/** Typed nils: they count as empty, print as Go prints the nil of their type, and are `null` in JSON. */
export const NIL_LIST: readonly Value[] = Object.freeze([]);
export const NIL_MAP: ValueMap = Object.freeze({});
export const NIL_POINTER: ValueMap = Object.freeze({ ...NIL_MAP });

export function templateFailure(message: string): Failure {
  return new Failure('invalid', 'TEMPLATE', `template parsing error: template: ${message}`);
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isMap(value: Value): value is ValueMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What `if` takes for true: anything but the empty value of its kind. */
export function isTrue(value: Value): boolean {
  if (isList(value)) return value.length > 0;
  if (isMap(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** The text of a value as Go prints it with `%v`: `map[a:b]`, `[a b]`, `<nil>`. */
export function showValue(value: Value): string {
  if (value === null || value === undefined || value === NIL_POINTER) return '<nil>';
  if (isList(value)) return `[${value.map(showValue).join(' ')}]`;
  if (isMap(value))
    return `map[${Object.keys(value)
      .sort()
      .map((key) => `${key}:${showValue(value[key])}`)
      .join(' ')}]`;
  if (typeof value === 'function') return '<func>';
  return typeof value === 'number' ? showNumber(value) : String(value);
}

/** The text of a value that an action prints. */
export function printed(value: Value): string {
  return value === null || value === undefined ? '<no value>' : showValue(value);
}

/** Name of the value's kind as Go would call it. */
export function kindOf(value: Value): string {
  if (value === null || value === undefined || value === NIL_POINTER) return '<nil>';
  if (isList(value)) return '[]interface {}';
  if (isMap(value)) return 'map[string]interface {}';
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))) return 'int';
  if (typeof value === 'number') return 'float64';
  return typeof value === 'boolean' ? 'bool' : typeof value === 'function' ? 'func' : 'string';
}

function showNumber(value: number): string {
  if (Number.isInteger(value)) return BigInt(value).toString();
  const text = String(value);
  return text.includes('e') ? text.replace(/e([+-])(\d)$/, 'e$10$2') : text;
}
