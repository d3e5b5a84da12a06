import type { Store } from '../../store/open-store.ts';
import type { VolumeRecord } from '../../store/volumes.ts';
import type { DiskUsage, DiskUsagePart } from '../../wire/disk-usage.ts';
import type { VolumeInspect } from '../../wire/volume.ts';
import type { BuildCache } from '../build/build-cache.ts';
import type { ContainerCases } from '../containers/container-cases.ts';
import type { ImageNeeds } from '../images/image-needs.ts';
import { listImages } from '../images/list-images.ts';
import { volumeSize } from '../volumes/volume-size.ts';
import { toVolume } from '../volumes/volume-view.ts';

export interface DiskUsageNeeds extends ImageNeeds {
  readonly containers: Pick<ContainerCases, 'list'>;
  readonly buildCache: Pick<BuildCache, 'records'>;
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
  if (parts.has('build-cache')) answer.BuildCache = needs.buildCache.records();
  return answer;
}

/** Bytes of the layers that images and containers have, each layer once. */
function layersSize(store: Store): number {
  const needed = store.cacheSpace.neededLayers();
  return store.layers
    .list()
    .filter(({ diffId }) => needed.has(diffId))
    .reduce((sum, layer) => sum + layer.size, 0);
}

function volumeUsage(store: Store, volume: VolumeRecord): VolumeInspect {
  const UsageData = { Size: volumeSize(volume), RefCount: store.volumes.usersOf(volume.name).length };
  return { ...toVolume(volume), UsageData };
}
