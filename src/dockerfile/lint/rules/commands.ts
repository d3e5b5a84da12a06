import type { RunInstruction } from '../../instruction.ts';
import type { LintModel, RunCommand } from '../model.ts';
import type { Problem, Rule } from '../rule.ts';

export const noSudo: Rule = {
  name: 'NoSudo',
  description: 'RUN does not use sudo: USER says who runs',
  level: 'warning',
  codes: ['DL3004'],
  *check(model) {
    for (const [run, command] of runCommands(model))
      if (nameOf(command) === 'sudo')
        yield at(
          run,
          command,
          'sudo behaves differently without a terminal: switch with USER, or use gosu at run time',
        );
  },
};

export const workdirInsteadOfCd: Rule = {
  name: 'WorkdirInsteadOfCd',
  description: 'WORKDIR changes the folder, not RUN cd',
  level: 'warning',
  codes: ['DL3003'],
  *check(model) {
    for (const stage of model.stages) {
      for (const run of stage.instructions) {
        const first = run.kind === 'RUN' ? model.commands(run)[0] : undefined;
        if (run.kind === 'RUN' && first && nameOf(first) === 'cd')
          yield at(run, first, 'cd lasts for this RUN only: use WORKDIR');
      }
    }
  },
};

export const pipefail: Rule = {
  name: 'Pipefail',
  description: 'a RUN with a pipe fails when any part of it fails',
  level: 'warning',
  codes: ['DL4006'],
  *check(model) {
    for (const stage of model.stages) {
      const inherited = stage.parent?.last.get('SHELL');
      let chosen = inherited?.kind === 'SHELL' && inherited.shell.includes('pipefail');
      for (const run of stage.instructions) {
        if (run.kind === 'SHELL')
          chosen = run.shell.some((word) => word === 'pipefail') || !/(^|\/)(ba|z|a|da|k)?sh$/.test(run.shell[0] ?? '');
        if (run.kind !== 'RUN' || chosen) continue;
        const commands = model.commands(run);
        const pipe = commands.find(({ operator }) => operator === '|');
        const set = commands.some(
          ({ words }) => words[0]?.text === 'set' && words.some(({ text }) => text === 'pipefail'),
        );
        if (pipe && !set)
          yield at(
            run,
            pipe,
            'only the last command of a pipe decides: set SHELL ["/bin/bash", "-o", "pipefail", "-c"] before',
          );
      }
    }
  },
};

export const oneDownloader: Rule = {
  name: 'OneDownloader',
  description: 'a stage downloads with curl or with wget, not with both',
  level: 'note',
  codes: ['DL4001'],
  *check(model) {
    for (const stage of model.stages) {
      const used = new Set<string>();
      for (const run of stage.instructions) {
        for (const command of run.kind === 'RUN' ? model.commands(run) : []) {
          const name = nameOf(command);
          if (name !== 'curl' && name !== 'wget') continue;
          used.add(name);
          if (used.size < 2) continue;
          yield {
            instruction: run,
            at: placeOf(command),
            message: 'both curl and wget are used in this stage: one is enough',
          };
          used.clear();
        }
      }
    }
  },
};

export const wgetQuiet: Rule = {
  name: 'WgetQuiet',
  description: 'wget does not fill the log with its progress',
  level: 'note',
  codes: ['DL3047'],
  *check(model) {
    for (const [run, command] of runCommands(model)) {
      if (nameOf(command) !== 'wget') continue;
      const calm = command.words.some(({ text }) =>
        /^(--quiet|--no-verbose|--progress|-nv|--output-file|--append-output|-[a-zA-Z]*q)/.test(text),
      );
      if (!calm) yield at(run, command, 'wget prints its progress line by line: add --progress=dot:giga or -q');
    }
  },
};

export const uselessCommand: Rule = {
  name: 'UselessCommand',
  description: 'RUN does not call what makes no sense in a build',
  level: 'note',
  codes: ['DL3001'],
  *check(model) {
    const useless = [
      'ssh',
      'vim',
      'vi',
      'nano',
      'shutdown',
      'reboot',
      'service',
      'systemctl',
      'ps',
      'free',
      'top',
      'kill',
      'mount',
      'ifconfig',
    ];
    for (const [run, command] of runCommands(model)) {
      const name = nameOf(command);
      if (useless.includes(name) && !(name === 'systemctl' && command.words[1]?.text !== 'start'))
        yield at(run, command, `${name} has no effect that a layer keeps`);
    }
  },
};

export const shellInsteadOfLink: Rule = {
  name: 'ShellInsteadOfLink',
  description: 'SHELL chooses the shell, not a link over /bin/sh',
  level: 'warning',
  codes: ['DL4005'],
  *check(model) {
    for (const [run, command] of runCommands(model))
      if (nameOf(command) === 'ln' && command.words.at(-1)?.text === '/bin/sh')
        yield at(run, command, 'a link over /bin/sh changes every script of the image: use SHELL');
  },
};

export const useraddNoLogInit: Rule = {
  name: 'UseraddNoLogInit',
  description: 'useradd with a high UID takes --no-log-init',
  level: 'warning',
  codes: ['DL3046'],
  *check(model) {
    for (const [run, command] of runCommands(model)) {
      if (nameOf(command) !== 'useradd') continue;
      const texts = command.words.map(({ text }) => text);
      const uid = texts
        .map(
          (text, index) =>
            /^(?:--uid=|-u)(\d+)$/.exec(text)?.[1] ?? (/^(-u|--uid)$/.test(text) ? texts[index + 1] : undefined),
        )
        .find((found) => found !== undefined);
      const calm = texts.some((text) => text === '--no-log-init' || /^-[a-z]*l/i.test(text));
      if (!calm && Number(uid ?? 0) >= 100_000)
        yield at(run, command, 'useradd writes a sparse log file as large as the UID: add --no-log-init');
    }
  },
};

function* runCommands(model: LintModel): Generator<[RunInstruction, RunCommand]> {
  for (const { instructions } of model.stages)
    for (const run of instructions)
      if (run.kind === 'RUN') for (const command of model.commands(run)) yield [run, command];
}

function nameOf({ words }: RunCommand): string {
  return (words[0]?.text ?? '').replace(/^.*\//, '');
}

function placeOf({ base, words }: RunCommand): number | undefined {
  return base === undefined ? undefined : base + (words[0]?.at ?? 0);
}

function at(run: RunInstruction, command: RunCommand, message: string): Problem {
  return { instruction: run, at: placeOf(command), message };
}
