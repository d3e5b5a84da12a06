import type { Store } from '../store/open-store.ts';
import type { ContainerEvent } from './container-events.ts';
import type { FindContainer } from './links.ts';
import type { MountSources } from './mounts.ts';

/** What the mounts of a new container are of: volumes, images and other containers of this host. */
export function mountSources(
  {
    store,
    emit,
  }: { readonly store: Pick<Store, 'volumes' | 'images'>; readonly emit: (event: ContainerEvent) => void },
  find: FindContainer,
): Omit<MountSources, 'place'> {
  const { volumes, images } = store;
  return {
    volume(volume) {
      const existing = volumes.get(volume.name);
      if (existing) return existing;
      const made = volumes.create(volume);
      emit({ type: 'volume', action: 'create', id: volume.name, attributes: { driver: 'local' } });
      return made;
    },
    image(ref) {
      const { id, config } = images.resolve(ref);
      return { id, layers: config.rootfs.diff_ids };
    },
    mountsOf: (ref) => find(ref).record.mounts,
  };
}
