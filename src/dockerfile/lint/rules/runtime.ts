import type { CommandLine } from '../../instruction.ts';
import type { Rule } from '../rule.ts';
import { splitShell } from '../shell.ts';
import { cleanPath } from './words.ts';

export const rootUser: Rule = {
  name: 'RootUser',
  description: 'the container does not run as root',
  level: 'note',
  codes: ['DL3002'],
  *check({ target }) {
    const user = target.last.get('USER');
    if (user?.kind === 'USER' && /^(root|0)(:|$)/.test(user.user))
      yield { instruction: user, message: 'the last USER is root: switch back to an unprivileged user' };
    const unknown = target.image !== 'scratch' && !target.base;
    if (!user && (unknown || /^(|root|0)(:|$)/.test(target.base?.user ?? '')))
      yield {
        instruction: target.from,
        message: 'no USER is set: unless the base image sets one the container runs as root',
      };
  },
};

export const oneProcess: Rule = {
  name: 'OneProcess',
  description: 'a container runs one program',
  level: 'note',
  *check({ stages }) {
    for (const instruction of stages.flatMap((stage) => stage.instructions)) {
      if (instruction.kind !== 'CMD' && instruction.kind !== 'ENTRYPOINT') continue;
      const commands = splitShell(scriptOf(instruction.command));
      const manager = commands.find(({ words }) =>
        /(^|\/)(supervisord|runsvdir|s6-svscan|service)$/.test(words[0]?.text ?? ''),
      );
      const background = commands.some(({ operator }) => operator === '&');
      if (manager || background)
        yield {
          instruction,
          message: 'several programs in one container cannot be stopped, watched and updated one by one',
        };
    }
  },
};

export const fixedIpAddress: Rule = {
  name: 'FixedIpAddress',
  description: 'no address of another machine is built in',
  level: 'note',
  *check({ stages }) {
    for (const instruction of stages.flatMap((stage) => stage.instructions)) {
      if (!['ENV', 'CMD', 'ENTRYPOINT'].includes(instruction.kind)) continue;
      const found = /(?<![\w.-])(?!0\.|127\.|255\.)(\d{1,3}(?:\.\d{1,3}){3})(?![\w.-])/.exec(instruction.original);
      if (found)
        yield {
          instruction,
          at: found.index,
          message: `${found[1]} is of one network only: use a name, set when the container starts`,
        };
    }
  },
};

export const writeAfterVolume: Rule = {
  name: 'WriteAfterVolume',
  description: 'nothing writes to a path after VOLUME has declared it',
  level: 'warning',
  *check(model) {
    for (const { instructions } of model.stages) {
      const volumes = new Set<string>();
      for (const instruction of instructions) {
        if (instruction.kind === 'VOLUME') for (const path of instruction.paths) volumes.add(cleanPath(path));
        if (instruction.kind !== 'RUN' || volumes.size === 0) continue;
        for (const { words, base } of model.commands(instruction)) {
          if (!WRITERS.includes(words[0]?.text ?? '')) continue;
          const hit = words.slice(1).find(({ text }) => isBelowOne(cleanPath(text), volumes));
          if (!hit) continue;
          const message = `${hit.text} is a volume by now, and changes to it may be lost: move VOLUME to the end`;
          yield { instruction, at: base === undefined ? undefined : base + hit.at, message };
        }
      }
    }
  },
};

const WRITERS = ['mkdir', 'chown', 'chmod', 'touch', 'cp', 'mv', 'rm', 'ln', 'install', 'tee'];

/** The kernel takes no longer path. */
const LONGEST_PATH = 4096;

/** Whether a path is one of the folders or below one. */
function isBelowOne(path: string, folders: ReadonlySet<string>): boolean {
  if (path.length > LONGEST_PATH) return false;
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1))
    if (folders.has(path.slice(0, end))) return true;
  return false;
}

function scriptOf(command: CommandLine): string {
  if (command.form === 'shell') return command.text;
  const [, flag, script] = command.argv;
  return flag === '-c' && script !== undefined ? script : (command.argv[0] ?? '');
}
