import { join } from 'node:path';
import { mergeConfig } from '../../container/config.ts';
import type { Container } from '../../container/container.ts';
import type { Containers } from '../../container/containers.ts';
import { findMountTargets } from '../../container/mount-targets.ts';
import { isAlive } from '../../container/record.ts';
import { useUpBytes } from '../../lib/lend-bytes.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import type { WorkerPool } from '../../lib/worker-pool.ts';
import type { DiffId, ImageId } from '../../oci/digest.ts';
import { encodeConfig, type HistoryEntry, type ImageConfig, type RunConfig } from '../../oci/image-config.ts';
import { familiarReference, type Reference, withDefaultTag } from '../../oci/reference.ts';
import type { ScanRequest } from '../../snapshot/scan-tree.ts';
import { streamLayer } from '../../snapshot/stream-layer.ts';
import type { LayerFacts } from '../../store/layers.ts';
import { readLayerIndex, writeLayerIndex } from '../../tar/layer-index.ts';
import type { ContainerConfig } from '../../wire/container.ts';
import type { ImageNeeds } from '../images/image-needs.ts';
import { checkTarget, giveName } from '../images/tag-image.ts';

export interface CommitNeeds extends ImageNeeds {
  readonly containers: Containers;
  readonly workers: WorkerPool;
}

export interface CommitRequest {
  readonly target: Reference | undefined;
  readonly comment: string;
  readonly author: string;
  /** Dockerfile instructions. */
  readonly changes: readonly string[];
  /** Pause a running container meanwhile. */
  readonly pause: boolean;
  /** Replaces the container's own config field by field. */
  readonly config: ContainerConfig | undefined;
  readonly signal: AbortSignal;
}

/**
 * POST /commit: an image of a container's image and its changes, as one layer more (none when nothing changed). The
 * container keeps its changes and, running, goes on. Without `target` the image has no name.
 */
export async function commitContainer(needs: CommitNeeds, ref: string, request: CommitRequest): Promise<ImageId> {
  const { store, containers } = needs;
  const container = containers.find(ref);
  const { record } = container;
  if (request.target) checkTarget(request.target);
  const base = store.images.resolve(record.image ?? '');
  const merged = mergeConfig(record.config, request.config ?? {});
  const config = needs.applyChanges(runConfigOf(merged), request.changes);

  using _session = store.leases.begin({ images: [base.id] });
  const layer = await whilePaused(containers, container, request, () =>
    container.inTurn(() => receiveChanges(needs, container, request.signal)),
  );
  const diffIds = [...store.containers.layersOf(container.id), ...(layer === undefined ? [] : [layer])];
  const created = new Date().toISOString();
  const entry: HistoryEntry = {
    created,
    created_by: (record.config.Cmd ?? []).join(' '),
    ...(request.author === '' ? {} : { author: request.author }),
    ...(request.comment === '' ? {} : { comment: request.comment }),
    ...(layer === undefined ? { empty_layer: true } : {}),
  };
  const { id } = store.images.put({
    config: encodeConfig({
      ...platformOf(base.config),
      ...(request.author === '' ? {} : { author: request.author }),
      config,
      container: container.id,
      created,
      history: [...alignedHistory(base.config, diffIds.length - (layer === undefined ? 0 : 1)), entry],
      rootfs: { type: 'layers', diff_ids: diffIds },
    }),
    parent: base.id,
  });
  if (request.target) giveName(needs, id, request.target);
  const imageRef = request.target && { imageRef: familiarReference(withDefaultTag(request.target)) };
  needs.emit({
    type: 'container',
    action: 'commit',
    id: container.id,
    attributes: {
      name: container.name,
      image: record.config.Image ?? '',
      comment: request.comment,
      imageID: id,
      ...imageRef,
    },
  });
  return id;
}

async function whilePaused<T>(
  containers: Containers,
  container: Container,
  { pause, signal }: CommitRequest,
  work: () => Promise<T>,
): Promise<T> {
  if (!pause || container.record.phase.status !== 'running') return work();
  await containers.pause(container.id, { signal });
  try {
    return await work();
  } finally {
    await containers.unpause(container.id, { signal: AbortSignal.timeout(10_000) });
  }
}

/** The container's changes as a layer of the store; undefined when there are none. */
export async function receiveChanges(
  needs: Pick<CommitNeeds, 'store' | 'workers' | 'receiveLayer'>,
  container: Container,
  signal: AbortSignal,
): Promise<DiffId | undefined> {
  const tree = container.snapshot.upper;
  await using scratch = makeScratchFolder(needs.store.scratch, 'commit');
  const request: ScanRequest = { tree, index: join(scratch.path, 'index') };
  await needs.workers.run<LayerFacts>('scan-tree', request, { signal });
  const { phase } = container.record;
  const own = isAlive(phase) ? findMountTargets(tree, phase.targets) : new Set<string>();
  const rows = readLayerIndex(request.index).entries.filter(({ path }) => !own.has(`/${path}`));
  if (rows.length === 0) return undefined;
  writeLayerIndex(request.index, rows);
  const tar = useUpBytes(streamLayer(needs.workers, { ...request, form: 'tar' }, { signal }));
  return (await needs.receiveLayer(tar, { signal })).diffId;
}

/** What of a container's config belongs to an image. */
function runConfigOf(config: ContainerConfig): RunConfig {
  const {
    Hostname: _hostname,
    Domainname: _domainname,
    AttachStdin: _stdin,
    AttachStdout: _stdout,
    AttachStderr: _stderr,
    Tty: _tty,
    OpenStdin: _open,
    StdinOnce: _once,
    Image: _image,
    NetworkDisabled: _network,
    MacAddress: _mac,
    StopTimeout: _timeout,
    Env,
    ...own
  } = config;
  return { ...own, ...(Env ? { Env } : {}) };
}

function platformOf(config: ImageConfig): Pick<ImageConfig, 'architecture' | 'os' | 'variant'> {
  const names = ['architecture', 'os', 'variant', 'os.version', 'os.features'];
  return Object.fromEntries(Object.entries(config).filter(([name]) => names.includes(name))) as ImageConfig; // a part
}

/** The history of the image below, with an entry for each layer that it does not tell of: of a build step that was kept. */
function alignedHistory({ history = [] }: ImageConfig, layers: number): HistoryEntry[] {
  const told = history.filter((entry) => entry.empty_layer !== true).length;
  return [...history, ...Array.from({ length: Math.max(0, layers - told) }, () => ({}))];
}
