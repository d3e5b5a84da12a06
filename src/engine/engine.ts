import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { applyChanges } from '../build/apply-changes.ts';
import { Vertices } from '../build/vertex.ts';
import type { Log } from '../lib/log.ts';
import { Scope } from '../lib/scope.ts';
import type { WorkerPool } from '../lib/worker-pool.ts';
import { Snapshots } from '../snapshot/snapshots.ts';
import { collect } from '../store/collect.ts';
import { openStore } from '../store/open-store.ts';
import { type BuildImageRequest, buildImage } from './build/build-image.ts';
import { imageSource } from './build/image-source.ts';
import { stepCache } from './build/step-cache.ts';
import { EventLog, type EventQuery } from './event-log.ts';
import { Images } from './images/images.ts';
import { giveName } from './images/tag-image.ts';
import { systemInfo, versionInfo } from './system-info.ts';

export interface EngineOptions {
  readonly dataRoot: string;
  /** Serves the tasks of the rooms. */
  readonly workers: WorkerPool;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Opens the store under a data root, clears what a killed host left, and joins the rooms to the use cases of a host. */
export async function openEngine(options: EngineOptions) {
  const { dataRoot, workers, log } = options;
  await using scope = new Scope();
  mkdirSync(dataRoot, { recursive: true, mode: 0o711 });
  const store = scope.use(await openStore(dataRoot, { log }));
  process.chdir(store.layers.root); // mounts name their layers relative to it
  const events = new EventLog();
  const snapshots = new Snapshots({
    layers: store.layers,
    active: join(dataRoot, 'active'),
    pool: workers,
    trash: store.trash,
  });
  const needs = {
    store,
    emit: (subject: Parameters<EventLog['emit']>[0]) => events.emit(subject),
    containersOf: () => [],
    receiveLayer: snapshots.receive.bind(snapshots),
    applyChanges,
  };
  const images = new Images(needs);
  const vertices = new Vertices(stepCache(store));
  let building = 0;
  const build = {
    async build(request: BuildImageRequest) {
      building++;
      try {
        const parts = {
          store,
          workers,
          snapshots,
          vertices,
          images: imageSource(store),
          runner: undefined as never,
          tag: giveName.bind(undefined, needs),
        };
        return await buildImage(parts, request);
      } finally {
        building--;
      }
    },
    async pruneCache() {
      const keys = store.cache.prune();
      return { CachesDeleted: keys.length === 0 ? null : keys, SpaceReclaimed: collect(store).bytes };
    },
  };
  const system = {
    version: async () => versionInfo(),
    info: async () =>
      systemInfo({
        dataRoot,
        images: store.images.list().length,
        containers: { running: 0, paused: 0, stopped: 0 },
        runtime: undefined,
        cgroupVersion: '1',
        warnings: [],
      }),
    events: (query: EventQuery) => events.read(query),
  };
  const owned = scope.move();
  return {
    backends: { system, images, build },
    isBusy: () => building > 0,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}
