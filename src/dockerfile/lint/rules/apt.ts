import type { RunInstruction } from '../../instruction.ts';
import type { LintModel } from '../model.ts';
import { hasOption, isInstall, type PackageCommand } from '../packages.ts';
import type { Rule, TextEdit } from '../rule.ts';
import { hasMountOn, packageRuns, placeOf, removes } from './installs.ts';

const LISTS = '/var/lib/apt/lists';

export const aptCleanLists: Rule = {
  name: 'AptCleanLists',
  description: 'the RUN that updates the package lists deletes them again',
  level: 'warning',
  codes: ['DL3009'],
  *check(model) {
    const runs = packageRuns(model);
    const lastUser = runs.findLastIndex(({ commands }) => commands.some(isApt) && !commands.some(isAptUpdate));
    for (const [index, { run, commands }] of runs.entries()) {
      const update = commands.find(isAptUpdate);
      if (!update || hasMountOn(run, LISTS) || removes(model, run, LISTS)) continue;
      const isUsedLater = index < lastUser; // a RUN that installs with these lists
      const edit = isUsedLater ? undefined : appendCommand(model, run, `rm -rf ${LISTS}/*`);
      const message = `the lists that ${update.name.text} update fetches stay in the layer: delete ${LISTS} in the same RUN`;
      yield { instruction: run, at: placeOf(update, update.name), message, edits: edit && [edit] };
    }
  },
};

export const aptGetInsteadOfApt: Rule = {
  name: 'AptGetInsteadOfApt',
  description: 'scripts use apt-get: the interface of apt is for people and may change',
  level: 'warning',
  codes: ['DL3027'],
  *check(model) {
    for (const { run, commands } of packageRuns(model)) {
      for (const command of commands) {
        if (command.manager !== 'apt') continue;
        const at = placeOf(command, command.name);
        const same = ['install', 'update', 'upgrade', 'remove', 'purge', 'autoremove', 'clean'].includes(
          command.verb.text,
        );
        const raw = command.name.raw;
        const edit =
          at === undefined || !same ? undefined : model.edit(run, at, at + raw.length, raw.replace(/apt$/, 'apt-get'));
        yield { instruction: run, at, message: 'apt is meant for people: use apt-get', edits: edit && [edit] };
      }
    }
  },
};

export const aptUpdateAlone: Rule = {
  name: 'AptUpdateAlone',
  description: 'apt-get update and install are one RUN',
  level: 'warning',
  *check(model) {
    for (const { run, commands } of packageRuns(model)) {
      const update = commands.find(isAptUpdate);
      if (!update || hasMountOn(run, LISTS) || commands.some((command) => isApt(command) && isInstall(command)))
        continue;
      const upgrades = commands.some((command) => isApt(command) && command.verb.text.includes('upgrade'));
      if (upgrades) continue;
      const message = 'the cache keeps these package lists while later installs change: install in the same RUN';
      yield { instruction: run, at: placeOf(update, update.name), message };
    }
  },
};

export const aptNoInstallRecommends: Rule = {
  name: 'AptNoInstallRecommends',
  description: 'apt-get install takes --no-install-recommends',
  level: 'note',
  codes: ['DL3015'],
  *check(model) {
    for (const { run, commands } of packageRuns(model)) {
      for (const command of commands) {
        if (!isApt(command) || !isInstall(command) || hasOption(command, '--no-install-recommends')) continue;
        if (/Install-Recommends=(0|false|no)/i.test(run.original)) continue;
        const message = 'recommended packages come too: add --no-install-recommends';
        yield { instruction: run, at: placeOf(command, command.verb), message };
      }
    }
  },
};

function isApt({ manager }: PackageCommand): boolean {
  return manager === 'apt-get' || manager === 'apt' || manager === 'aptitude';
}

function isAptUpdate(command: PackageCommand): boolean {
  return isApt(command) && command.verb.text === 'update';
}

/** Adds a command at the end of a RUN that is one chain of `&&`. */
function appendCommand(model: LintModel, run: RunInstruction, command: string): TextEdit | undefined {
  const commands = model.commands(run);
  const chained = commands.every(({ operator }, index) => operator === (index === 0 ? '' : '&&'));
  const end = commands.at(-1)?.words.at(-1);
  if (run.command.form === 'exec' || run.heredocs.length > 0 || !chained || end?.end !== run.command.text.length)
    return undefined;
  const last = run.segments.at(-1);
  const line = last === undefined ? '' : (model.lines[last.line - 1] ?? '');
  const separator = run.segments.length > 1 ? ` ${model.dockerfile.escape}\n${/^\s*/.exec(line)?.[0] ?? ''}` : ' ';
  const { length } = run.original;
  return model.edit(run, length - 1, length, `${run.original[length - 1]}${separator}&& ${command}`);
}
