import { randomUUID } from 'node:crypto';
import { makeInside } from '../host/inside-root.ts';
import { cacheKey } from './cache-key.ts';
import type { BuildSession } from './session.ts';
import { solveVertex } from './solve-vertex.ts';
import { sourceDateComponent } from './source-date.ts';
import type { StageState } from './stage-state.ts';
import type { Execution, SolvedVertex } from './vertex.ts';

/** WORKDIR makes the folder when the image does not have it. */
export async function workdirStep(
  session: BuildSession,
  state: StageState,
  path: string,
  step: number,
): Promise<{ vertex: SolvedVertex }> {
  const key = cacheKey(`WORKDIR ${path}`, {
    base: state.result,
    instruction: 'WORKDIR',
    path,
    ...sourceDateComponent(session.sourceDate),
  });
  const execute = async ({ trace }: BuildSession): Promise<Execution> => {
    await trace.missed(step, key, session.options);
    const parents = state.layers.map(({ id }) => id);
    await using snapshot = session.snapshots.prepare(`workdir-${randomUUID()}`, parents);
    const made = makeInside(snapshot.mount({ volatile: true }), path, 'folder');
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
