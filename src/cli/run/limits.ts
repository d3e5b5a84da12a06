import { Failure } from '../../lib/error.ts';
import type { Ulimit } from '../../wire/container.ts';

const ULIMITS = [
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
];

/** Parses `nofile=1024[:2048]`; -1 is unlimited. */
export function parseUlimit(text: string): Ulimit {
  const equals = text.indexOf('=');
  const name = text.slice(0, equals);
  const limits = text.slice(equals + 1);
  if (equals < 1 || limits === '') throw invalid(`invalid ulimit argument: ${text}`);
  if (!ULIMITS.includes(name)) throw invalid(`invalid ulimit type: ${name}`);
  const parts = limits.split(':');
  if (parts.length > 2)
    throw invalid(`too many limit value arguments - ${limits}, can only have up to two, \`soft[:hard]\``);
  const [soft = 0, hard = soft] = parts.map((part) => {
    if (!/^-?\d+$/.test(part)) throw invalid(`strconv.ParseInt: parsing "${part}": invalid syntax`);
    return Number(part);
  });
  if (hard !== -1 && (soft > hard || soft === -1))
    throw invalid(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  return { Name: name, Soft: soft, Hard: hard };
}

/** Parses a number of CPUs (`1.5`) into billionths. */
export function parseCpus(text: string): number {
  const number = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(number)) throw invalid(`failed to parse ${text} as a rational number`);
  const nano = number * 1e9;
  if (Math.abs(nano - Math.round(nano)) > 1e-3) throw invalid('value is too precise');
  return Math.round(nano);
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'LIMIT_INVALID', message);
}
