import { Failure } from '../../lib/error.ts';

const POWER: Readonly<Record<string, number>> = { '': 0, b: 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** Parses a size with binary units as memory flags take it: `64m`, `1.5GiB`, `512`. Returns bytes. */
export function parseBytes(value: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+) ?([kmgtp]?)(?:i?b)?$/i.exec(value);
  const number = Number(match?.[1]);
  const power = POWER[(match?.[2] ?? '').toLowerCase()] ?? 0;
  const size = Math.trunc(number * 1024 ** power);
  if (!match || !Number.isSafeInteger(size)) throw new Failure('invalid', 'SIZE_INVALID', `invalid size: '${value}'`);
  return size;
}
