import { readFileSync } from 'node:fs';
import { Failure } from '../lib/error.ts';

const KINDS = {
  cpus: { online: '/sys/devices/system/cpu/online', words: 'CPUs' },
  mems: { online: '/sys/devices/system/node/online', words: 'memory nodes' },
} as const;
const NUMBERS = 8192;

/**
 * Checks `--cpuset-cpus` or `--cpuset-mems` (`0-3,5`) against what the machine has (`online` in the same form, read
 * from the kernel when left out). Throws `invalid` Failures in Docker's words.
 */
export function checkCpuSet(kind: keyof typeof KINDS, asked: string, online = readOnline(kind)): void {
  if (asked === '') return;
  const wanted = parseSet(asked);
  if (!wanted) throw invalid(`Invalid value ${asked} for cpuset ${kind}: invalid format: ${asked}`);
  const available = online === undefined ? undefined : parseSet(online);
  if (available && ![...wanted].every((number) => available.has(number)))
    throw invalid(`Requested ${KINDS[kind].words} are not available - requested ${asked}, available: ${online}`);
}

/** The numbers of a list as the kernel writes it; undefined when it is none. */
function parseSet(text: string): Set<number> | undefined {
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    const range = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part);
    if (!range) return undefined;
    const first = Number(range[1]);
    const last = Number(range[2] ?? range[1]);
    if (first > last || last >= NUMBERS) return undefined;
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return numbers;
}

/** Undefined on a kernel that does not tell. */
function readOnline(kind: keyof typeof KINDS): string | undefined {
  try {
    return readFileSync(KINDS[kind].online, 'utf8').trim();
  } catch {
    return undefined;
  }
}

const invalid = (message: string) => new Failure('invalid', 'CPUSET_INVALID', message);
