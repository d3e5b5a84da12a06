import type { DiffId, ImageId } from '../oci/digest.ts';
import type { Store } from './open-store.ts';

/** Bytes of file content. */
export interface ImageUsage {
  readonly id: ImageId;
  /** What `images` shows: every layer as often as it occurs. */
  readonly size: number;
  /** Stored bytes that other images of the list have too. */
  readonly shared: number;
  /** Stored bytes that no other image of the list has. */
  readonly unique: number;
}

export interface StoreUsage {
  readonly images: readonly ImageUsage[];
  /** The sum of the sizes: what the images would take if nothing were shared. */
  readonly naive: number;
  /** Every layer of these images counted once. */
  readonly real: number;
  /** Every layer of the store counted once: also those that only containers and the build cache keep. */
  readonly layers: number;
}

/** How the store's bytes belong to images: those with a name or without children, less the build cache's, as `images` lists them. */
export function usage(store: Store): StoreUsage {
  const rows = store.database.all<{ image: ImageId; diffId: DiffId | null; layerSize: number | null; size: number }>(
    `SELECT images.id AS image, images.size AS size, layers.diff_id AS diffId, layers.size AS layerSize
     FROM images
       LEFT JOIN image_layers ON image_layers.image = images.id
       LEFT JOIN layers ON layers.diff_id = image_layers.diff_id
     WHERE EXISTS (SELECT 1 FROM tags WHERE tags.image = images.id)
       OR NOT EXISTS (SELECT 1 FROM images AS child WHERE child.parent = images.id)
     ORDER BY images.created DESC, images.seq DESC`,
  );
  const images = new Map<ImageId, { size: number; layers: Map<DiffId, number> }>();
  const holders = new Map<DiffId, number>();
  const cached = new Set(store.cacheSpace.stepImages(undefined));
  for (const row of rows) {
    if (cached.has(row.image)) continue;
    const image = images.get(row.image) ?? { size: row.size, layers: new Map<DiffId, number>() };
    images.set(row.image, image);
    if (row.diffId === null || image.layers.has(row.diffId)) continue;
    image.layers.set(row.diffId, row.layerSize ?? 0);
    holders.set(row.diffId, (holders.get(row.diffId) ?? 0) + 1);
  }

  const list = [...images].map(([id, { size, layers }]) => {
    let shared = 0;
    let unique = 0;
    for (const [diffId, bytes] of layers) {
      if ((holders.get(diffId) ?? 0) > 1) shared += bytes;
      else unique += bytes;
    }
    return { id, size, shared, unique };
  });
  const stored = new Map([...images.values()].flatMap(({ layers }) => [...layers]));
  return {
    images: list,
    naive: list.reduce((sum, image) => sum + image.size, 0),
    real: [...stored.values()].reduce((sum, bytes) => sum + bytes, 0),
    layers: store.database.get<{ bytes: number }>('SELECT coalesce(sum(size), 0) AS bytes FROM layers')?.bytes ?? 0,
  };
}
