import { resolveFrom } from '../dockerfile/stages.ts';
import { nearest } from '../dockerfile/suggest.ts';
import { Failure, isFailure } from '../lib/error.ts';
import type { SourcePlace } from './copy/copy-request.ts';
import { resolveImage } from './from-step.ts';
import type { SealedLayer } from './needs.ts';
import type { BuildSession } from './session.ts';
import type { StepPlace } from './stage-state.ts';

/**
 * Where `from` looks for files: the build's context when undefined, else another one, or the layers of a stage or image.
 * `paths` are those that will be looked for.
 */
export async function findSource(
  { session, stage, step, solved }: Pick<StepPlace, 'session' | 'stage' | 'step' | 'solved'>,
  from: string | undefined,
  paths: readonly string[],
): Promise<SourcePlace> {
  if (from === undefined) return { kind: 'context', context: await session.context.at(paths) };
  const place = resolveFrom(from, stage, session.plan.stages, session.contexts.names);
  switch (place.kind) {
    case 'stage':
      // Those that the file needs were checked; the trigger of a base image was not.
      if (place.index >= stage.index)
        throw new Failure(
          'invalid',
          'STAGE_LATER',
          `stage ${JSON.stringify(from)} needs to be defined before ${stage.title}`,
        );
      return layersOf(session, await Promise.all((await solved(place.index)).state.layers.map(({ sealed }) => sealed)));
    case 'image':
      return imagePlace(session, place.name, step).catch((error: unknown) => {
        throw withStageMeant(error, place.name, session);
      });
    case 'context': {
      const opened = await session.contexts.open(place.name, session.platform);
      return opened.kind === 'image'
        ? imagePlace(session, opened.name, step)
        : { kind: 'context', context: await opened.context.at(paths) };
    }
  }
}

/** An image that cannot be had may be a stage with a slip in its name. */
function withStageMeant(error: unknown, name: string, { plan, contexts }: BuildSession): unknown {
  if (!isFailure(error) || isFailure(error, 'cancelled')) return error;
  const names = [...plan.stages.flatMap((stage) => stage.name ?? []), ...contexts.names];
  const near = nearest(name.toLowerCase(), names);
  const { kind, code, message } = error;
  if (near === undefined) return error;
  return new Failure(kind, code, message, {
    hint: `no stage has the name "${name}"; did you mean ${near}?`,
    cause: error,
  });
}

async function imagePlace(session: BuildSession, name: string, step: number): Promise<SourcePlace> {
  return layersOf(session, (await resolveImage(session, name, undefined, step)).layers);
}

function layersOf({ store }: BuildSession, layers: readonly (SealedLayer | undefined)[]): SourcePlace {
  return { kind: 'layers', folders: layers.flatMap((layer) => (layer ? [store.layers.folder(layer.id)] : [])) };
}
