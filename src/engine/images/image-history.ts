import { Failure } from '../../lib/error.ts';
import { familiarReference } from '../../oci/reference.ts';
import type { ImageRecord } from '../../store/images.ts';
import type { HistoryRow } from '../../wire/image.ts';
import type { ImageNeeds } from './image-needs.ts';
import { unixSeconds } from './times.ts';

/**
 * GET /images/{name}/history, newest first. A row has the ID of the image that stood after it as far as the chain of
 * parents is known, `<missing>` beyond.
 */
export function imageHistory({ store }: ImageNeeds, name: string): HistoryRow[] {
  const image = store.images.resolve(name);
  const sizes = store.layers.chain(image.config.rootfs.diff_ids).map((layer) => layer.size);
  const rows = (image.config.history ?? []).map((entry): HistoryRow => {
    const size = entry.empty_layer === true ? 0 : sizes.shift();
    if (size === undefined)
      throw new Failure('data-loss', 'HISTORY_INVALID', 'too many non-empty layers in History section');
    return {
      Id: '<missing>',
      Created: unixSeconds(entry.created),
      CreatedBy: entry.created_by ?? '',
      Tags: null,
      Size: size,
      Comment: entry.comment ?? '',
    };
  });
  rows.reverse();

  let step: ImageRecord | undefined = image;
  for (const row of rows) {
    if (!step) break;
    row.Id = step.id;
    const tags = store.images.names.of(step.id).map(familiarReference);
    row.Tags = tags.length === 0 ? null : tags;
    step = step.parent === undefined ? undefined : store.images.get(step.parent);
  }
  return rows;
}
