import type { ImageSource } from '../../build/needs.ts';
import { Failure, isFailure } from '../../lib/error.ts';
import type { Store } from '../../store/open-store.ts';

/** Base images from the store. */
export function imageSource(store: Store): ImageSource {
  return {
    async resolve(name, { pull }) {
      if (pull)
        throw new Failure(
          'unsupported',
          'PULL_UNSUPPORTED',
          `cannot look for a newer ${name}: this host does not pull from registries yet`,
          {
            hint: 'build without --pull to use the image in the store',
          },
        );
      const image = find(store, name);
      return { id: image.id, config: image.config, layers: store.layers.chain(image.config.rootfs.diff_ids) };
    },
  };
}

function find(store: Store, name: string) {
  try {
    return store.images.resolve(name);
  } catch (error) {
    if (!isFailure(error, 'not-found')) throw error;
    throw new Failure('not-found', 'BASE_NOT_FOUND', error.message, {
      hint: `this host does not pull from registries yet; make the image with: tar -C root -c . | strake import - ${name}`,
    });
  }
}
