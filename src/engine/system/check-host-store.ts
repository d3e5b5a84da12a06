import { join } from 'node:path';
import { Failure } from '../../lib/error.ts';
import type { WorkerPool } from '../../lib/worker-pool.ts';
import type { LayerVerdict } from '../../snapshot/verify-layer.ts';
import { checkStore } from '../../store/check.ts';
import type { LayerRecord } from '../../store/layers.ts';
import type { Store } from '../../store/open-store.ts';
import type { StoreCheckSummary, StoreProblemRow } from '../../wire/store-check.ts';

export interface CheckRequest {
  readonly repair: boolean;
  readonly emit: (row: StoreProblemRow) => Promise<void>;
  readonly signal: AbortSignal;
}

/** How many differences of a layer are looked for; the first is told. */
const DIFFERENCES = 10;

/**
 * Proves what the store holds while the host works: the database, configs against IDs, blobs against digests, and every
 * layer: its tree against its index, and the tar of both against its diff ID. With `repair` it mends what it can.
 */
export async function checkHostStore(
  { store, workers }: { readonly store: Store; readonly workers: WorkerPool },
  { repair, emit, signal }: CheckRequest,
): Promise<StoreCheckSummary> {
  const verifyLayer = async (layer: LayerRecord): Promise<void> => {
    const folder = store.layers.folder(layer.id);
    using _lease = store.leases.hold({ layers: [layer.id], diffIds: [layer.diffId] });
    const request = { tree: join(folder, 'diff'), index: join(folder, 'index'), limit: DIFFERENCES };
    judge(layer, await workers.run<LayerVerdict>('verify-layer', request, { signal }));
  };
  const summary: StoreCheckSummary = {
    Images: store.images.list().length,
    Layers: store.layers.list().length,
    Blobs: [...store.content.list()].length,
    Problems: 0,
    Repaired: 0,
  };
  for await (const problem of checkStore(store, { signal, verifyLayer })) {
    const row = { Code: problem.code, Subject: problem.subject, Message: problem.message };
    const isMended = repair && problem.repair !== undefined;
    if (isMended) problem.repair();
    summary.Problems++;
    summary.Repaired += Number(isMended);
    await emit({ ...row, Repair: isMended ? 'done' : problem.repair ? 'possible' : 'none' });
  }
  return summary;
}

function judge(layer: LayerRecord, { differences, diffId }: LayerVerdict): void {
  const [first] = differences;
  if (first === undefined && diffId === layer.diffId) return;
  const more = differences.length > 1 ? ` and ${differences.length - 1} more` : '';
  const what = first
    ? `"${first.path}" (${first.problem})${more} differs from its index`
    : `its tar has the diff ID ${diffId}`;
  throw new Failure('data-loss', 'LAYER_DAMAGED', `layer ${layer.diffId} is damaged: ${what}`);
}
