import { Failure } from '../../lib/error.ts';
import type { DeviceRate, Ulimit } from '../../wire/container.ts';
import { parseBytes } from '../flags/bytes.ts';

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

/** Parses `/dev/sda:1mb`, a rate in bytes. */
export function parseDeviceBytes(text: string): DeviceRate {
  const { path, value } = deviceValue(text);
  try {
    return { Path: path, Rate: parseBytes(value) };
  } catch (cause) {
    throw invalid(
      `invalid rate for device: ${text}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb`,
      cause,
    );
  }
}

/** Parses `/dev/sda:100`, a rate in operations. */
export function parseDeviceTimes(text: string): DeviceRate {
  const { path, value } = deviceValue(text);
  if (/^\d{1,15}$/.test(value)) return { Path: path, Rate: Number(value) };
  throw invalid(
    `invalid rate for device: ${text}. The correct format is <device-path>:<number>. Number must be a positive integer`,
  );
}

/** Parses `/dev/sda:200`. */
export function parseDeviceWeight(text: string): { Path: string; Weight: number } {
  const { path, value } = deviceValue(text);
  const weight = /^\d{1,4}$/.test(value) ? Number(value) : -1;
  if (weight !== 0 && (weight < 10 || weight > 1000)) throw invalid(`invalid weight for device: ${text}`);
  return { Path: path, Weight: weight };
}

function deviceValue(text: string): { readonly path: string; readonly value: string } {
  const [path = '', value = '', more] = text.split(':');
  if (path === '' || value === '' || more !== undefined) throw invalid(`bad format: ${text}`);
  if (!path.startsWith('/dev/')) throw invalid(`bad format for device path: ${text}`);
  return { path, value };
}

function invalid(message: string, cause?: unknown): Failure {
  return new Failure('invalid', 'LIMIT_INVALID', message, cause === undefined ? {} : { cause });
}
