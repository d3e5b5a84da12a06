import type { FlagWord } from './instruction.ts';
import { didYouMean } from './suggest.ts';
import { isSpace } from './text.ts';

/** Splits the leading `--flag[=value]` words off an instruction's arguments. `at` is the index of `text` in `original`. */
export function splitFlags(
  text: string,
  at: number,
  escapeCharacter: string,
): { flags: FlagWord[]; rest: string; restAt: number } {
  const flags: FlagWord[] = [];
  let index = 0;
  for (;;) {
    while (index < text.length && isSpace(text[index] ?? '')) index++;
    if (!text.startsWith('--', index)) return { flags, rest: text.slice(index), restAt: at + index };
    const start = index;
    let word = '';
    let quoted: string | undefined;
    for (; index < text.length; index++) {
      const character = text[index] ?? '';
      if (character === escapeCharacter) word += text[++index] ?? '';
      else if (quoted !== undefined) {
        if (character === quoted) quoted = undefined;
        else word += character;
      } else if (isSpace(character)) break;
      else if (character === '"' || character === "'") quoted = character;
      else word += character;
    }
    if (word === '--') return { flags, rest: text.slice(index), restAt: at + index };
    const equals = word.indexOf('=');
    const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
    flags.push({ name, value: equals < 0 ? undefined : word.slice(equals + 1), at: at + start });
  }
}

export type FlagKind = 'boolean' | 'text' | 'list';

/** Values of an instruction's flags after the check against what it knows. */
export interface FlagValues {
  text(name: string): string | undefined;
  boolean(name: string): boolean | undefined;
  list(name: string): string[];
  /** A fault in the value of this flag, the `index`-th one of that name. */
  fault(name: string, message: string, index?: number): FlagFault;
}

/** Why a flag is refused, and where. */
export class FlagFault extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** Throws FlagFault for flags that are unknown, repeated or without the value that they need. */
export function checkFlags(flags: readonly FlagWord[], known: Readonly<Record<string, FlagKind>>): FlagValues {
  const seen = new Map<string, string[]>();
  for (const flag of flags) {
    const kind = Object.hasOwn(known, flag.name) ? known[flag.name] : undefined;
    if (kind === undefined)
      throw new FlagFault(flag.at, `unknown flag: --${flag.name}${didYouMean(flag.name, Object.keys(known))}`);
    const values = seen.get(flag.name) ?? [];
    if (values.length > 0 && kind !== 'list') throw new FlagFault(flag.at, `duplicate flag specified: --${flag.name}`);
    if (flag.value === undefined ? kind !== 'boolean' : kind === 'boolean' && flag.value === '')
      throw new FlagFault(flag.at, `missing a value on flag: --${flag.name}`);
    if (kind === 'boolean' && !/^(true|false)?$/i.test(flag.value ?? ''))
      throw new FlagFault(flag.at, `expecting boolean value for flag --${flag.name}, not: ${flag.value}`);
    values.push(flag.value ?? 'true');
    seen.set(flag.name, values);
  }
  return {
    text: (name) => seen.get(name)?.[0],
    boolean: (name) => {
      const value = seen.get(name)?.[0];
      return value === undefined ? undefined : value.toLowerCase() === 'true';
    },
    list: (name) => seen.get(name) ?? [],
    fault: (name, message, index = 0) =>
      new FlagFault(flags.filter((flag) => flag.name === name)[index]?.at ?? 0, message),
  };
}
