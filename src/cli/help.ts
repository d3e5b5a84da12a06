import { editDistance } from '../lib/edit-distance.ts';
import { own } from '../lib/own.ts';
import { COMMANDS, findCommand, GROUPS, type Group } from './command-table.ts';
import { describeCommands, describeFlags } from './flags/help-text.ts';
import type { FlagTable } from './flags/parse-flags.ts';

const COMMON = ['run', 'exec', 'ps', 'build', 'pull', 'push', 'images', 'login', 'logout', 'search', 'version', 'info'];

/** Help for a command, a group or, without words, for all; undefined when the words name nothing. */
export async function helpFor(words: readonly string[], flags: FlagTable, width: number): Promise<string | undefined> {
  const [first, second] = words;
  if (first === undefined) return await overview(flags, width);
  const group = own(GROUPS, first);
  if (group && second === undefined) return await groupHelp(first, group);
  const found = await findCommand(words);
  return await found?.command.help(found.path, width);
}

/** What to say to words that are no command. A group's name alone asks for its help. */
export async function complain(words: readonly string[]): Promise<{ text: string; exitCode: number }> {
  const [first = '', second] = words;
  const group = own(GROUPS, first);
  if (group && (second === undefined || second === '--help' || second === '-h'))
    return { text: await groupHelp(first, group), exitCode: 0 };
  const flag = words.slice(1).find((word) => /^-./.test(word));
  if (flag !== undefined && !group)
    return {
      text: `unknown flag: ${flag.split('=')[0]}\n\nUsage:  strake [OPTIONS] COMMAND [ARG...]\n\nRun 'strake --help' for more information\n`,
      exitCode: 125,
    };
  const path = group ? `${first} ${second}` : first;
  const names = group ? Object.keys(group.commands) : [...Object.keys(COMMANDS), ...Object.keys(GROUPS)];
  const near = nearest(group ? (second ?? '') : first, names);
  const guess = near === undefined ? '' : `\nDid you mean: strake ${group ? `${first} ${near}` : near}\n`;
  const help = group ? `strake ${first}` : 'strake';
  return {
    text: `strake: unknown command: strake ${path}\n${guess}\nRun '${help} --help' for more information\n`,
    exitCode: 1,
  };
}

async function overview(flags: FlagTable, width: number): Promise<string> {
  const rest = Object.keys(COMMANDS).filter((name) => !COMMON.includes(name));
  return [
    'Usage:  strake [OPTIONS] COMMAND\n',
    'Builds, stores, ships and runs container images\n',
    `Common Commands:\n${await listed(COMMANDS, COMMON)}\n`,
    `Management Commands:\n${describeCommands(Object.entries(GROUPS).map(([name, { short }]) => ({ name, short })))}\n`,
    `Commands:\n${await listed(COMMANDS, rest)}\n`,
    `Global Options:\n${describeFlags(flags, width)}\n`,
    "Run 'strake COMMAND --help' for more information on a command.\n",
  ].join('\n');
}

async function groupHelp(name: string, group: Group): Promise<string> {
  return [
    `Usage:  strake ${name} COMMAND\n`,
    `${group.short}\n`,
    `Commands:\n${await listed(group.commands, Object.keys(group.commands).sort())}\n`,
    `Run 'strake ${name} COMMAND --help' for more information on a command.\n`,
  ].join('\n');
}

async function listed(commands: Group['commands'], names: readonly string[]): Promise<string> {
  const rows = names.map(async (name) => ({ name, short: (await commands[name]?.())?.short ?? '' }));
  return describeCommands(await Promise.all(rows));
}

/** The name that differs from `word` in few letters, or that it begins. */
function nearest(word: string, names: readonly string[]): string | undefined {
  const most = Math.max(1, Math.floor(word.length / 3));
  const distanceOf = (name: string) =>
    word.length > 1 && name.startsWith(word) ? 1 : editDistance(word, name, most + 1);
  const scored = names.map((name) => ({ name, distance: distanceOf(name) })).sort((a, b) => a.distance - b.distance);
  const best = scored[0];
  return best && best.distance <= most ? best.name : undefined;
}
