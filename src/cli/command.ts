import { isFailure } from '../lib/error.ts';
import { type FlagTable, type ParsedFlags, parseFlags, type ValuesOf } from './flags/parse-flags.ts';
import type { Session } from './session.ts';

/** A command of `strake`, ready to run: what the command table holds. */
export interface Command {
  /** One line for command lists. */
  readonly short: string;
  /** Help text, for the name under which the command was called (`images`, `image ls`). */
  help(path: string, width: number): Promise<string>;
  /** Parses `argv`, runs, returns the exit code. */
  execute(session: Session, path: string, argv: readonly string[]): Promise<number>;
}

export interface CommandSpec<Flags extends FlagTable> {
  readonly short: string;
  /** What follows `[OPTIONS]`: `IMAGE [COMMAND] [ARG...]`; empty when nothing does. */
  readonly usage: string;
  /** How many arguments are allowed. */
  readonly count: readonly [min: number, max: number];
  readonly flags: Flags;
  /** All names of the command, for the help text. */
  readonly aliases?: readonly string[];
  /** False when flags end at the first argument. */
  readonly interspersed?: boolean;
  /** Returns the exit code; nothing means 0. */
  run(session: Session, call: Call<Flags>): Promise<number | undefined>;
}

export interface Call<Flags extends FlagTable> {
  readonly path: string;
  readonly flags: ValuesOf<Flags>;
  readonly given: ReadonlySet<keyof Flags>;
  readonly args: readonly string[];
}

/** Makes a command of its description. Wrong flags exit with 125 and wrong arguments with 1, as Docker's client does. */
export function defineCommand<Flags extends FlagTable>(spec: CommandSpec<Flags>): Command {
  return {
    short: spec.short,
    async help(path, width) {
      const { describeFlags } = await import('./flags/help-text.ts');
      const aliases = spec.aliases ?? [];
      const options = describeFlags(spec.flags, width);
      return [
        `Usage:  ${usageLine(spec, path)}\n\n${spec.short}\n`,
        aliases.length > 1 ? `\nAliases:\n  ${aliases.map((alias) => `strake ${alias}`).join(', ')}\n` : '',
        options === '' ? '' : `\nOptions:\n${options}\n`,
      ].join('');
    },
    async execute(session, path, argv) {
      let parsed: ParsedFlags<Flags>;
      try {
        parsed = parseFlags(spec.flags, argv, { interspersed: spec.interspersed ?? true });
      } catch (error) {
        if (!isFailure(error, 'invalid')) throw error;
        session.stderr.write(`${error.message}\n\n${usageHint(spec, path)}`);
        return 125;
      }
      if (parsed.help) {
        session.stdout.write(await this.help(path, session.stdout.columns ?? 80));
        return 0;
      }
      const complaint = countComplaint(spec.count, parsed.rest.length);
      if (complaint !== undefined) {
        session.stderr.write(`strake: 'strake ${path}' ${complaint}\n\n${usageHint(spec, path)}`);
        return 1;
      }
      const call = { path, flags: parsed.values, given: parsed.given, args: parsed.rest };
      return (await spec.run(session, call)) ?? 0;
    },
  };
}

function usageLine(spec: Pick<CommandSpec<FlagTable>, 'usage' | 'flags'>, path: string): string {
  const options = Object.keys(spec.flags).length === 0 ? [] : ['[OPTIONS]'];
  return ['strake', path, ...options, ...(spec.usage === '' ? [] : [spec.usage])].join(' ');
}

function usageHint(spec: Pick<CommandSpec<FlagTable>, 'usage' | 'flags'>, path: string): string {
  return `Usage:  ${usageLine(spec, path)}\n\nRun 'strake ${path} --help' for more information\n`;
}

function countComplaint([min, max]: readonly [number, number], count: number): string | undefined {
  if (count >= min && count <= max) return undefined;
  const plural = (n: number) => `${n} argument${n === 1 ? '' : 's'}`;
  if (max === 0) return 'accepts no arguments';
  if (min === max) return `requires ${plural(min)}`;
  if (max === Number.POSITIVE_INFINITY) return `requires at least ${plural(min)}`;
  if (min === 0) return `requires at most ${plural(max)}`;
  return `requires at least ${min} and at most ${plural(max)}`;
}
