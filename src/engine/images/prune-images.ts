import { cancelled, isFailure } from '../../lib/error.ts';
import { familiarReference } from '../../oci/reference.ts';
import { collect } from '../../store/collect.ts';
import type { Filters } from '../../wire/filters.ts';
import type { DeletedRow, ImagesPruned } from '../../wire/image.ts';
import { danglingFilter, matchesLabels, pruneUntilFilter } from './image-filters.ts';
import type { ImageNeeds } from './image-needs.ts';
import { labelsOf, referencesOf } from './references.ts';
import { removeRecords } from './remove-image.ts';

/**
 * POST /images/prune: removes dangling images, with `dangling=false` all that no container uses; not the build cache's. SpaceReclaimed are the
 * bytes of the layers that left the disk.
 */
export function pruneImages(
  needs: ImageNeeds,
  options: { readonly filters: Filters; readonly signal: AbortSignal },
): ImagesPruned {
  const { store } = needs;
  const danglingOnly = danglingFilter(options.filters) ?? true;
  const until = pruneUntilFilter(options.filters) ?? Number.POSITIVE_INFINITY;
  const rows: DeletedRow[] = [];
  const attempt = (name: string) => {
    try {
      rows.push(...removeRecords(needs, name, { force: false, prune: true }));
    } catch (error) {
      // Used by a container, or gone with one that was removed before.
      if (!isFailure(error, 'conflict', 'not-found')) throw error;
    }
  };
  const cached = new Set(store.cacheSpace.stepImages(undefined));
  for (const { id, created } of store.images.list()) {
    if (options.signal.aborted) throw cancelled(options.signal);
    const image = store.images.get(id);
    if (!image || cached.has(id) || created > until || !matchesLabels(options.filters, labelsOf(image))) continue;
    const references = referencesOf(store, id);
    if (references.length === 0) {
      if (!store.images.isParent(id)) attempt(id);
    } else if (!danglingOnly || references.every((reference) => reference.digest !== undefined)) {
      for (const reference of references) attempt(familiarReference(reference));
    }
  }
  const { layers } = collect(store);
  const bytes = layers.reduce((sum, layer) => sum + layer.size, 0);
  needs.emit({ type: 'image', action: 'prune', id: '', attributes: { reclaimed: String(bytes) } });
  return { ImagesDeleted: rows.length === 0 ? null : rows, SpaceReclaimed: bytes };
}
