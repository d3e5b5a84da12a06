import { Readable } from 'node:stream';
import type { ImageRecord } from '../../store/images.ts';
import type { LayerId } from '../../store/layers.ts';
import type { Store } from '../../store/open-store.ts';

export interface SaveTreeNeeds {
  readonly store: Store;
  /** The tree that layers show together, bottom first, as one tar. */
  readonly packTree: (ids: readonly LayerId[], options: { readonly signal: AbortSignal }) => AsyncIterable<Buffer>;
}

/**
 * The file system of an image as a tar, made of the indexes and trees of its layers without a mount. Equal images give
 * equal bytes. The layers are kept from collection until the stream is closed. Throws `not-found` LAYER_MISSING.
 */
export function saveTree({ store, packTree }: SaveTreeNeeds, image: ImageRecord, signal: AbortSignal): Readable {
  const ids = store.layers.chain(image.config.rootfs.diff_ids).map(({ id }) => id);
  const lease = store.leases.hold({ layers: ids });
  const stream = Readable.from(packTree(ids, { signal }), { objectMode: false });
  stream.once('close', () => lease[Symbol.dispose]());
  return stream;
}
