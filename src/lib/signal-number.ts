import { constants } from 'node:os';
import { Failure } from './error.ts';

const REALTIME_MIN = 34;
const REALTIME_MAX = 64;

/** Number of a signal given as name (`SIGTERM`, `term`, `RTMIN+3`) or number. Failure of kind `invalid` otherwise. */
export function signalNumber(text: string): number {
  const name = text.toUpperCase().replace(/^SIG/, '');
  const known: Record<string, number> = constants.signals;
  const realtime = /^RT(MIN\+|MAX-)(\d+)$/.exec(name);
  const number = /^\d+$/.test(name)
    ? Number(name)
    : realtime
      ? realtime[1] === 'MIN+'
        ? REALTIME_MIN + Number(realtime[2])
        : REALTIME_MAX - Number(realtime[2])
      : known[`SIG${name}`];
  if (number !== undefined && number >= 1 && number <= REALTIME_MAX) return number;
  throw new Failure('invalid', 'SIGNAL_INVALID', `invalid signal: ${text}`);
}
