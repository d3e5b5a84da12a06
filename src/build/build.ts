import { unconsumedBuildArgs } from '../dockerfile/global-args.ts';
import type { Instruction } from '../dockerfile/instruction.ts';
import type { Stage } from '../dockerfile/stages.ts';
import { cancelled, Failure } from '../lib/error.ts';
import type { ImageId } from '../oci/digest.ts';
import type { StepInfo } from '../wire/build.ts';
import { addLabels, nop } from './config-change.ts';
import type { BuildSession } from './session.ts';
import { solveStage } from './solve-stage.ts';
import { advance, type SolvedStage, type StageState } from './stage-state.ts';

export interface BuiltImage {
  readonly image: ImageId;
  /** What FROM named; undefined for scratch. */
  readonly base: ImageId | undefined;
}

/**
 * Solves the stages that the target needs, each as soon as what it starts from is there, and returns the target's image.
 * The first failure stops the others; their clean-up has ended when this rejects.
 *
 * Within a stage (`solveStage`) steps follow each other, and the state between two of them is a value (`StageState`): config,
 * layers, variables. Metadata changes the config alone. A step that works on files has a key and is solved by `Vertices`; the
 * next one begins as soon as its layer can be stacked upon, while digests are still computed. The image of each step is made
 * behind the steps, in order, when the digests below it are known.
 */
export async function runBuild(outer: BuildSession): Promise<BuiltImage> {
  const stop = new AbortController();
  const session: BuildSession = { ...outer, signal: AbortSignal.any([outer.signal, stop.signal]) };
  const { plan } = session;
  const numbering = numberSteps(session);
  await session.emit({ type: 'plan', steps: numbering.steps, stages: plan.stages.length });
  for (const message of warningsOf(session)) await session.emit({ type: 'warning', message });
  for (let step = 0; step < plan.globalInstructions.length; step++) {
    await session.emit({ type: 'step-start', step, at: Date.now() });
    await session.emit({ type: 'step-done', step, image: undefined, at: Date.now() });
  }

  const solving = new Map<number, Promise<SolvedStage>>();
  const start = (stage: Stage, first: number | undefined): Promise<SolvedStage> => {
    // Stages are in the order of the file and depend on earlier ones only; each waits where it needs another.
    const result = Promise.resolve().then(async () => {
      const own = sessionOf(session, stage);
      return solveStage(own, stage, { first: first ?? (await numbering.addLate(stage)), solved });
    });
    result.catch((error: unknown) => stop.abort(error));
    solving.set(stage.index, result);
    return result;
  };
  /** A base image's trigger may need a stage that nothing in the file does: it begins then. */
  const solved = (index: number): Promise<SolvedStage> => {
    const stage = plan.stages[index];
    if (!stage) throw new Failure('internal', 'STAGE_UNKNOWN', `there is no stage ${index}`);
    return solving.get(index) ?? start(stage, undefined);
  };
  const results = plan.needed.map((stage) => start(stage, numbering.first.get(stage.index) ?? 0));
  await Promise.allSettled(results);
  await Promise.allSettled(solving.values()); // those that began late
  if (outer.signal.aborted) throw cancelled(outer.signal);
  if (stop.signal.aborted) throw stop.signal.reason;

  const target = await solved(plan.target.index);
  const state =
    numbering.labels === undefined ? target.state : await labelStep(session, target.state, numbering.labels);
  const image = await state.image;
  const declared = new Set([
    ...plan.globals.declared,
    ...(await Promise.all(results)).flatMap(({ scope }) => [...scope.declared]),
  ]);
  const unused = unconsumedBuildArgs(session.options.buildArgs, declared);
  if (unused.length > 0)
    await session.emit({ type: 'warning', message: `One or more build-args [${unused.join(' ')}] were not consumed` });
  if (!image.id)
    throw new Failure('invalid', 'NO_IMAGE', 'No image was generated. Is your Dockerfile empty?', {
      hint: 'add an instruction after FROM scratch',
    });
  return { image: image.id, base: state.baseImage };
}

/** What is odd about the Dockerfile; where rules look at it, only what none of them tells. */
function warningsOf({ plan, options }: BuildSession): string[] {
  const { warnings, directives } = plan.dockerfile;
  if (!options.lint) return warnings.map(({ message }) => message);
  const syntax = directives.syntax?.value;
  if (syntax === undefined || /^(docker\.io\/)?docker\/dockerfile(-upstream)?([:@]|$)/.test(syntax)) return [];
  return [`# syntax=${syntax} is not used: this host reads Dockerfiles itself`];
}

/** The session as a stage sees it: those of `--no-cache-filter` use no cache. */
function sessionOf(session: BuildSession, stage: Stage): BuildSession {
  const { options } = session;
  if (!options.noCacheFilter.some((name) => name.toLowerCase() === stage.name)) return session;
  return { ...session, options: { ...options, noCache: true } };
}

/** Gives every instruction that will run its number: global ARGs, then stage by stage FROM and what follows it. */
function numberSteps(session: BuildSession): {
  steps: StepInfo[];
  first: ReadonlyMap<number, number>;
  /** Number of the step that adds the labels of `--label`. */
  labels: number | undefined;
  /** Gives numbers to a stage that was not planned, and tells them; returns the first. */
  addLate: (stage: Stage) => Promise<number>;
} {
  const { plan } = session;
  const steps: StepInfo[] = [];
  const first = new Map<number, number>();
  let count = 0;
  const numbered = (instruction: Instruction, stage: Stage | undefined): StepInfo => ({
    index: count++,
    stage: stage?.index ?? 0,
    stageName: stage?.name,
    line: instruction.source.line,
    text: instruction.original,
    ...(stage && instruction === stage.from ? fromOf(stage) : {}),
    ...heredocOf(instruction),
  });
  const addLate = async (stage: Stage): Promise<number> => {
    const late = [stage.from, ...stage.instructions].map((instruction) => numbered(instruction, stage));
    await session.emit({ type: 'plan', steps: late, stages: plan.stages.length });
    return count - late.length;
  };
  for (const instruction of plan.globalInstructions) steps.push(numbered(instruction, undefined));
  for (const stage of plan.needed) {
    first.set(stage.index, count);
    for (const instruction of [stage.from, ...stage.instructions]) steps.push(numbered(instruction, stage));
  }
  const labels = Object.entries(session.options.labels);
  if (labels.length === 0) return { steps, first, labels: undefined, addLate };
  const text = `LABEL ${labels.map(([name, value]) => `${name}=${value}`).join(' ')}`;
  const index = count++;
  steps.push({ index, stage: plan.target.index, stageName: plan.target.name, line: 0, text });
  return { steps, first, labels: index, addLate };
}

function fromOf({ base }: Stage): Pick<StepInfo, 'from'> {
  return base.kind === 'image' || base.kind === 'context' ? { from: base } : {};
}

function heredocOf({ kind, heredocs }: Instruction): Pick<StepInfo, 'heredoc'> {
  const [only, second] = heredocs;
  if (kind !== 'RUN' || !only || second) return {};
  const [first = '', ...rest] = only.content.trim().split(/\r?\n/);
  return { heredoc: rest.length === 0 ? first : `${first}...` };
}

/** `--label`: one more step after the target's last instruction, its values taken as they are. */
async function labelStep(session: BuildSession, state: StageState, step: number): Promise<StageState> {
  await session.emit({ type: 'step-start', step, at: Date.now() });
  const { config, summary } = addLabels(state.config, Object.entries(session.options.labels));
  const labelled = advance(session, state, { config, createdBy: nop(summary, config) });
  const image = await labelled.image;
  if (image.known) await session.emit({ type: 'step-cached', step });
  await session.emit({ type: 'step-done', step, image: image.id, at: Date.now() });
  return labelled;
}
