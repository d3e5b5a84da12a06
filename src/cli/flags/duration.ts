import { Failure } from '../../lib/error.ts';

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Parses a duration as Docker's clients write it (`1h2m3.5s`, `300ms`, `0`) into nanoseconds. */
export function parseGoDuration(value: string): number {
  const unsigned = value.replace(/^[+-]/, '');
  const sign = value.startsWith('-') ? -1 : 1;
  if (unsigned === '0') return 0;
  if (!/^((\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$/.test(unsigned)) {
    const missing = /^(\d+\.?\d*|\.\d+)$/.test(unsigned);
    throw new Failure(
      'invalid',
      'DURATION_INVALID',
      missing ? `time: missing unit in duration "${value}"` : `time: invalid duration "${value}"`,
    );
  }
  let total = 0;
  for (const [, number, unit] of unsigned.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g))
    total += Number(number) * (NANOSECONDS[unit ?? ''] ?? 0);
  return sign * Math.round(total);
}
