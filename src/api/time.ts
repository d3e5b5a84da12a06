import { Failure } from '../lib/error.ts';

const UNITS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

/**
 * Reads a time as Docker's clients write it, `1700000000`, `1700000000.123456789`, RFC 3339 (also without seconds or
 * zone) or a duration before `now` such as `1h30m`. Milliseconds since the epoch; undefined for empty text and `0`.
 */
export function parseTime(value: string, now: number): number | undefined {
  if (value === '' || value === '0') return undefined;
  if (/^-?[0-9]+(\.[0-9]+)?$/.test(value)) return Number(value) * 1000;
  const duration = parseDuration(value);
  if (duration !== undefined) return now - duration;
  const date = /^[0-9]{4}-[0-9]{2}-[0-9]{2}/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(date))
    throw new Failure('invalid', 'TIME_INVALID', `invalid time "${value}"`, {
      hint: 'write seconds since 1970, a date as 2026-01-31T12:00:00Z, or a duration as 1h30m',
    });
  return date;
}

/** Milliseconds of a duration as Go writes it (`1h30m`, `1.5s`), or undefined. */
function parseDuration(value: string): number | undefined {
  if (!/^([0-9]+(\.[0-9]+)?(h|ms|m|us|\u00b5s|ns|s))+$/.test(value)) return undefined;
  let total = 0;
  for (const [, number, , unit = ''] of value.matchAll(/([0-9]+(\.[0-9]+)?)(h|ms|m|us|\u00b5s|ns|s)/g))
    total += Number(number) * (UNITS[unit] ?? 0);
  return total;
}
