import { join } from 'node:path';
import { Failure } from '../lib/error.ts';
import { comparePaths, type LayerEntry } from '../tar/layer-entry.ts';
import { readLayerIndex } from '../tar/layer-index.ts';
import { changesBetween } from '../tar/stack/path-history.ts';
import type { CacheKey } from './cache-key.ts';
import type { SealedLayer } from './needs.ts';
import type { BuildSession, UnlikeStep } from './session.ts';
import type { Execution, SolvedVertex } from './vertex.ts';

export interface VertexWork {
  readonly useCache: boolean;
  /** Does the step's work. What it tells and asks goes to the session that it gets. */
  readonly execute: (session: BuildSession) => Promise<Execution>;
}

/**
 * Finds or makes a step's result. With `--verify` the work is then done once more, on the same layers, and what comes out
 * otherwise is noted.
 */
export async function solveVertex(
  session: BuildSession,
  step: number,
  key: CacheKey,
  { useCache, execute }: VertexWork,
): Promise<SolvedVertex> {
  const { work } = session;
  const vertex = await session.vertices.solve(key, { useCache, execute: () => work(() => execute(session)) });
  if (!session.options.verify) return vertex;
  const again = await work(() => execute(unheard(session)));
  const [first, second] = await Promise.all([vertex.sealed, again.layer?.sealed]);
  if (first?.diffId === second?.diffId) return vertex;
  const changes = differences(rowsOf(session, first), rowsOf(session, second));
  if (changes.length > 0) session.unlike.push({ step, site: key.site, changes });
  return vertex;
}

/** Refuses a build whose steps came out otherwise when they were done again. */
export function refuseUnlike(unlike: readonly UnlikeStep[]): void {
  if (unlike.length === 0) return;
  const steps = [...unlike].sort((a, b) => a.step - b.step);
  const lines = steps.flatMap(({ step, site, changes }) => [
    `step ${step + 1}: ${site}`,
    ...changes.slice(0, SHOWN).map((change) => `  ${change}`),
    ...(changes.length > SHOWN ? [`  and ${changes.length - SHOWN} more`] : []),
  ]);
  const what = steps.length === 1 ? '1 step gives' : `${steps.length} steps give`;
  const isTime = steps.every(({ changes }) => changes.every((change) => change.endsWith(': time')));
  throw new Failure(
    'conflict',
    'NOT_REPRODUCIBLE',
    `the build is not reproducible: ${what} something else the second time\n${lines.join('\n')}`,
    isTime ? { hint: 'set SOURCE_DATE_EPOCH, which bounds the times of files' } : {},
  );
}

/** Paths that are shown of each step. */
const SHOWN = 20;

/** The session of work whose result nobody uses: it tells nothing and leaves no container. */
function unheard(session: BuildSession): BuildSession {
  return {
    ...session,
    options: { ...session.options, remove: true, forceRemove: true },
    trace: session.trace.aside(),
    emit: async () => {},
  };
}

function rowsOf({ store }: BuildSession, layer: SealedLayer | undefined): readonly LayerEntry[] {
  return layer === undefined ? [] : readLayerIndex(join(store.layers.folder(layer.id), 'index')).entries;
}

/** `/path: what differs`, sorted by path. */
function differences(first: readonly LayerEntry[], second: readonly LayerEntry[]): string[] {
  const before = byName(first);
  const after = byName(second);
  return [...new Set([...before.keys(), ...after.keys()])].sort(comparePaths).flatMap((name) => {
    const [a, b] = [before.get(name), after.get(name)];
    const changes = a && b ? changesBetween(a, b) : [a ? 'only the first time' : 'only the second time'];
    return changes.length === 0 ? [] : [`/${(a ?? b)?.path}: ${changes.join(', ')}`];
  });
}

/** An opaque folder has two rows of the same path. */
const byName = (rows: readonly LayerEntry[]) =>
  new Map(rows.map((row) => [row.type === 'opaque' ? `${row.path}\0` : row.path, row]));
