import type { Instruction, RunInstruction } from '../../instruction.ts';
import { positionAt } from '../../position.ts';
import type { LintModel } from '../model.ts';
import { isInstall, type PackageCommand } from '../packages.ts';
import type { Rule, TextEdit } from '../rule.ts';
import { packageRuns, placeOf } from './installs.ts';
import { cleanPath } from './words.ts';

export const mergeRuns: Rule = {
  name: 'MergeRuns',
  description: 'RUN instructions that follow each other are one',
  level: 'note',
  codes: ['DL3059'],
  *check({ stages }) {
    for (const { instructions } of stages) {
      let count = 0;
      for (const [index, run] of instructions.entries()) {
        const before = instructions[index - 1];
        count = run.kind === 'RUN' && before?.kind === 'RUN' && sameFlags(before, run) ? count + 1 : 0;
        // Told once for each row of them.
        if (count === 1)
          yield { instruction: run, message: 'this RUN directly follows another: join them with && to one layer' };
      }
    }
  },
};

export const sortedArguments: Rule = {
  name: 'SortedArguments',
  description: 'packages that stand one to a line are in alphabetical order',
  level: 'note',
  *check(model) {
    for (const { run, commands } of packageRuns(model)) {
      for (const command of commands) {
        const { packages } = command;
        if (!isInstall(command) || packages.length < 3 || !oneToALine(run, command)) continue;
        const sorted = packages.map(({ raw }) => raw).sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
        const wrong = packages.findIndex(({ raw }, index) => raw !== sorted[index]);
        const first = packages[wrong];
        if (!first) continue;
        const message = `${first.raw} is out of alphabetical order, which hides duplicates and makes changes hard to read`;
        yield { instruction: run, at: placeOf(command, first), message, edits: reorder(model, run, command, sorted) };
      }
    }
  },
};

export const removedInLaterLayer: Rule = {
  name: 'RemovedInLaterLayer',
  description: 'what a COPY or ADD brought is not deleted by a later RUN',
  level: 'warning',
  *check(model) {
    for (const { instructions } of model.stages) {
      const brought = new Map<string, Instruction>();
      for (const instruction of instructions) {
        if (instruction.kind === 'COPY' || instruction.kind === 'ADD')
          for (const path of pathsOf(instruction)) brought.set(path, instruction);
        if (instruction.kind !== 'RUN') continue;
        for (const { words, base } of model.commands(instruction)) {
          if (words[0]?.text !== 'rm') continue;
          const gone = words.slice(1).find(({ text }) => brought.has(cleanPath(text)));
          const line = gone && brought.get(cleanPath(gone.text))?.source.line;
          if (!gone || line === undefined) continue;
          const message = `${gone.text} stays in the layer of line ${line}: rm frees nothing, use RUN --mount=type=bind or a stage`;
          yield { instruction, at: base === undefined ? undefined : base + gone.at, message };
        }
      }
    }
  },
};

function sameFlags(one: RunInstruction, other: RunInstruction): boolean {
  const flags = ({ flags: list }: RunInstruction) => JSON.stringify(list.map(({ name, value }) => [name, value]));
  return flags(one) === flags(other);
}

function oneToALine(run: RunInstruction, command: PackageCommand): boolean {
  const lines = command.packages.map((word) => {
    const at = placeOf(command, word);
    return at === undefined ? undefined : positionAt(run.segments, at).line;
  });
  return !lines.includes(undefined) && new Set(lines).size === lines.length;
}

/** Writes the sorted names into the places of the packages, unless a comment between them belongs to one. */
function reorder(
  model: LintModel,
  run: RunInstruction,
  command: PackageCommand,
  sorted: readonly string[],
): TextEdit[] | undefined {
  const edits: TextEdit[] = [];
  for (const [index, word] of command.packages.entries()) {
    const at = placeOf(command, word);
    if (at === undefined) return undefined;
    const edit = model.edit(run, at, at + word.raw.length, sorted[index] ?? word.raw);
    if (!edit) return undefined;
    edits.push(edit);
  }
  const text = model.dockerfile.text.slice(edits[0]?.start, edits.at(-1)?.end);
  return /^[^\S\n]*#/m.test(text) ? undefined : edits;
}

/** The paths in the image that an instruction is sure to make. */
function pathsOf(instruction: Instruction): string[] {
  if (instruction.kind !== 'COPY' && instruction.kind !== 'ADD') return [];
  const { sources, destination } = instruction;
  if (/[$"']/.test(destination)) return [];
  const names = sources
    .filter((source) => !/[$*?["']/.test(source))
    .map((source) => cleanPath(source).replace(/^.*\//, ''));
  return [cleanPath(destination), ...names.map((name) => cleanPath(`${destination}/${name}`))].filter(
    (path) => !/^[/.]?$/.test(path),
  );
}
