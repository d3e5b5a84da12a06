import { parseDuration } from '../../lib/duration.ts';
import { Failure } from '../../lib/error.ts';
import { parseBytes } from './bytes.ts';

/** One flag of a command. Its long name is the key in the command's table, in kebab case: `noTrunc` is `--no-trunc`. */
export interface Flag<T> {
  readonly short: string | undefined;
  /** Word for the value in the help text; empty for a switch. */
  readonly type: string;
  readonly help: string;
  readonly initial: T;
  /** Default as the help text shows it. */
  readonly shown: string | undefined;
  /** Value when the flag is given without one. Only switches have it; all others require a value. */
  readonly implied: string | undefined;
  /** Still accepted, no longer shown. */
  readonly hidden: boolean;
  /** Value after this occurrence of the flag; `before` is the value so far. Throws a Failure for a bad text. */
  parse(text: string, before: T): T;
}

interface Common {
  readonly short?: string;
  readonly shown?: string;
  readonly type?: string;
  readonly hidden?: boolean;
}

/** A switch: `--rm`, `--rm=false`. */
export function toggle(help: string, options: Common & { initial?: boolean } = {}): Flag<boolean> {
  return make('', help, options.initial ?? false, parseBoolean, {
    ...options,
    ...(options.initial === true && { shown: 'true' }),
    implied: 'true',
  });
}

export function text(help: string, options: Common & { initial?: string } = {}): Flag<string> {
  return make('string', help, options.initial ?? '', (value) => value, options);
}

/** May be given many times; every value is kept as it is. */
export function list(help: string, options: Common = {}): Flag<readonly string[]> {
  return make<readonly string[]>('list', help, [], (value, before) => [...before, value], options);
}

export function integer(help: string, options: Common & { initial?: number } = {}): Flag<number> {
  return make('int', help, options.initial ?? 0, parseInteger, options);
}

/** A size in bytes with a binary suffix: `64m`, `1.5g`; -1 where `unlimited` makes sense. */
export function bytes(help: string, options: Common & { unlimited?: boolean } = {}): Flag<number> {
  const parse = (value: string) => (options.unlimited === true && value === '-1' ? -1 : parseBytes(value));
  return make('bytes', help, 0, parse, options);
}

/** A duration like `1m30s`, in nanoseconds. */
export function duration(help: string, options: Common = {}): Flag<number> {
  return make('duration', help, 0, parseDuration, { shown: '0s', ...options });
}

/** A value with its own parser. */
export function custom<T>(
  type: string,
  help: string,
  initial: T,
  parse: (text: string, before: T) => T,
  options: Common = {},
): Flag<T> {
  return make(type, help, initial, parse, options);
}

/** Reads what the flag package of Docker's language takes for a boolean. */
export function parseBoolean(value: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw new Failure('invalid', 'FLAG_VALUE', `strconv.ParseBool: parsing "${value}": invalid syntax`);
}

function parseInteger(value: string): number {
  const number = /^[+-]?(\d+|0x[0-9a-fA-F]+)$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new Failure('invalid', 'FLAG_VALUE', `strconv.ParseInt: parsing "${value}": invalid syntax`);
}

function make<T>(
  type: string,
  help: string,
  initial: T,
  parse: (text: string, before: T) => T,
  options: Common & { implied?: string },
): Flag<T> {
  return {
    short: options.short,
    type: options.type ?? type,
    help,
    initial,
    shown: options.shown,
    implied: options.implied,
    hidden: options.hidden ?? false,
    parse,
  };
}
