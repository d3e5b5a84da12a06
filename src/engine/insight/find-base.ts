import type { HistoryEntry, ImageConfig } from '../../oci/image-config.ts';
import type { ImageRecord } from '../../store/images.ts';
import type { Store } from '../../store/open-store.ts';

/**
 * The image that another one was made from, as far as the store can tell: of all images whose layers and history it
 * begins with, the nearest one that has a name or was not made by a build step. Undefined when there is none.
 */
export function findBase({ images }: Store, image: ImageRecord): ImageRecord | undefined {
  let nearest: ImageRecord | undefined;
  for (const candidate of images.list()) {
    const length = candidate.config.history?.length ?? 0;
    if (length === 0 || length <= (nearest?.config.history?.length ?? 0)) continue;
    if (candidate.id === image.id || !isBelow(candidate.config, image.config)) continue;
    if (candidate.stepKey === undefined || images.names.of(candidate.id).length > 0) nearest = candidate;
  }
  return nearest;
}

/** Whether an image begins with the layers and the history of another one, and goes on. */
function isBelow(base: ImageConfig, image: ImageConfig): boolean {
  const { history = [] } = image;
  const below = base.history ?? [];
  return (
    below.length < history.length &&
    firstOtherLayer(base, image) === undefined &&
    below.every((entry, index) => isSameEntry(entry, history[index]))
  );
}

/** Number of the first layer of `base`, from 0, that `image` has not in the same place; undefined when it has all. */
export function firstOtherLayer(base: ImageConfig, image: ImageConfig): number | undefined {
  const other = base.rootfs.diff_ids.findIndex((diffId, index) => image.rootfs.diff_ids[index] !== diffId);
  return other < 0 ? undefined : other;
}

/**
 * How many entries of an image's history belong to `base`, on whose layers it stands: those that both begin with, or, when
 * the two tell it differently, those up to the base's last layer.
 */
export function baseHistoryLength(base: ImageConfig, image: ImageConfig): number {
  const { history = [] } = image;
  const below = base.history ?? [];
  if (below.every((entry, index) => isSameEntry(entry, history[index]))) return below.length;
  let layers = base.rootfs.diff_ids.length;
  let length = 0;
  for (; layers > 0 && length < history.length; length++) if (history[length]?.empty_layer !== true) layers--;
  return length;
}

function isSameEntry(a: HistoryEntry, b: HistoryEntry | undefined): boolean {
  return (
    b !== undefined &&
    a.created === b.created &&
    a.created_by === b.created_by &&
    (a.empty_layer === true) === (b.empty_layer === true)
  );
}
