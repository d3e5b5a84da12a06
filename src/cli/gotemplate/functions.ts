import { goJson } from './go-json.ts';
import { sprintf } from './printf.ts';
import { isList, isMap, isTrue, kindOf, showValue, type Value } from './value.ts';

/** An operand that is computed when it is asked for. */
export type Lazy = () => Value;

type Plain = (...args: readonly Value[]) => Value;

/** Go's built-in functions of text/template and those that Docker's clients add. A RangeError is a complaint about the call. */
const TABLE: Readonly<Record<string, Plain>> = {
  not: (value) => !isTrue(value),
  len: (value) => {
    if (typeof value === 'string') return Buffer.byteLength(value);
    if (isList(value)) return value.length;
    if (isMap(value)) return Object.keys(value).length;
    throw new RangeError(`len of ${value === null || value === undefined ? 'nil pointer' : `type ${kindOf(value)}`}`);
  },
  index: (value, ...keys) => keys.reduce(indexed, value),
  slice: sliced,
  print: (...values) => values.map(showValue).join(' '),
  println: (...values) => `${values.map(showValue).join(' ')}\n`,
  printf: (format, ...values) => sprintf(showValue(format), values),
  urlquery: (...values) => encodeURIComponent(values.map(showValue).join('')).replace(/%20/g, '+'),
  html: (...values) => escapeHtml(values.map(showValue).join('')),
  eq: (value, ...others) => others.some((other) => compare(value, other) === 0),
  ne: (a, b) => compare(a, b) !== 0,
  lt: (a, b) => ordered(a, b) < 0,
  le: (a, b) => ordered(a, b) <= 0,
  gt: (a, b) => ordered(a, b) > 0,
  ge: (a, b) => ordered(a, b) >= 0,
  json: (value) => goJson(value),
  split: (value, separator) => showValue(value).split(showValue(separator)),
  join: (values, separator) => (isList(values) ? values.map(showValue).join(showValue(separator)) : showValue(values)),
  title: (value) =>
    showValue(value).replace(/(^|[^\p{L}\p{N}_'])(\p{Ll})/gu, (_, before, letter) => before + letter.toUpperCase()),
  lower: (value) => showValue(value).toLowerCase(),
  upper: (value) => showValue(value).toUpperCase(),
  pad: (value, before, after) => padded(showValue(value), before, after),
  truncate: (value, length) => {
    const text = showValue(value);
    const count = Number(length);
    return text.length < count ? text : [...text].slice(0, count).join('');
  },
};

export const FUNCTIONS: ReadonlySet<string> = new Set(['and', 'or', ...Object.keys(TABLE)]);

export function callFunction(name: string, args: readonly Lazy[]): Value {
  if (name === 'and' || name === 'or') {
    let value: Value;
    for (const arg of args) {
      value = arg();
      if (isTrue(value) === (name === 'or')) break;
    }
    return value;
  }
  return TABLE[name]?.(...args.map((arg) => arg()));
}

function indexed(value: Value, key: Value): Value {
  if (value === null || value === undefined) throw new RangeError('index of untyped nil');
  if (isMap(value)) {
    if (typeof key !== 'string') throw new RangeError(`value has type ${kindOf(key)}; should be string`);
    return Object.hasOwn(value, key) ? value[key] : undefined;
  }
  if (!isList(value) && typeof value !== 'string') throw new RangeError(`can't index item of type ${kindOf(value)}`);
  if (typeof key !== 'number') throw new RangeError(`cannot index slice/array with type ${kindOf(key)}`);
  if (key < 0 || key >= value.length) throw new RangeError(`index out of range: ${key}`);
  return typeof value === 'string' ? Buffer.from(value)[key] : value[key];
}

function sliced(value: Value, from: Value, to: Value): Value {
  if (typeof value !== 'string' && !isList(value)) throw new RangeError(`can't slice item of type ${kindOf(value)}`);
  const start = from === undefined ? 0 : Number(from);
  const end = to === undefined ? value.length : Number(to);
  for (const edge of [start, end])
    if (!(edge >= 0 && edge <= value.length)) throw new RangeError(`index out of range: ${edge}`);
  if (start > end) throw new RangeError(`invalid slice index: ${start} > ${end}`);
  return value.slice(start, end);
}

function padded(text: string, before: Value, after: Value): string {
  return text === '' ? '' : ' '.repeat(Number(before ?? 0)) + text + ' '.repeat(Number(after ?? 0));
}

function compare(a: Value, b: Value): number {
  if (a === null || a === undefined || b === null || b === undefined) return (a ?? null) === (b ?? null) ? 0 : 1;
  if (isMap(a) || isList(a) || isMap(b) || isList(b)) throw new RangeError('non-comparable type');
  const numeric = (value: Value) => typeof value === 'number' || typeof value === 'bigint';
  if (numeric(a) && numeric(b)) return Number(a) === Number(b) ? 0 : 1;
  if (typeof a !== typeof b) throw new RangeError('incompatible types for comparison');
  return a === b ? 0 : 1;
}

function ordered(a: Value, b: Value): number {
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a !== typeof b) throw new RangeError('incompatible types for comparison');
  throw new RangeError('invalid type for comparison');
}

const HTML: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&#34;', "'": '&#39;' };

function escapeHtml(text: string): string {
  return text.replace(/[<>&"']/g, (character) => HTML[character] ?? '');
}
