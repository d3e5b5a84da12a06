import { Failure, messageOf } from '../lib/error.ts';
import { formatPlatform, type Platform, parsePlatform } from '../oci/platform.ts';
import { sameImage } from './context-name.ts';
import { faultAt, withSource } from './failure.ts';
import { evaluateGlobalArgs, type GlobalArgs } from './global-args.ts';
import type { ArgInstruction, FromInstruction, Instruction } from './instruction.ts';
import type { Dockerfile } from './parse.ts';
import { nearest } from './suggest.ts';
import type { Expansion } from './word.ts';

export interface PlanOptions {
  /** Name or number of the stage to build; the last one when undefined or empty. */
  readonly target?: string | undefined;
  /** Null takes nothing: the ARG keeps its default. */
  readonly buildArgs: Readonly<Record<string, string | null>>;
  readonly buildPlatform: Platform;
  readonly targetPlatform: Platform;
  /** Names of `--build-context`; they stand before stages and images of that name. */
  readonly contexts?: readonly string[];
}

/** The stage graph of a Dockerfile for one target. */
export interface StagePlan {
  readonly dockerfile: Dockerfile;
  readonly options: PlanOptions;
  /** ARG instructions before the first FROM. */
  readonly globalInstructions: readonly ArgInstruction[];
  readonly globals: GlobalArgs;
  /** All stages in the order of the file. A stage only depends on earlier ones. */
  readonly stages: readonly Stage[];
  readonly target: Stage;
  /** The stages that the target needs, itself included, in the order of the file: dependencies come first. */
  readonly needed: readonly Stage[];
}

export interface Stage {
  readonly index: number;
  /** In lower case. */
  readonly name: string | undefined;
  /** `name`, or `stage-<index>`. */
  readonly title: string;
  readonly from: FromInstruction;
  readonly base: StageBase;
  /** `--platform` of FROM, expanded and normalised (`linux/arm64`). */
  readonly platform: string | undefined;
  /** What the base stage's ONBUILD instructions run at the start of this one. */
  readonly triggers: readonly Instruction[];
  /** Without FROM. */
  readonly instructions: readonly Instruction[];
  /** Indexes of the stages that this one starts from, copies from or mounts. */
  readonly dependencies: ReadonlySet<number>;
}

/** Far more than people write, and few enough to search in order. */
const STAGE_LIMIT = 5_000;
/** ENV and ARG of all stages, each with those of its base: every stage keeps a table of its own. */
const VARIABLE_LIMIT = 1 << 20;

export type StageBase = { readonly kind: 'scratch' } | StageSource;

/** What FROM, `COPY --from` and `--mount=from=` can name. */
export type StageSource =
  | { readonly kind: 'stage'; readonly index: number }
  | { readonly kind: 'context'; readonly name: string }
  | { readonly kind: 'image'; readonly name: string };

/**
 * Joins instructions to stages, expands FROM over the global ARGs, resolves names, and finds what the target needs.
 * Throws Failure with the place for instructions before FROM, unknown targets, blank bases, bad platforms, references
 * to later stages, cycles, and more variables than fit into memory.
 */
export function planStages(dockerfile: Dockerfile, options: PlanOptions): StagePlan {
  const groups = groupByStage(dockerfile);
  const targetGroup = findTarget(groups.stages, options.target);
  const globals = evaluateGlobalArgs(groups.globals, {
    ...options,
    escape: dockerfile.escape,
    targetStage: targetGroup.from.as ?? '',
  });
  const contexts = options.contexts ?? [];
  const stages: Stage[] = [];
  for (const group of groups.stages) {
    const image = expandImage(group.from, globals);
    const base = baseOf(image, group.from, stages, contexts);
    const triggers = base.kind === 'stage' ? triggersOf(stages[base.index]) : [];
    stages.push({
      index: group.index,
      name: group.from.as,
      title: titleOf(group),
      from: group.from,
      base,
      platform: expandPlatform(group.from, globals),
      triggers,
      instructions: group.instructions,
      dependencies: dependenciesOf({ ...group, base, triggers }, groups.stages, contexts),
    });
  }
  checkCycles(stages);
  checkVariables(stages);
  const target = stages[targetGroup.index];
  if (!target) throw new Failure('internal', 'STAGE_LOST', `stage ${targetGroup.index} was not planned`);
  const needed = reachable(stages, target);
  for (const stage of needed) checkOrder(stage, stages, contexts);
  return { dockerfile, options, globalInstructions: groups.globals, globals, stages, target, needed };
}

/** What `from` means in an instruction of `stage`: an earlier stage by name or number, a named context, or an image. */
export function resolveFrom(
  from: string,
  stage: { readonly index: number },
  stages: readonly { readonly name: string | undefined }[],
  contexts: readonly string[],
): StageSource {
  const context = contexts.find((name) => name.toLowerCase() === from.toLowerCase());
  if (context !== undefined) return { kind: 'context', name: context };
  const wanted = from.toLowerCase();
  const earlier = stages.slice(0, stage.index).findLastIndex(({ name }) => name === wanted);
  if (earlier >= 0) return { kind: 'stage', index: earlier };
  const later = stages.findIndex(({ name }) => name === wanted);
  if (later >= 0) return { kind: 'stage', index: later };
  if (/^[+-]?\d+$/.test(from)) {
    const index = Number(from);
    if (index < 0 || index >= stages.length)
      throw new Failure('invalid', 'STAGE_INDEX_INVALID', `invalid stage index ${from}`, {
        hint: stages.length === 1 ? 'there is one stage, number 0' : `stages are numbered 0 to ${stages.length - 1}`,
      });
    return { kind: 'stage', index };
  }
  const byImage = contexts.find((name) => sameImage(name, from));
  return byImage === undefined ? { kind: 'image', name: from } : { kind: 'context', name: byImage };
}

/** `--from` of COPY and `from=` of RUN's mounts, of ONBUILD none: those fire elsewhere. */
export function sourcesOf(instruction: Instruction): string[] {
  if (instruction.kind === 'COPY') return instruction.from === undefined ? [] : [instruction.from];
  if (instruction.kind !== 'RUN') return [];
  return instruction.mounts.flatMap(({ from }) => (from === undefined || from === 'scratch' ? [] : [from]));
}

/** A FROM and what follows it, before names are resolved. */
export interface StageGroup {
  readonly index: number;
  readonly name: string | undefined;
  readonly from: FromInstruction;
  readonly instructions: Instruction[];
}

/** Cuts a file at its FROM lines. Throws Failure when none comes first, for anything but ARG. */
export function groupByStage(dockerfile: Dockerfile): {
  globals: ArgInstruction[];
  stages: [StageGroup, ...StageGroup[]];
} {
  const globals: ArgInstruction[] = [];
  const stages: StageGroup[] = [];
  for (const instruction of dockerfile.instructions) {
    const current = stages.at(-1);
    if (stages.length > STAGE_LIMIT)
      throw faultAt(instruction.source, 'STAGES_TOO_MANY', `a Dockerfile may have at most ${STAGE_LIMIT} stages`);
    if (instruction.kind === 'FROM')
      stages.push({ index: stages.length, name: instruction.as, from: instruction, instructions: [] });
    else if (current) current.instructions.push(instruction);
    else if (instruction.kind === 'ARG') globals.push(instruction);
    else
      throw faultAt(
        instruction.source,
        'NO_STAGE',
        'no build stage in current context',
        'only ARG may stand before the first FROM',
      );
  }
  const [first, ...rest] = stages;
  if (!first)
    throw new Failure('invalid', 'NO_STAGE', 'dockerfile contains no stages to build', {
      hint: `${dockerfile.file} has no FROM`,
    });
  return { globals, stages: [first, ...rest] };
}

function titleOf(group: StageGroup): string {
  return group.name ?? `stage-${group.index}`;
}

function findTarget(stages: readonly [StageGroup, ...StageGroup[]], target: string | undefined): StageGroup {
  if (target === undefined || target === '') return stages.at(-1) ?? stages[0];
  const wanted = target.toLowerCase();
  const found =
    stages.findLast(({ name }) => name === wanted) ?? (/^\d+$/.test(target) ? stages[Number(target)] : undefined);
  if (found) return found;
  const names = stages.flatMap(({ name }) => name ?? []);
  const near = nearest(wanted, names);
  const list = names.length === 0 ? 'no stage has a name' : `the stages are ${names.join(', ')}`;
  throw new Failure('invalid', 'TARGET_UNKNOWN', `failed to reach build target ${target} in Dockerfile`, {
    hint: near === undefined ? list : `did you mean ${near}?`,
  });
}

function expandImage(from: FromInstruction, globals: GlobalArgs): string {
  const { text, missing } = expandGlobal(from.image, from, globals);
  if (text !== '') return text;
  const unset = [...missing][0];
  throw faultAt(
    from.source,
    'BASE_BLANK',
    `base name (${from.image}) should not be blank`,
    unset === undefined ? undefined : globalHint(unset, globals),
  );
}

function expandPlatform(from: FromInstruction, globals: GlobalArgs): string | undefined {
  if (from.platform === undefined) return undefined;
  const { text, missing } = expandGlobal(from.platform, from, globals);
  const unset = [...missing][0];
  const hint = unset === undefined ? undefined : globalHint(unset, globals);
  if (text === '')
    throw faultAt(from.source, 'PLATFORM_BLANK', `empty platform value from expression ${from.platform}`, hint);
  try {
    return formatPlatform(parsePlatform(text));
  } catch (error) {
    const message = `failed to parse platform ${from.platform}: ${messageOf(error)}`;
    throw faultAt(from.source, 'PLATFORM_INVALID', message, hint);
  }
}

function expandGlobal(word: string, from: FromInstruction, globals: GlobalArgs): Expansion {
  try {
    return globals.expand(word);
  } catch (error) {
    throw withSource(error, from.source);
  }
}

function globalHint(unset: string, globals: GlobalArgs): string {
  const near = nearest(unset, globals.values.keys());
  return near === undefined
    ? `$${unset} is not set: declare ARG ${unset}=<default> before the first FROM or pass --build-arg ${unset}=<value>`
    : `$${unset} is not set; did you mean $${near}?`;
}

function baseOf(
  image: string,
  from: FromInstruction,
  earlier: readonly Stage[],
  contexts: readonly string[],
): StageBase {
  const replaced = contexts.find((name) => from.as !== undefined && name.toLowerCase() === from.as);
  if (replaced !== undefined) return { kind: 'context', name: replaced };
  const index = earlier.findLastIndex(({ name }) => name === image.toLowerCase());
  if (index >= 0) return { kind: 'stage', index };
  const context = contexts.find((name) => sameImage(name, image));
  if (context !== undefined) return { kind: 'context', name: context };
  return image === 'scratch' ? { kind: 'scratch' } : { kind: 'image', name: image };
}

function triggersOf(base: Stage | undefined): Instruction[] {
  return (base?.instructions ?? []).flatMap((item) => (item.kind === 'ONBUILD' ? item.instruction : []));
}

function dependenciesOf(
  stage: StageGroup & { base: StageBase; triggers: readonly Instruction[] },
  stages: readonly StageGroup[],
  contexts: readonly string[],
): Set<number> {
  const dependencies = new Set<number>();
  if (stage.base.kind === 'stage') dependencies.add(stage.base.index);
  for (const instruction of [...stage.triggers, ...stage.instructions]) {
    for (const from of sourcesOf(instruction)) {
      try {
        const source = resolveFrom(from, stage, stages, contexts);
        if (source.kind === 'stage') dependencies.add(source.index);
      } catch (error) {
        throw withSource(error, instruction.source);
      }
    }
  }
  return dependencies;
}

function checkCycles(stages: readonly Stage[]): void {
  const done = new Set<Stage>();
  const open = new Set<Stage>();
  const visit = (stage: Stage): void => {
    if (done.has(stage)) return;
    if (open.has(stage))
      throw faultAt(stage.from.source, 'STAGE_CYCLE', `circular dependency detected on stage: ${stage.title}`);
    open.add(stage);
    for (const index of stage.dependencies) {
      const next = stages[index];
      if (next) visit(next);
    }
    open.delete(stage);
    done.add(stage);
  };
  for (const stage of stages) visit(stage);
}

function checkVariables(stages: readonly Stage[]): void {
  const counts: number[] = [];
  let all = 0;
  for (const { base, from, instructions, triggers } of stages) {
    let count = base.kind === 'stage' ? (counts[base.index] ?? 0) : 0;
    for (const instruction of [...triggers, ...instructions])
      if (instruction.kind === 'ARG') count += instruction.args.length;
      else if (instruction.kind === 'ENV') count += instruction.pairs.length;
    counts.push(count);
    all += count;
    if (all > VARIABLE_LIMIT)
      throw faultAt(
        from.source,
        'VARIABLES_TOO_MANY',
        `the stages up to this one have more than ${VARIABLE_LIMIT} variables together`,
        'each has those of its base stage too',
      );
  }
}

function reachable(stages: readonly Stage[], target: Stage): Stage[] {
  const found = new Set([target.index]);
  const open = [target];
  for (let stage = open.pop(); stage; stage = open.pop()) {
    for (const index of stage.dependencies) {
      const next = stages[index];
      if (!next || found.has(index)) continue;
      found.add(index);
      open.push(next);
    }
  }
  return stages.filter(({ index }) => found.has(index));
}

function checkOrder(stage: Stage, stages: readonly Stage[], contexts: readonly string[]): void {
  for (const instruction of stage.instructions) {
    for (const from of sourcesOf(instruction)) {
      const source = resolveFrom(from, stage, stages, contexts);
      if (source.kind !== 'stage' || source.index < stage.index) continue;
      const verb = instruction.kind === 'COPY' ? 'copy' : 'mount';
      throw faultAt(
        instruction.source,
        'STAGE_LATER',
        `cannot ${verb} from stage ${JSON.stringify(from)}, it needs to be defined before current stage ${JSON.stringify(stage.title)}`,
      );
    }
  }
}
