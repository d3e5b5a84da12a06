import type { RunInstruction } from '../../instruction.ts';
import type { LintModel, LintStage } from '../model.ts';
import { hasOption, isInstall, type Manager, type PackageCommand } from '../packages.ts';
import type { Rule } from '../rule.ts';
import type { ShellWord } from '../shell.ts';
import { hasMountOn, insertBehind, packageRuns, placeOf, removes } from './installs.ts';

export const installYes: Rule = {
  name: 'InstallYes',
  description: 'package managers do not ask questions',
  level: 'warning',
  codes: ['DL3014', 'DL3030', 'DL3034', 'DL3038'],
  *check(model) {
    for (const { run, commands } of packageRuns(model)) {
      for (const command of commands) {
        if (!ASKING.includes(command.manager) || !CHANGING.includes(command.verb.text)) continue;
        // apt-get's -qq implies -y.
        const quiet = command.options.some(({ text }) => text === '-qq');
        if (quiet || hasOption(command, '-y', '--yes', '--assume-yes', '--assumeyes', '--non-interactive', '-n'))
          continue;
        const edits = insertBehind(model, run, command, command.verb, ' -y');
        const message = `${command.name.text} ${command.verb.text} waits for an answer that nobody gives: add -y`;
        yield { instruction: run, at: placeOf(command, command.verb), message, edits };
      }
    }
  },
};

export const pinVersions: Rule = {
  name: 'PinVersions',
  description: 'packages are installed in a stated version',
  level: 'note',
  codes: ['DL3008', 'DL3013', 'DL3016', 'DL3018', 'DL3028', 'DL3033', 'DL3037', 'DL3041'],
  *check(model) {
    for (const { run, commands } of packageRuns(model)) {
      for (const command of commands) {
        const loose = isInstall(command) ? unpinned(command) : [];
        const [first] = loose;
        if (!first) continue;
        const names = loose
          .slice(0, 3)
          .map(({ text }) => text)
          .join(', ');
        const more = loose.length > 3 ? ` and ${loose.length - 3} more` : '';
        const message = `the version of ${names}${more} is left open: a later build may get another`;
        yield { instruction: run, at: placeOf(command, first), message };
      }
    }
  },
};

export const distUpgrade: Rule = {
  name: 'DistUpgrade',
  description: 'the base image is chosen, not upgraded',
  level: 'warning',
  codes: ['DL3005', 'DL3017', 'DL3031', 'DL3035', 'DL3039'],
  *check(model) {
    const verbs: Partial<Record<Manager, readonly string[]>> = {
      'apt-get': ['dist-upgrade', 'full-upgrade'],
      apt: ['dist-upgrade', 'full-upgrade'],
      apk: ['upgrade'],
      yum: ['update', 'upgrade'],
      dnf: ['update', 'upgrade'],
      zypper: ['update', 'up', 'dist-upgrade', 'dup'],
    };
    for (const { run, commands } of packageRuns(model)) {
      for (const command of commands) {
        if (!verbs[command.manager]?.includes(command.verb.text) || command.packages.length > 0) continue;
        const message = `${command.name.text} ${command.verb.text} replaces files of the base image, which then count twice: take a newer base`;
        yield { instruction: run, at: placeOf(command, command.verb), message };
      }
    }
  },
};

export const apkNoCache: Rule = {
  name: 'ApkNoCache',
  description: 'apk add takes --no-cache',
  level: 'warning',
  codes: ['DL3019'],
  *check(model) {
    for (const { run, commands } of packageRuns(model)) {
      if (hasMountOn(run, '/var/cache/apk', '/etc/apk/cache') || removes(model, run, '/var/cache/apk')) continue;
      for (const command of commands) {
        if (command.manager !== 'apk' || command.verb.text !== 'add' || hasOption(command, '--no-cache')) continue;
        const edits = insertBehind(model, run, command, command.verb, ' --no-cache');
        const message = 'the package index stays in the layer: add --no-cache';
        yield { instruction: run, at: placeOf(command, command.verb), message, edits };
      }
    }
  },
};

export const pipNoCache: Rule = {
  name: 'PipNoCache',
  description: 'pip install takes --no-cache-dir',
  level: 'warning',
  codes: ['DL3042'],
  *check(model) {
    const quiet = new Set<LintStage>();
    for (const stage of model.stages)
      if ((stage.parent && quiet.has(stage.parent)) || sets(stage, 'PIP_NO_CACHE_DIR')) quiet.add(stage);
    for (const { stage, run, commands } of packageRuns(model)) {
      const hasMount = hasMountOn(run, '/root/.cache/pip') || run.mounts.some(({ text }) => /\bpip\b/.test(text));
      if (hasMount || quiet.has(stage)) continue;
      for (const command of commands) {
        if (command.manager !== 'pip' || !isInstall(command) || hasOption(command, '--no-cache-dir')) continue;
        const edits = insertBehind(model, run, command, command.verb, ' --no-cache-dir');
        const message = 'the downloads stay in the layer: add --no-cache-dir';
        yield { instruction: run, at: placeOf(command, command.verb), message, edits };
      }
    }
  },
};

export const packageCacheClean: Rule = {
  name: 'PackageCacheClean',
  description: 'the RUN that installs with yum, dnf or zypper cleans their cache',
  level: 'warning',
  codes: ['DL3032', 'DL3036', 'DL3040'],
  *check(model) {
    for (const { run, commands } of packageRuns(model)) {
      const install = commands.find((command) => CACHING.includes(command.manager) && isInstall(command));
      if (!install || isCleaned(model, run, commands, install.manager)) continue;
      const message = `the cache of ${install.name.text} stays in the layer: end the RUN with && ${install.name.text} clean${install.manager === 'zypper' ? '' : ' all'}`;
      yield { instruction: run, at: placeOf(install, install.verb), message };
    }
  },
};

const ASKING: readonly Manager[] = ['apt-get', 'apt', 'aptitude', 'yum', 'dnf', 'microdnf', 'zypper'];
const CHANGING = ['install', 'in', 'upgrade', 'dist-upgrade', 'full-upgrade', 'remove', 'autoremove', 'purge'];
const CACHING: readonly Manager[] = ['yum', 'dnf', 'microdnf', 'zypper'];

function isCleaned(
  model: LintModel,
  run: RunInstruction,
  commands: readonly PackageCommand[],
  manager: Manager,
): boolean {
  const folder = `/var/cache/${manager === 'zypper' ? 'zypp' : manager === 'yum' ? 'yum' : 'dnf'}`;
  if (hasMountOn(run, folder) || removes(model, run, folder)) return true;
  return commands.some((command) => CACHING.includes(command.manager) && ['clean', 'cc'].includes(command.verb.text));
}

/** The packages of an install without a version; what is a path, an address or a variable is not judged. */
function unpinned(command: PackageCommand): ShellWord[] {
  if (command.manager === 'gem' && hasOption(command, '-v', '--version')) return [];
  return command.packages.filter(({ text }) => {
    if (/[$/]|^\.|\.(deb|rpm|apk|whl|gem|tgz)$/.test(text) && !(command.manager === 'npm' && text.startsWith('@')))
      return false;
    switch (command.manager) {
      case 'pip':
        return !/[=<>~]=|[<>]|@/.test(text);
      case 'npm':
        return !/.@/.test(text);
      case 'gem':
        return !text.includes(':');
      case 'yum':
      case 'dnf':
      case 'microdnf':
        return !/-\d/.test(text) && !text.startsWith('@');
      default:
        return !/[=~<>]/.test(text);
    }
  });
}

/** Whether a stage has a variable of that name. */
function sets(stage: LintStage, wanted: string): boolean {
  return stage.instructions.some(
    (instruction) =>
      (instruction.kind === 'ENV' && instruction.pairs.some(({ name }) => name === wanted)) ||
      (instruction.kind === 'ARG' && instruction.args.some(({ name }) => name === wanted)),
  );
}
