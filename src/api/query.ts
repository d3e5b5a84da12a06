import { Failure } from '../lib/error.ts';
import type { Check } from './check.ts';

/** The query of a request, read the way Docker's daemon reads it. */
export class Query {
  readonly #text: string;
  readonly #values: URLSearchParams;

  /** Throws kind `invalid` for what is no query. */
  constructor(text: string) {
    if (text.includes(';')) throw new Failure('invalid', 'QUERY_INVALID', 'invalid semicolon separator in query');
    const wrong = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(text)?.[0];
    if (wrong !== undefined) throw new Failure('invalid', 'QUERY_INVALID', `invalid URL escape "${wrong}"`);
    this.#text = text;
    this.#values = new URLSearchParams(text);
  }

  /** First value, or the empty string. */
  text(name: string): string {
    return this.#values.get(name) ?? '';
  }

  /** First value when it is there and not empty. */
  optional(name: string): string | undefined {
    return this.text(name) || undefined;
  }

  /** First value as bytes, which need not be UTF-8; undefined when it is missing. */
  bytes(name: string): Buffer | undefined {
    const start = `${name}=`;
    const pair = this.#text.split('&').find((text) => text.startsWith(start));
    if (pair === undefined) return undefined;
    const value = pair.slice(start.length).replaceAll('+', ' ');
    return Buffer.from(
      value.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
      'latin1',
    );
  }

  /** Every value that is not empty. */
  list(name: string): string[] {
    return this.#values.getAll(name).filter((value) => value !== '');
  }

  /** Empty, `0`, `no`, `false` and `none` are false, everything else is true; `absent` when the name is missing. */
  flag(name: string, absent = false): boolean {
    const value = this.#values.get(name);
    if (value === null) return absent;
    return !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase());
  }

  /** A whole number; undefined when missing or empty. */
  integer(name: string): number | undefined {
    const value = this.text(name).trim();
    if (value === '') return undefined;
    const number = Number(value);
    if (!/^[+-]?[0-9]+$/.test(value) || !Number.isSafeInteger(number))
      throw invalid(name, value, 'expected a whole number');
    return number;
  }

  /** A value in JSON; undefined when missing, empty or `null`. */
  json<T>(name: string, check: Check<T>): T | undefined {
    const value = this.text(name);
    if (value === '') return undefined;
    let parsed: unknown;
    try {
      parsed = JSON.parse(value);
    } catch {
      throw invalid(name, value, 'expected JSON');
    }
    return parsed === null ? undefined : check(parsed, name);
  }
}

function invalid(name: string, value: string, expected: string): Failure {
  const shown = value.length > 80 ? `${value.slice(0, 80)}...` : value;
  return new Failure('invalid', 'QUERY_INVALID', `invalid value "${shown}" of parameter "${name}": ${expected}`);
}
