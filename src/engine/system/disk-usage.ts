import type { Store } from '../../store/open-store.ts';
import type { VolumeRecord } from '../../store/volumes.ts';
import type { CacheRecord, DiskUsage, DiskUsagePart } from '../../wire/disk-usage.ts';
import type { VolumeInspect } from '../../wire/volume.ts';
import type { ContainerCases } from '../containers/container-cases.ts';
import { treeSize } from '../containers/tree-size.ts';
import type { ImageNeeds } from '../images/image-needs.ts';
import { listImages } from '../images/list-images.ts';
import { toVolume } from '../volumes/volume-view.ts';

export interface DiskUsageNeeds extends ImageNeeds {
  readonly containers: Pick<ContainerCases, 'list'>;
}

/**
 * GET /system/df. Every byte is counted once: a layer belongs to the images and containers that have it, or else to the
 * build cache that keeps it. An image's SharedSize is what it has in common with other images of the list.
 */
export async function diskUsage(needs: DiskUsageNeeds, parts: ReadonlySet<DiskUsagePart>): Promise<DiskUsage> {
  const { store } = needs;
  const answer: DiskUsage = {};
  if (parts.has('image')) {
    answer.LayersSize = layersSize(store);
    answer.Images = listImages(needs, { all: false, filters: {}, sharedSize: true });
  }
  if (parts.has('container'))
    answer.Containers = await needs.containers.list({ all: true, limit: 0, size: true, filters: {} });
  if (parts.has('volume')) answer.Volumes = store.volumes.list().map((volume) => volumeUsage(store, volume));
  if (parts.has('build-cache')) answer.BuildCache = cacheUsage(store);
  return answer;
}

/** Bytes of the layers that images and containers have, each layer once. */
function layersSize(store: Store): number {
  return store.layers
    .list()
    .filter(({ diffId }) => isNeeded(store, diffId))
    .reduce((sum, layer) => sum + layer.size, 0);
}

function volumeUsage(store: Store, volume: VolumeRecord): VolumeInspect {
  const UsageData = { Size: treeSize(volume.path), RefCount: store.volumes.usersOf(volume.name).length };
  return { ...toVolume(volume), UsageData };
}

/** One row for each record; a layer counts in the row that used it last, and not at all when something else needs it. */
function cacheUsage(store: Store): CacheRecord[] {
  const counted = new Set<string>();
  return store.cache
    .list()
    .reverse()
    .map((record): CacheRecord => {
      const layer = record.layer === undefined ? undefined : store.layers.byDiffId(record.layer);
      const isShared = layer !== undefined && (isNeeded(store, layer.diffId) || counted.has(layer.diffId));
      if (layer) counted.add(layer.diffId);
      return {
        ID: record.key,
        Type: 'regular',
        Description: record.site,
        InUse: false,
        Shared: isShared,
        Size: layer?.size ?? 0,
        CreatedAt: new Date(record.created).toISOString(),
        LastUsedAt: new Date(record.lastUsed).toISOString(),
        UsageCount: record.useCount,
      };
    });
}

function isNeeded(store: Store, diffId: Parameters<Store['layers']['use']>[0]): boolean {
  const use = store.layers.use(diffId);
  return use.images + use.containers > 0;
}
