import { isFailure } from '../lib/error.ts';
import type { Instruction, InstructionBase } from './instruction.ts';
import { resolveMount } from './mount.ts';
import { StageScope } from './stage-scope.ts';
import type { StagePlan } from './stages.ts';
import { expandWord } from './word.ts';

/** What can be given to a build of a target. Entries are in the order of the file, each once. */
export interface Outline {
  readonly name: string | undefined;
  readonly description: string | undefined;
  readonly args: readonly (OutlinePlace & {
    readonly name: string;
    readonly description: string | undefined;
    readonly value: string | undefined;
  })[];
  readonly secrets: readonly OutlineLoan[];
  readonly agents: readonly OutlineLoan[];
}

export interface OutlineLoan extends OutlinePlace {
  readonly id: string;
  readonly isRequired: boolean;
}

/** Lines count from 1. */
interface OutlinePlace {
  readonly line: number;
  readonly endLine: number;
}

/** Reads the instructions of the stages that the target needs; what cannot be read yet is left to its step. */
export function outlineOf(plan: StagePlan): Outline {
  const args = new Map<string, Outline['args'][number]>();
  const loans = { secret: new Map<string, OutlineLoan>(), ssh: new Map<string, OutlineLoan>() };
  const wanted = new Set<string>();
  const scopes = new Map<number, StageScope>();
  for (const stage of plan.needed) {
    for (const word of [stage.from.image, stage.from.platform ?? ''])
      for (const name of variablesOf(plan, word)) wanted.add(name);
    const parent = stage.base.kind === 'stage' ? scopes.get(stage.base.index) : undefined;
    const scope = new StageScope(plan, parent?.environment() ?? [], parent);
    scopes.set(stage.index, scope);
    for (const instruction of [...stage.triggers, ...stage.instructions])
      try {
        read(scope, instruction);
      } catch (error) {
        if (!isFailure(error)) throw error;
      }
  }
  readGlobals();
  const { target } = plan;
  const description = target.name === undefined ? undefined : describedBy(target.from, target.name);
  const inOrder = <T extends OutlinePlace>(entries: Map<string, T>) =>
    [...entries.values()].sort((a, b) => a.line - b.line);
  return {
    name: target.name,
    description,
    args: inOrder(args),
    secrets: inOrder(loans.secret),
    agents: inOrder(loans.ssh),
  };

  function read(scope: StageScope, instruction: Instruction): void {
    const { line, endLine } = instruction.source;
    if (instruction.kind === 'ENV')
      for (const { name, value } of instruction.pairs) scope.setEnv(name, scope.expand(value, instruction.source).text);
    else if (instruction.kind === 'ARG')
      for (const { name, value } of scope.declare(instruction)) {
        wanted.add(name);
        if (!args.has(name))
          args.set(name, { name, value, description: describedBy(instruction, name), line, endLine });
      }
    else if (instruction.kind === 'RUN')
      for (const flag of instruction.mounts) {
        const mount = resolveMount(flag, (word) => scope.expand(word, instruction.source).text);
        if (mount.type !== 'secret' && mount.type !== 'ssh') continue;
        const known = loans[mount.type].get(mount.id);
        const isRequired = mount.required || known?.isRequired === true;
        loans[mount.type].set(mount.id, { line, endLine, ...known, id: mount.id, isRequired });
      }
  }

  /** ARGs before the first FROM, as far as a stage, a FROM line or another of them that counts has a use for them. */
  function readGlobals(): void {
    for (const instruction of plan.globalInstructions.toReversed())
      for (const { name, default: word = '' } of instruction.args.toReversed()) {
        if (!wanted.has(name)) continue;
        for (const used of variablesOf(plan, word)) wanted.add(used);
        const { line, endLine } = instruction.source;
        const value = args.get(name)?.value ?? plan.globals.values.get(name);
        const description = describedBy(instruction, name) ?? args.get(name)?.description;
        args.set(name, { name, value, description, line, endLine });
      }
  }
}

/** The comment above an instruction that begins with the name of what it is about, without that name. */
export function describedBy({ comments }: InstructionBase, name: string): string | undefined {
  const about = comments
    .map(({ text }) => text.replace(/^#/, '').trim())
    .find((text) => text.toLowerCase().startsWith(`${name.toLowerCase()} `));
  return about?.slice(name.length).trim();
}

/** The variables that a word refers to. */
function variablesOf(plan: StagePlan, word: string): readonly string[] {
  const names: string[] = [];
  const note = (name: string) => {
    names.push(name);
    return plan.globals.values.get(name);
  };
  try {
    expandWord(word, note, { escape: plan.dockerfile.escape });
  } catch (error) {
    if (!isFailure(error)) throw error;
  }
  return names;
}
