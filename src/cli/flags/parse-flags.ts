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
  const reader = new FlagReader(flags, argv);
  reader.read(options);
  const { given, rest, help } = reader;
  // `values` has exactly the keys of `flags`, each made by its own flag's `initial` or `parse`.
  return { values: reader.values as ValuesOf<Flags>, given, rest, help };
}

class FlagReader {
  readonly values: Record<string, unknown> = {};
  readonly given = new Set<string>();
  readonly rest: string[] = [];
  help = false;
  readonly #flags: FlagTable;
  readonly #longs = new Map<string, string>();
  readonly #shorts = new Map<string, string>();
  readonly #argv: readonly string[];
  #at = 0;

  constructor(flags: FlagTable, argv: readonly string[]) {
    this.#flags = flags;
    this.#argv = argv;
    for (const [key, flag] of Object.entries(flags)) {
      this.values[key] = flag.initial;
      this.#longs.set(longName(key), key);
      if (flag.short !== undefined) this.#shorts.set(flag.short, key);
    }
  }

  read({ interspersed }: { interspersed: boolean }): void {
    for (let argument = this.#next(); argument !== undefined; argument = this.#next()) {
      if (argument === '--') this.#takeRest();
      else if (!argument.startsWith('-') || argument === '-') {
        this.rest.push(argument);
        if (!interspersed) this.#takeRest();
      } else if (argument.startsWith('--')) this.#readLong(argument);
      else this.#readCluster(argument);
    }
  }

  /** `--name`, `--name=value`, `--name value`. */
  #readLong(argument: string): void {
    const equals = argument.indexOf('=');
    const name = equals < 0 ? argument.slice(2) : argument.slice(2, equals);
    const key = this.#longs.get(name);
    if (name === 'help' && key === undefined) {
      this.help = true;
      return;
    }
    if (name === '') throw bad(`bad flag syntax: ${argument}`);
    if (key === undefined) throw new Failure('invalid', 'FLAG_UNKNOWN', `unknown flag: --${name}`);
    const value = equals >= 0 ? argument.slice(equals + 1) : (this.#flags[key]?.implied ?? this.#next());
    if (value === undefined) throw bad(`flag needs an argument: --${name}`);
    this.#set(key, value);
  }

  /** `-it`, of which the last may have a value: `-p80`, `-p=80`, `-p 80`. */
  #readCluster(argument: string): void {
    for (let index = 1; index < argument.length; index++) {
      const letter = argument[index] ?? '';
      const key = this.#shorts.get(letter);
      if (key === undefined && letter === 'h') {
        this.help = true;
        continue;
      }
      if (key === undefined)
        throw new Failure('invalid', 'FLAG_UNKNOWN', `unknown shorthand flag: '${letter}' in ${argument}`);
      const implied = this.#flags[key]?.implied;
      const tail = argument.slice(index + 1);
      if (implied !== undefined && !tail.startsWith('=')) {
        this.#set(key, implied);
        continue;
      }
      const value = tail.startsWith('=') ? tail.slice(1) : tail === '' ? this.#next() : tail;
      if (value === undefined) throw bad(`flag needs an argument: '${letter}' in ${argument}`);
      this.#set(key, value);
      return;
    }
  }

  #set(key: string, value: string): void {
    const flag = this.#flags[key];
    if (!flag) return;
    try {
      this.values[key] = flag.parse(value, this.values[key]);
    } catch (error) {
      const named = flag.short === undefined ? `--${longName(key)}` : `-${flag.short}, --${longName(key)}`;
      throw bad(`invalid argument "${value}" for "${named}" flag: ${messageOf(error)}`);
    }
    this.given.add(key);
  }

  #next(): string | undefined {
    return this.#argv[this.#at++];
  }

  #takeRest(): void {
    this.rest.push(...this.#argv.slice(this.#at));
    this.#at = this.#argv.length;
  }
}

/** `noTrunc` as it is written on the command line: `no-trunc`. */
export function longName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function bad(message: string): Failure {
  return new Failure('invalid', 'FLAG_VALUE', message);
}
