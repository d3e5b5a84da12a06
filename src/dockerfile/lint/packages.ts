import type { RunCommand } from './model.ts';
import type { ShellWord } from './shell.ts';

/** A command that a package manager runs. */
export interface PackageCommand {
  readonly manager: Manager;
  /** The word that names the manager. */
  readonly name: ShellWord;
  /** `install`, `add`, `update`, ... */
  readonly verb: ShellWord;
  readonly options: readonly ShellWord[];
  readonly packages: readonly ShellWord[];
  readonly command: RunCommand;
}

export type Manager = keyof typeof MANAGERS;

const MANAGERS = {
  'apt-get': ['-o', '-t', '-c', '--option', '--target-release', '--default-release', '--config-file'],
  apt: ['-o', '-t', '-c'],
  aptitude: ['-o', '-t'],
  apk: ['-X', '--repository', '-p', '--root', '-t', '--virtual', '--arch', '--cache-dir'],
  yum: ['-c', '--enablerepo', '--disablerepo'],
  dnf: ['-c', '--enablerepo', '--disablerepo'],
  microdnf: ['--enablerepo', '--disablerepo'],
  zypper: ['-p', '--root'],
  pip: [
    '-r',
    '--requirement',
    '-c',
    '--constraint',
    '-i',
    '--index-url',
    '--extra-index-url',
    '-t',
    '--target',
    '-e',
    '-f',
    '--find-links',
    '--prefix',
    '--root',
    '--timeout',
  ],
  npm: ['--prefix', '--registry', '-C'],
  gem: ['-v', '--version', '--source', '-i', '--install-dir'],
} as const;

/** The package manager's command in a shell command, through sudo and `python -m pip`; undefined for any other. */
export function packageCommand(command: RunCommand): PackageCommand | undefined {
  const words = command.words.slice(prefixLength(command.words));
  const [name, ...rest] = words;
  const manager = managerOf(name?.text ?? '');
  if (!name || !manager) return undefined;
  const withValue: readonly string[] = MANAGERS[manager];
  const options: ShellWord[] = [];
  const others: ShellWord[] = [];
  for (let index = 0; index < rest.length; index++) {
    const word = rest[index];
    if (!word) break;
    if (word.text.startsWith('-')) {
      options.push(word);
      if (withValue.includes(word.text)) index++;
    } else others.push(word);
  }
  const [verb, ...packages] = others;
  return verb ? { manager, name, verb, options, packages, command } : undefined;
}

/** Whether the command puts packages on the system or into the project. */
export function isInstall({ manager, verb }: PackageCommand): boolean {
  if (manager === 'apk') return verb.text === 'add';
  if (manager === 'npm') return ['install', 'i', 'add'].includes(verb.text);
  return verb.text === 'install' || (manager === 'zypper' && verb.text === 'in');
}

/** Whether one of the options is given, `-qy` counting as `-q` and `-y`. */
export function hasOption(command: PackageCommand, ...names: string[]): boolean {
  return command.options.some(({ text }) =>
    names.some((name) =>
      /^-[a-z]$/i.test(name)
        ? /^-[a-z]+$/i.test(text) && text.includes(name.slice(1))
        : text === name || text.startsWith(`${name}=`),
    ),
  );
}

function managerOf(name: string): Manager | undefined {
  const base = name.replace(/^.*\//, '');
  if (/^pip[23]?(\.\d+)?$/.test(base)) return 'pip';
  // The keys of MANAGERS are exactly the managers.
  return Object.hasOwn(MANAGERS, base) ? (base as Manager) : undefined;
}

/** `sudo -E`, `env A=b`, `exec` and `python3 -m` stand before the command proper. */
function prefixLength(words: readonly ShellWord[]): number {
  let index = 0;
  for (;;) {
    const text = words[index]?.text ?? '';
    if (/^python[23]?(\.\d+)?$/.test(text) && words[index + 1]?.text === '-m') return index + 2;
    if (!['sudo', 'env', 'exec', 'nice', 'command'].includes(text)) return index;
    index++;
    while (/^(-|[A-Za-z_]\w*=)/.test(words[index]?.text ?? '')) index++;
  }
}
