import { Failure } from './error.ts';
import { own } from './own.ts';

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  '\u00b5s': 1_000n,
  '\u03bcs': 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const LIMIT = (1n << 63n) - 1n;

/** Parses a Go duration (`1m30s`, `-1.5h`, `0`) to nanoseconds. https://pkg.go.dev/time#ParseDuration */
export function parseDuration(text: string): number {
  const negative = text.startsWith('-');
  let rest = negative || text.startsWith('+') ? text.slice(1) : text;
  if (rest === '0') return 0;
  if (rest === '') throw invalid(`time: invalid duration ${quote(text)}`);
  let total = 0n;
  while (rest !== '') {
    const number = /^(\d*)(?:\.(\d*))?/.exec(rest);
    const whole = number?.[1] ?? '';
    const fraction = number?.[2] ?? '';
    if (whole === '' && fraction === '') throw invalid(`time: invalid duration ${quote(text)}`);
    rest = rest.slice(number?.[0].length);
    const unit = /^[^\d.]*/.exec(rest)?.[0] ?? '';
    rest = rest.slice(unit.length);
    if (unit === '') throw invalid(`time: missing unit in duration ${quote(text)}`);
    const scale = own(UNITS, unit);
    if (scale === undefined) throw invalid(`time: unknown unit ${quote(unit)} in duration ${quote(text)}`);
    total += BigInt(whole === '' ? '0' : whole.slice(-40)) * scale;
    // Nine and a few more digits decide every nanosecond of the largest unit.
    const digits = fraction.slice(0, 18);
    if (digits !== '') total += (BigInt(digits) * scale) / 10n ** BigInt(digits.length);
    if (total > LIMIT || whole.length > 40) throw invalid(`time: invalid duration ${quote(text)}`);
  }
  return Number(negative ? -total : total);
}

const quote = (text: string): string => JSON.stringify(text);

function invalid(message: string): Failure {
  return new Failure('invalid', 'DURATION_INVALID', message, {
    hint: 'write a number and a unit, such as 30s or 1m30s',
  });
}
