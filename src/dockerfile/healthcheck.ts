import { parseDuration } from '../lib/duration.ts';
import { messageOf } from '../lib/error.ts';
import { ArgumentFault, parseCommandLine } from './arguments.ts';
import type { FlagValues } from './flags.ts';
import type { HealthcheckCommand } from './instruction.ts';
import { cutAtSpace } from './text.ts';

const MILLISECOND = 1_000_000;

/** `NONE` (undefined) or `CMD command` with its options. */
export function parseHealthcheck(rest: string, flags: FlagValues): HealthcheckCommand | undefined {
  const [word, text = ''] = cutAtSpace(rest);
  const type = word.toUpperCase();
  if (type === '') throw new ArgumentFault('HEALTHCHECK requires at least one argument');
  if (type === 'NONE') {
    if (text !== '') throw new ArgumentFault('HEALTHCHECK NONE takes no arguments', word.length + 1);
    return undefined;
  }
  if (type !== 'CMD') throw new ArgumentFault(`Unknown type ${JSON.stringify(type)} in HEALTHCHECK (try CMD)`, 0);
  const command = parseCommandLine(text);
  if (command.form === 'exec' ? command.argv.length === 0 : text === '')
    throw new ArgumentFault('Missing command after HEALTHCHECK CMD');
  return {
    command,
    interval: interval(flags, 'interval'),
    timeout: interval(flags, 'timeout'),
    startPeriod: interval(flags, 'start-period'),
    startInterval: interval(flags, 'start-interval'),
    retries: retries(flags),
  };
}

function interval(flags: FlagValues, name: string): number {
  const value = flags.text(name);
  if (value === undefined || value === '') return 0;
  let duration: number;
  try {
    duration = parseDuration(value);
  } catch (error) {
    throw flags.fault(name, messageOf(error));
  }
  if (duration !== 0 && duration < MILLISECOND)
    throw flags.fault(name, `Interval ${JSON.stringify(name)} cannot be less than 1ms`);
  return duration;
}

function retries(flags: FlagValues): number {
  const value = flags.text('retries');
  if (value === undefined || value === '') return 0;
  if (!/^[+-]?\d{1,10}$/.test(value) || Math.abs(Number(value)) >= 2 ** 31)
    throw flags.fault('retries', `--retries must be a number, not ${JSON.stringify(value)}`);
  if (Number(value) < 0) throw flags.fault('retries', `--retries cannot be negative (${Number(value)})`);
  return Number(value);
}
