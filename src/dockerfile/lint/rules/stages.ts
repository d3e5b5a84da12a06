import { resolveFrom, sourcesOf } from '../../stages.ts';
import type { LintModel, LintStage } from '../model.ts';
import type { Rule } from '../rule.ts';

export const duplicateStageName: Rule = {
  name: 'DuplicateStageName',
  description: 'every stage has a name of its own',
  level: 'warning',
  codes: ['DL3024'],
  *check({ stages }) {
    const seen = new Set<string>();
    for (const { name, from } of stages) {
      if (name === undefined) continue;
      if (seen.has(name))
        yield {
          instruction: from,
          at: from.original.length - name.length,
          message: `Duplicate stage name ${JSON.stringify(name)}, stage names should be unique`,
        };
      seen.add(name);
    }
  },
};

export const reservedStageName: Rule = {
  name: 'ReservedStageName',
  description: 'no stage is called scratch or context',
  level: 'warning',
  *check({ stages }) {
    for (const { name, from } of stages)
      if (name === 'scratch' || name === 'context')
        yield {
          instruction: from,
          at: from.original.length - name.length,
          message: `Stage name should not use the same name as reserved stage ${JSON.stringify(name)}`,
        };
  },
};

export const unusedStage: Rule = {
  name: 'UnusedStage',
  description: 'every stage serves the target',
  level: 'note',
  *check(model) {
    // Named stages behind the target are targets of their own.
    const needed = neededBy(model, [model.target]);
    for (const stage of model.stages) {
      if (needed.has(stage) || stage.index > model.target.index) continue;
      const title = stage.name === undefined ? `number ${stage.index}` : JSON.stringify(stage.name);
      yield { instruction: stage.from, message: `stage ${title} is not used by the target: it is never built` };
    }
  },
};

export const copyFromNumber: Rule = {
  name: 'CopyFromNumber',
  description: 'stages are copied from by name',
  level: 'note',
  codes: ['DL3022'],
  *check(model) {
    for (const { instructions } of model.stages) {
      for (const instruction of instructions) {
        if (instruction.kind !== 'COPY' || !/^\d+$/.test(instruction.from ?? '')) continue;
        const flag = instruction.flags.find(({ name }) => name === 'from');
        const written = `--from=${instruction.from}`;
        if (!flag || !instruction.original.startsWith(written, flag.at)) continue;
        const name = model.stages[Number(instruction.from)]?.name;
        const edit =
          name === undefined ? undefined : model.edit(instruction, flag.at, flag.at + written.length, `--from=${name}`);
        const message = `${written} breaks when a stage is added: refer to the stage by its name`;
        yield { instruction, at: flag.at, message, edits: edit && [edit] };
      }
    }
  },
};

function neededBy(model: LintModel, targets: readonly LintStage[]): Set<LintStage> {
  const found = new Set(targets);
  for (const stage of found) {
    if (stage.parent) found.add(stage.parent);
    for (const from of stage.instructions.flatMap(sourcesOf)) {
      const index = indexOf(model, stage, from);
      const source = index === undefined ? undefined : model.stages[index];
      if (source) found.add(source);
    }
  }
  return found;
}

function indexOf(model: LintModel, stage: LintStage, from: string): number | undefined {
  try {
    const source = resolveFrom(from, stage, model.stages, []);
    return source.kind === 'stage' ? source.index : undefined;
  } catch {
    return undefined; // the plan refuses it
  }
}
