import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../lib/error.ts';
import type { Log } from '../lib/log.ts';
import type { WorkerPool } from '../lib/worker-pool.ts';
import type { Store } from '../store/open-store.ts';

/** Long enough that a sync does not fall into the next build, short against how long the kernel itself waits. */
const QUIET_MS = 5000;
const DIFFERENCES = 3;

export interface Durability extends AsyncDisposable {
  /** Layers were made: sync them once it is quiet. */
  readonly note: () => void;
}

/**
 * Keeps layers honest across power cuts. Trees are not synced when they are made; this syncs the file system some time
 * later and marks them durable. Layers of an earlier boot that never got there are compared with their index now, and
 * no build uses those that lost content again, and the log names the images that have them.
 */
export async function settleLayers(
  store: Store,
  options: { readonly workers: WorkerPool; readonly log: Log; readonly signal: AbortSignal },
): Promise<Durability> {
  const { workers, log, signal } = options;
  for (const layer of store.layers.suspects()) {
    const folder = store.layers.folder(layer.id);
    const request = { tree: join(folder, 'diff'), index: join(folder, 'index'), limit: DIFFERENCES };
    const found = await workers.run<readonly unknown[]>('verify-tree', request, { signal });
    if (found.length === 0) {
      store.layers.markDurable([layer.id]);
      continue;
    }
    log.error('a layer lost content when the machine went down', { layer: layer.id, diffId: layer.diffId });
    store.cache.forgetLayer(layer.diffId);
    for (const image of store.images.withLayer(layer.diffId))
      log.error('an image is damaged: build or load it again', { image });
  }

  const stop = new AbortController();
  let waiting: Promise<void> | undefined;
  const settle = async () => {
    await sleep(QUIET_MS, undefined, { signal: stop.signal, ref: false }).catch(() => {});
    waiting = undefined;
    const ids = store.layers.notDurable().map((layer) => layer.id);
    if (ids.length === 0) return;
    await workers.run('sync-layers', { folder: store.layers.root }, { signal: AbortSignal.timeout(600_000) });
    store.layers.markDurable(ids);
  };
  const note = () => {
    waiting ??= settle().catch((error: unknown) => log.error('cannot sync layers', { why: messageOf(error) }));
  };
  note();
  return {
    note,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await waiting;
    },
  };
}
