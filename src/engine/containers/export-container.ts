import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Containers } from '../../container/containers.ts';
import { findMountTargets } from '../../container/mount-targets.ts';
import { isAlive } from '../../container/record.ts';
import { Scope } from '../../lib/scope.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import type { WorkerPool } from '../../lib/worker-pool.ts';
import type { ScanRequest } from '../../snapshot/scan-tree.ts';
import { streamLayer } from '../../snapshot/stream-layer.ts';
import type { LayerFacts } from '../../store/layers.ts';
import type { Store } from '../../store/open-store.ts';
import { readLayerIndex, writeLayerIndex } from '../../tar/layer-index.ts';

export interface ExportNeeds {
  readonly store: Pick<Store, 'scratch'>;
  readonly containers: Containers;
  readonly workers: WorkerPool;
  /** Held as long as the client reads. */
  readonly receivers: WorkerPool;
}

/**
 * GET /containers/{id}/export: the container's whole file system as a tar, without volumes and what the host mounts into
 * it. Equal trees give equal bytes. A file that a running program makes shorter meanwhile breaks the stream.
 */
export async function exportContainer(
  needs: ExportNeeds,
  ref: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<Readable> {
  await using scope = new Scope();
  const container = needs.containers.find(ref);
  const root = scope.use(needs.containers.openRoot(ref));
  const scratch = scope.use(makeScratchFolder(needs.store.scratch, 'export'));
  const request: ScanRequest = { tree: root.path, index: join(scratch.path, 'index') };
  await needs.workers.run<LayerFacts>('scan-tree', request, { signal });
  const { phase } = container.record;
  const own = isAlive(phase) ? findMountTargets(container.snapshot.upper, phase.targets) : new Set<string>();
  const rows = readLayerIndex(request.index).entries.filter(({ path }) => !own.has(`/${path}`));
  writeLayerIndex(request.index, rows);
  const bytes = streamLayer(needs.receivers, { ...request, form: 'tar' }, { signal });
  const stream = Readable.from(bytes, { objectMode: false });
  const held = scope.move();
  stream.once('close', () => void held[Symbol.asyncDispose]());
  needs.containers.emit(container, 'export');
  return stream;
}
