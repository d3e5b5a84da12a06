/**
 * Checks of JSON that came from outside. A check returns the typed value or throws a Failure that names the place.
 * Like Docker's own decoder they ignore unknown fields, take null as absent and match field names in any case.
 */
import { Failure } from '../lib/error.ts';

/** `at` is the path of the value in its document, for the message. */
export type Check<T> = (value: unknown, at: string) => T;

export const text: Check<string> = (value, at) => (typeof value === 'string' ? value : refuse(value, at, 'a string'));

export const flag: Check<boolean> = (value, at) =>
  typeof value === 'boolean' ? value : refuse(value, at, 'true or false');

/** Of 64 bits. What is too large to be exact here is as good as no limit, and becomes the largest number that is. */
export const integer: Check<number> = (value, at) => {
  if (typeof value !== 'number' || !Number.isInteger(value) || Math.abs(value) > 2 ** 63)
    return refuse(value, at, 'a whole number');
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(value, Number.MAX_SAFE_INTEGER));
};

export function list<T>(item: Check<T>): Check<T[]> {
  return (value, at) =>
    Array.isArray(value)
      ? value.map((element: unknown, index) => item(element, `${at}[${index}]`))
      : refuse(value, at, 'a list');
}

/** An object with free keys. */
export function map<T>(item: Check<T>): Check<Record<string, T>> {
  return (value, at) =>
    Object.fromEntries(Object.entries(record(value, at)).map(([key, entry]) => [key, item(entry, join(at, key))]));
}

export function nullable<T>(item: Check<T>): Check<T | null> {
  return (value, at) => (value === null ? null : item(value, at));
}

/** Docker takes one string for a list of one in commands. */
export const words: Check<string[]> = (value, at) => (typeof value === 'string' ? [value] : list(text)(value, at));

/** `{}` in a set that JSON writes as a map. */
export const nothing: Check<Record<string, never>> = (value, at) => {
  record(value, at);
  return {};
};

// biome-ignore lint/suspicious/noExplicitAny: only a bound; every use infers the real type of each field
type Fields = Readonly<Record<string, Check<any>>>;
type Checked<F extends Fields> = { [Key in keyof F]?: ReturnType<F[Key]> };

/** An object with known fields, each of which may be absent. */
export function object<F extends Fields>(fields: F): Check<Checked<F>> {
  const names = new Map(Object.keys(fields).map((name) => [name.toLowerCase(), name]));
  return (value, at) => {
    const found: [string, unknown][] = [];
    for (const [key, entry] of Object.entries(record(value, at))) {
      const name = names.get(key.toLowerCase());
      const check = name === undefined ? undefined : fields[name];
      if (name !== undefined && check && entry !== null) found.push([name, check(entry, join(at, name))]);
    }
    return Object.fromEntries(found) as Checked<F>; // every entry was made by the check of its field
  };
}

function record(value: unknown, at: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(value, at, 'an object');
  return value as Readonly<Record<string, unknown>>; // an object that came out of JSON.parse
}

function join(at: string, key: string): string {
  return at === '' ? key : `${at}.${key}`;
}

function refuse(value: unknown, at: string, expected: string): never {
  const found = brief(value);
  throw new Failure(
    'invalid',
    'JSON_INVALID',
    `invalid JSON: ${at === '' ? '' : `${at}: `}expected ${expected}, got ${found}`,
  );
}

/** What was there instead. Only scalars are written out: lists and objects may be as deep as a body is long. */
function brief(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const shown = JSON.stringify(value) ?? 'nothing';
  return shown.length > 80 ? `${shown.slice(0, 80)}...` : shown;
}
