import { withSource } from '../dockerfile/failure.ts';
import type { ArgInstruction, Instruction } from '../dockerfile/instruction.ts';
import type { DeclaredArg, StageScope } from '../dockerfile/stage-scope.ts';
import type { Stage } from '../dockerfile/stages.ts';
import { parseTrigger } from '../dockerfile/trigger.ts';
import { messageOf } from '../lib/error.ts';
import { nop } from './config-change.ts';
import { copyContext, copyStep } from './copy-step.ts';
import { fromStep } from './from-step.ts';
import { applyMetadata, type MetadataInstruction } from './metadata.ts';
import { runStep } from './run-step.ts';
import type { BuildSession } from './session.ts';
import { advance, type SolvedStage, type StageState, type StepPlace, type StepResult } from './stage-state.ts';
import { workdirStep } from './workdir-step.ts';

export interface StageSteps {
  /** Number of the FROM step; the stage's instructions follow it. */
  readonly first: number;
  /** Another stage of this build, solved. */
  solved(index: number): Promise<SolvedStage>;
}

/** Walks a stage from FROM to its last instruction. Resolves when its last image is made. */
export async function solveStage(session: BuildSession, stage: Stage, steps: StageSteps): Promise<SolvedStage> {
  const place = { session, stage, solved: steps.solved };
  const from = await inStep(session, steps.first, stage.from, async () => {
    const base = await fromStep(session, stage, steps.solved, steps.first);
    const triggers = [
      ...base.triggers.map((text) => parseTrigger(text, { escape: session.plan.dockerfile.escape })),
      ...stage.triggers,
    ];
    const start = base.content
      ? advance(
          session,
          base.state,
          await copyContext(session, base.state, base.content, { step: steps.first, site: stage.from.original }),
        )
      : base.state;
    if (triggers.length === 0) return { ...base, state: start };
    await session.emit({ type: 'step-triggers', step: steps.first, count: triggers.length });
    const { scope } = base;
    let state = start;
    for (const trigger of triggers)
      state = advance(session, state, await solveStep({ ...place, state, scope, step: steps.first }, trigger));
    return { state, scope };
  });
  const { scope } = from;
  let { state } = from;
  for (const [index, instruction] of stage.instructions.entries()) {
    const before = state;
    const step = steps.first + 1 + index;
    const after = await inStep(session, step, instruction, async () => ({
      state: advance(session, before, await solveStep({ ...place, state: before, scope, step }, instruction)),
    }));
    state = after.state;
  }
  await state.image;
  return { state, scope };
}

/** Says start and end of a step. The end is said when its image is made, which may be later than the next start. */
async function inStep<T extends { state: StageState }>(
  session: BuildSession,
  step: number,
  instruction: Instruction,
  work: () => Promise<T>,
): Promise<T> {
  session.signal.throwIfAborted();
  await session.emit({ type: 'step-start', step, at: Date.now() });
  try {
    const done = await work();
    const said = done.state.image.then(async (image) => {
      if (done.state.vertex?.cached ?? image.known) await session.emit({ type: 'step-cached', step });
      await session.emit({ type: 'step-done', step, image: image.id, at: Date.now() });
    });
    said.catch(() => {}); // the end of the stage awaits the image itself
    return done;
  } catch (error) {
    await session.emit({ type: 'step-failed', step, message: messageOf(error), at: Date.now() });
    throw withSource(error, instruction.source);
  }
}

async function solveStep(place: StepPlace, instruction: Instruction): Promise<StepResult> {
  const { state, scope } = place;
  switch (instruction.kind) {
    case 'FROM':
      throw new Error('FROM begins a stage and is not one of its instructions');
    case 'RUN':
      return runStep(place, instruction);
    case 'COPY':
    case 'ADD':
      return copyStep(place, instruction);
    case 'ARG':
      return { createdBy: nop(` ARG ${declare(scope, instruction)}`, state.config) };
    case 'WORKDIR': {
      const change = metadata(state, scope, instruction);
      return { ...change, ...(await workdirStep(place, change.config.WorkingDir ?? '/')) };
    }
    default:
      return metadata(state, scope, instruction);
  }
}

function metadata(state: StageState, scope: StageScope, instruction: MetadataInstruction) {
  const expand = (word: string) => scope.expand(word, instruction.source);
  const { config, summary } = applyMetadata(state.config, instruction, {
    expand,
    cmdIsInherited: state.cmdIsInherited,
  });
  if (instruction.kind === 'ENV') for (const entry of config.Env ?? []) setFrom(scope, entry);
  return {
    config,
    createdBy: nop(summary, config),
    ...(instruction.kind === 'MAINTAINER' ? { author: instruction.maintainer } : {}),
    ...(instruction.kind === 'CMD' ? { cmdIsInherited: false } : {}),
  };
}

function setFrom(scope: StageScope, entry: string): void {
  const at = entry.indexOf('=');
  scope.setEnv(entry.slice(0, at), entry.slice(at + 1));
}

function declare(scope: StageScope, instruction: ArgInstruction): string {
  const format = ({ name, default: value }: DeclaredArg) => (value === undefined ? name : `${name}=${value}`);
  return scope.declare(instruction).map(format).join(' ');
}
