import type { Digest } from '../oci/digest.ts';
import type { LayerId, LayerRecord } from './layers.ts';
import type { Store } from './open-store.ts';

export interface Collected {
  readonly layers: readonly LayerRecord[];
  /** Second trees of layers that stay. */
  readonly duplicates: readonly LayerId[];
  readonly blobs: readonly Digest[];
  /** Bytes of file content in the layers and bytes of the blobs. */
  readonly bytes: number;
}

/**
 * Removes what nothing refers to. Roots are images (named or not: only people remove images), containers, cache records
 * (drop them first) and leases. Blobs stay as long as the layer or image that they are another form of.
 * The decision and the renames happen in one turn of the event loop, so nothing can begin to use what goes.
 */
export function collect(store: Store): Collected {
  const layers = store.database
    .all<{ id: LayerId }>(
      `SELECT id FROM layers
       WHERE NOT EXISTS (SELECT 1 FROM image_layers WHERE image_layers.diff_id = layers.diff_id)
         AND NOT EXISTS (SELECT 1 FROM container_layers WHERE container_layers.diff_id = layers.diff_id)
         AND NOT EXISTS (SELECT 1 FROM cache WHERE cache.layer = layers.diff_id)`,
    )
    .flatMap(({ id }) => store.layers.get(id) ?? [])
    .filter((layer) => !store.leases.isLayerHeld(layer.id, layer.diffId));
  const duplicates = store.layers
    .duplicates()
    .filter(({ id }) => !store.leases.isTreeHeld(id))
    .map(({ id }) => id);
  for (const { id } of layers) store.layers.discard(id);
  for (const id of duplicates) store.layers.discard(id);

  let bytes = layers.reduce((sum, layer) => sum + layer.size, 0);
  const blobs: Digest[] = [];
  for (const digest of store.content.list()) {
    if (store.leases.isBlobHeld(digest) || store.shipped.names(digest)) continue;
    bytes += store.content.size(digest) ?? 0;
    store.content.delete(digest);
    blobs.push(digest);
  }
  return { layers, duplicates, blobs, bytes };
}
