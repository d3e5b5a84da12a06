import { existsSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { applyChanges } from '../build/apply-changes.ts';
import { Vertices } from '../build/vertex.ts';
import { HostMounts } from '../container/host-mounts.ts';
import { openContainers } from '../container/open-containers.ts';
import { detectCgroups } from '../host/cgroup.ts';
import { spreadSubfolders } from '../host/file-system-calls.ts';
import { findRuntime } from '../host/find-runtime.ts';
import { Keepers } from '../host/keeper/keeper-client.ts';
import { memoryFolder } from '../host/memory-folder.ts';
import { Networks } from '../host/network/networks.ts';
import { becomeReaper } from '../host/reaper.ts';
import { Runtime } from '../host/runtime.ts';
import { systemCode } from '../lib/error.ts';
import type { Log } from '../lib/log.ts';
import { makeFolder } from '../lib/make-folder.ts';
import { Scope } from '../lib/scope.ts';
import type { WorkerPool } from '../lib/worker-pool.ts';
import { digestOf, hexOf } from '../oci/digest.ts';
import { Registries } from '../remote/registries.ts';
import type { RegistrySettings } from '../remote/settings.ts';
import { Snapshots } from '../snapshot/snapshots.ts';
import { openStore } from '../store/open-store.ts';
import type { DiskUsagePart } from '../wire/disk-usage.ts';
import { Archives } from './archives/archives.ts';
import { BuildCache } from './build/build-cache.ts';
import { BuildCases } from './build/build-cases.ts';
import { CacheMountCases } from './build/cache-mount-cases.ts';
import { imageSource } from './build/image-source.ts';
import { pastBuilds } from './build/past-builds.ts';
import { runExecutor } from './build/run-executor.ts';
import { stepCache } from './build/step-cache.ts';
import { CacheTransfer } from './cache-transfer/cache-transfer.ts';
import { type CommitRequest, commitContainer } from './containers/commit-container.ts';
import {
  containerBackend,
  execBackend,
  logBackend,
  monitorBackend,
  pauseBackend,
} from './containers/container-backend.ts';
import { ContainerCases } from './containers/container-cases.ts';
import { exportContainer } from './containers/export-container.ts';
import { ContainerFiles } from './containers/files/container-files.ts';
import { EventLog, type EventSubject } from './event-log.ts';
import type { ImageNeeds } from './images/image-needs.ts';
import { Images } from './images/images.ts';
import { giveName } from './images/tag-image.ts';
import { Insight } from './insight/insight.ts';
import { NetworkCases } from './networks/network-cases.ts';
import { settleLayers } from './settle-layers.ts';
import { type CheckRequest, checkHostStore } from './system/check-host-store.ts';
import { diskUsage } from './system/disk-usage.ts';
import { systemCases } from './system/system-cases.ts';
import { takeImage } from './transfer/take-image.ts';
import { Transfers } from './transfer/transfers.ts';
import { Volumes } from './volumes/volumes.ts';

export interface EngineOptions {
  readonly dataRoot: string;
  /** Folder of what ends with the boot, on a file system that a boot empties. */
  readonly runRoot: string;
  /** Serves the tasks of the rooms. */
  readonly workers: WorkerPool;
  /** Serves them too, for short ones that must not wait behind a long one. */
  readonly quickWorkers: WorkerPool;
  /** Serves them too, for layers that come over the network: their threads wait for it. */
  readonly receivers: WorkerPool;
  /** Serves them too, for volumes on file systems of other machines: a server may let their mount wait for minutes. */
  readonly mounters: WorkerPool;
  readonly registry: RegistrySettings;
  /** Bytes that only the build cache keeps; undefined is no limit. */
  readonly buildCacheLimit: number | undefined;
  /** Script of the program that keeps containers over the end of this host; undefined: none survive it. */
  readonly keeper: URL | undefined;
  /** See BuildParts. */
  readonly insecureBuilds: boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Opens the store under a data root, clears up what a killed host left, and joins the rooms to the use cases of a host.
 * Disposing it ends the containers and closes the store.
 */
export async function openEngine(options: EngineOptions) {
  const { dataRoot, workers, log, signal } = options;
  await using scope = new Scope();
  makeFolder(dataRoot, 0o711);
  const store = scope.use(await openStore(dataRoot, { log }));
  process.chdir(store.layers.root); // mounts name their layers relative to it
  scope.defer(() => process.chdir('/'));
  const active = join(dataRoot, 'active');
  const { layers, trash } = store;
  for (const folder of [layers.root, active]) spreadSubfolders(folder);
  const snapshots = new Snapshots({ layers, active, pool: workers, receivers: options.receivers, trash });
  const durability = scope.use(await settleLayers(store, { workers, log, signal }));
  const events = new EventLog();
  const emit = (subject: EventSubject) => {
    events.emit(subject);
    durability.note(); // a commit made a layer, for one
  };

  // Paths of sockets are bounded by 107 bytes: a short name that still tells data roots apart.
  const run = join(options.runRoot, hexOf(digestOf(dataRoot)).slice(0, 12));
  const memory = memoryFolder(run); // programs' environments pass through it, with the secrets of builds
  const keeperSocket = join(run, 'keeper'); // there as long as containers are kept
  scope.defer(() => {
    if (existsSync(keeperSocket)) return;
    memory[Symbol.dispose]();
    removeEmpty(run);
  });
  scope.defer(() => removeEmpty(join(run, 'runtime'), join(run, 'sockets')));
  const cgroups = detectCgroups();
  const runtime = new Runtime(
    () => findRuntime(join(options.runRoot, 'trial'), { signal }),
    join(run, 'runtime'),
    cgroups,
  );
  const networks = scope.use(
    new Networks({ stateFolder: join(dataRoot, 'network'), tasks: options.quickWorkers, reserve: store.reserve, log }),
  );
  scope.use(becomeReaper());
  const keepers = scope.use(await Keepers.open(keeperSocket, options.keeper));
  const hostMounts = new HostMounts({ store, mounters: options.mounters });
  const parts = {
    store,
    snapshots,
    runtime,
    cgroups,
    networks,
    keepers,
    hostMounts,
    log,
    runFolder: join(run, 'sockets'),
  };
  const containers = scope.use(await openContainers({ ...parts, emit }, { signal }));

  const containerCases = new ContainerCases(store, containers, emit);
  const receiveLayer = async (...args: Parameters<Snapshots['receive']>) => {
    const layer = await snapshots.receive(...args);
    durability.note();
    return layer;
  };
  const needs: ImageNeeds = {
    store,
    emit,
    containersOf: (image) => containerCases.usersOf(image),
    receiveLayer,
    applyChanges,
  };
  const registries = scope.use(new Registries(options.registry));
  const compressLayer = snapshots.compress.bind(snapshots);
  const transferNeeds = { store, registries, emit, receiveLayer, compressLayer };
  const transfers = new Transfers(transferNeeds);
  const insight = new Insight({ ...needs, workers, receivers: options.receivers });
  const past = pastBuilds({ ...needs, workers, containers, log });
  const cache: BuildCache = new BuildCache({
    store,
    workers,
    limit: options.buildCacheLimit,
    isBuilding: () => build.isBusy,
    log,
  });
  cache.hold();
  const steps = stepCache(store, () => cache.hold());
  const cacheTransfer = new CacheTransfer({
    ...transferNeeds,
    steps,
    packLayer: snapshots.pack.bind(snapshots),
    findBuild: (ref) => past.history.find(ref),
  });
  const build: BuildCases = new BuildCases({
    cache,
    store,
    workers,
    snapshots,
    vertices: new Vertices(steps),
    steps,
    takeCache: (request) => cacheTransfer.take(request),
    takeImage: (request) => takeImage(transferNeeds, request),
    memory: parts.runFolder,
    insecureBuilds: options.insecureBuilds,
    images: (auth) => imageSource(store, transfers, auth),
    runner: runExecutor(containers, events),
    tag: (image, name) => giveName(needs, image, name),
    squash: insight.squashBuild.bind(insight),
    settled: durability.note,
    history: past.history,
  });
  const owned = scope.move();
  return {
    backends: {
      system: systemCases({ store, containers, runtime, cgroups, events, registry: options.registry, keepers }),
      images: new Images(needs),
      insight,
      registry: transfers,
      archives: new Archives({
        ...needs,
        compressLayer,
        packLayer: snapshots.pack.bind(snapshots),
        packInto: snapshots.packInto.bind(snapshots),
        packTree: snapshots.packTree.bind(snapshots),
      }),
      diskUsage: {
        diskUsage: ({ parts }: { readonly parts: ReadonlySet<DiskUsagePart> }) =>
          diskUsage({ ...needs, containers: containerCases, buildCache: cache }, parts),
      },
      storeCheck: { check: (request: CheckRequest) => checkHostStore({ store, workers }, request) },
      build,
      buildHistory: past.backend,
      cacheMounts: new CacheMountCases({ store, workers, receivers: options.receivers, cache }),
      cacheTransfer,
      clientCaches: cacheTransfer,
      containers: containerBackend(containers, containerCases),
      exports: {
        export: (ref: string, call: { readonly signal: AbortSignal }) =>
          exportContainer({ store, containers, workers, receivers: options.receivers }, ref, call),
      },
      commit: {
        commit: async (ref: string, request: CommitRequest) => ({
          image: await commitContainer({ ...needs, containers, workers }, ref, request),
        }),
      },
      pause: pauseBackend(containers),
      files: new ContainerFiles({ store, containers, receivers: options.receivers }),
      volumes: new Volumes({ store, emit }),
      logs: logBackend(containers),
      monitor: monitorBackend(containers, cgroups),
      exec: execBackend(containers),
      networks: new NetworkCases(networks, containers, emit),
    },
    /** True while a build, a transfer or a container needs the host. */
    isBusy: () => build.isBusy || transfers.isBusy || containers.isBusy(),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** Removes the folders that are there and empty. What is in others is left for the next start to clear up. */
function removeEmpty(...folders: string[]): void {
  for (const folder of folders)
    try {
      rmdirSync(folder);
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY'].includes(systemCode(error) ?? '')) throw error;
    }
}
