import { randomUUID } from 'node:crypto';
import { kindInside, makeInside } from '../host/inside-root.ts';
import { Failure, isFailure, systemCode } from '../lib/error.ts';
import { cacheKey } from './cache-key.ts';
import { type Owner, resolveOwner } from './copy/owner.ts';
import { StackedFolders } from './copy/stacked-folders.ts';
import type { BuildSession } from './session.ts';
import { solveVertex } from './solve-vertex.ts';
import { sourceDateComponent } from './source-date.ts';
import type { StageState, StepPlace } from './stage-state.ts';
import type { Execution, SolvedVertex } from './vertex.ts';

const ROOT: Owner = { uid: 0, gid: 0 };

/** WORKDIR makes the folder when the image does not have it, as one of the USER. */
export async function workdirStep(
  { session, state, step }: StepPlace,
  path: string,
): Promise<{ vertex: SolvedVertex }> {
  const key = cacheKey(`WORKDIR ${path}`, {
    base: state.result,
    instruction: 'WORKDIR',
    path,
    user: state.config.User || undefined,
    ...sourceDateComponent(session.sourceDate),
  });
  const execute = async ({ trace }: BuildSession): Promise<Execution> => {
    await trace.missed(step, key, session.options);
    const parents = state.layers.map(({ id }) => id);
    await using snapshot = session.snapshots.prepare(`workdir-${randomUUID()}`, parents);
    const root = snapshot.mount({ volatile: true });
    const made = makeFolder(root, path, ownerOf(session, state));
    if (made.length === 0) return { layer: undefined, result: key.digest };
    const layer = snapshot.commit(session.signal, { newest: session.sourceDate });
    if (session.sourceDate !== undefined) await layer.sealed; // times change until then, and the next step can see them
    return { layer, result: key.digest };
  };
  const useCache = !session.options.noCache;
  const vertex = await solveVertex(session, step, key, { useCache, execute });
  session.trace.solved(step, key, vertex);
  return { vertex };
}

/** Gives the paths made. Something else may be there, or on the way. */
function makeFolder(root: string, path: string, owner: Owner): string[] {
  const refused = () => new Failure('invalid', 'WORKDIR_INVALID', `Cannot mkdir: ${path} is not a directory`);
  try {
    const made = makeInside(root, path, 'folder', { owner });
    if (kindInside(root, path) !== 'folder') throw refused();
    return made;
  } catch (error) {
    throw systemCode(error) === 'ENOTDIR' ? refused() : error;
  }
}

/** An unknown user is a matter of the RUN that needs one: a later step may still create it. */
function ownerOf({ store }: BuildSession, { config, layers }: StageState): Owner {
  if (!config.User) return ROOT;
  try {
    return resolveOwner(config.User, new StackedFolders(layers.map(({ id }) => store.layers.folder(id))));
  } catch (error) {
    if (isFailure(error, 'not-found')) return ROOT;
    throw error;
  }
}
