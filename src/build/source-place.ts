import { resolveFrom, type Stage } from '../dockerfile/stages.ts';
import { Failure, type SourceRange } from '../lib/error.ts';
import type { SourcePlace } from './copy/copy-request.ts';
import { resolveImage } from './from-step.ts';
import type { BuildSession } from './session.ts';
import type { SolvedStage } from './stage-state.ts';

export interface SourceContext {
  readonly step: number;
  /** Another stage of this build, solved. */
  solved(index: number): Promise<SolvedStage>;
}

/** Where `from` looks for files: the build's context when undefined, else the layers of a stage or an image. */
export async function placeOf(
  session: BuildSession,
  stage: Stage,
  from: string | undefined,
  source: SourceRange,
  { step, solved }: SourceContext,
): Promise<SourcePlace> {
  if (from === undefined) return { kind: 'context', context: session.context };
  const place = resolveFrom(from, stage, session.plan.stages, []);
  const folder = session.store.layers.folder.bind(session.store.layers);
  switch (place.kind) {
    case 'stage': {
      const layers = await Promise.all((await solved(place.index)).state.layers.map(({ sealed }) => sealed));
      return { kind: 'layers', folders: layers.flatMap((layer) => (layer ? [folder(layer.id)] : [])) };
    }
    case 'image': {
      const { layers } = await resolveImage(session, place.name, undefined, step);
      return { kind: 'layers', folders: layers.map(({ id }) => folder(id)) };
    }
    case 'context':
      throw new Failure('unsupported', 'CONTEXT_UNSUPPORTED', `named context "${place.name}" is not supported yet`, {
        source,
      });
  }
}
