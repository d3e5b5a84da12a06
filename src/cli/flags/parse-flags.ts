import { Failure, messageOf } from '../../lib/error.ts';
import type { Flag } from './flag.ts';

// biome-ignore lint/suspicious/noExplicitAny: a table holds flags of different values; ValuesOf gives each its own type
export type FlagTable = Readonly<Record<string, Flag<any>>>;
export type ValuesOf<Flags extends FlagTable> = {
  readonly [Name in keyof Flags]: Flags[Name] extends Flag<infer T> ? T : never;
};

export interface ParsedFlags<Flags extends FlagTable> {
  readonly values: ValuesOf<Flags>;
  /** Names of the flags that were given. */
  readonly given: ReadonlySet<keyof Flags>;
  readonly rest: readonly string[];
  readonly help: boolean;
}

/**
 * Parses command-line flags by the POSIX and GNU rules that Docker's clients follow: `-it`, `-p80:80`, `-p 80:80`,
 * `--name=x`, `--name x`, `--rm=false`, `--`. With `interspersed` false, flags end at the first argument.
 * A bad flag is a Failure with code FLAG_UNKNOWN or FLAG_VALUE.
 */
export function parseFlags<Flags extends FlagTable>(
  flags: Flags,
  argv: readonly string[],
  options: { interspersed: boolean },
): ParsedFlags<Flags> {
  const values: Record<string, unknown> = {};
  const longs = new Map<string, string>();
  const shorts = new Map<string, string>();
  for (const [key, flag] of Object.entries(flags)) {
    values[key] = flag.initial;
    longs.set(longName(key), key);
    if (flag.short !== undefined) shorts.set(flag.short, key);
  }
  const given = new Set<keyof Flags>();
  const rest: string[] = [];
  let help = false;

  const set = (key: string, value: string) => {
    const flag = flags[key];
    if (!flag) return;
    try {
      values[key] = flag.parse(value, values[key]);
    } catch (error) {
      const named = flag.short === undefined ? `--${longName(key)}` : `-${flag.short}, --${longName(key)}`;
      throw bad(`invalid argument "${value}" for "${named}" flag: ${messageOf(error)}`);
    }
    given.add(key);
  };

  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? '';
    if (argument === '--') {
      rest.push(...argv.slice(at + 1));
      break;
    }
    if (!argument.startsWith('-') || argument === '-') {
      rest.push(argument);
      if (options.interspersed) continue;
      rest.push(...argv.slice(at + 1));
      break;
    }
    if (argument.startsWith('--')) {
      const equals = argument.indexOf('=');
      const name = equals < 0 ? argument.slice(2) : argument.slice(2, equals);
      const key = longs.get(name);
      if (name === 'help' && key === undefined) {
        help = true;
        continue;
      }
      if (name === '') throw bad(`bad flag syntax: ${argument}`);
      if (key === undefined) throw new Failure('invalid', 'FLAG_UNKNOWN', `unknown flag: --${name}`);
      const implied = flags[key]?.implied;
      if (equals >= 0) set(key, argument.slice(equals + 1));
      else if (implied !== undefined) set(key, implied);
      else {
        const next = argv[++at];
        if (next === undefined) throw bad(`flag needs an argument: --${name}`);
        set(key, next);
      }
      continue;
    }
    const cluster = argument.slice(1);
    for (let index = 0; index < cluster.length; index++) {
      const letter = cluster[index] ?? '';
      const key = shorts.get(letter);
      if (key === undefined && letter === 'h') {
        help = true;
        continue;
      }
      if (key === undefined)
        throw new Failure('invalid', 'FLAG_UNKNOWN', `unknown shorthand flag: '${letter}' in ${argument}`);
      const implied = flags[key]?.implied;
      const tail = cluster.slice(index + 1);
      if (tail.startsWith('=')) {
        set(key, tail.slice(1));
        break;
      }
      if (implied !== undefined) {
        set(key, implied);
        continue;
      }
      const value = tail === '' ? argv[++at] : tail;
      if (value === undefined) throw bad(`flag needs an argument: '${letter}' in ${argument}`);
      set(key, value);
      break;
    }
  }
  // `values` has exactly the keys of `flags`, each made by its own flag's `initial` or `parse`.
  return { values: values as ValuesOf<Flags>, given, rest, help };
}

/** `noTrunc` as it is written on the command line: `no-trunc`. */
export function longName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function bad(message: string): Failure {
  return new Failure('invalid', 'FLAG_VALUE', message);
}
