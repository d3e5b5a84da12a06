import { Readable } from 'node:stream';
import type { Reference } from '../../oci/reference.ts';
import type { LayerRecord } from '../../store/layers.ts';
import type { Store } from '../../store/open-store.ts';
import type { ArchiveForm } from './archive-documents.ts';
import { type ArchivePlan, archivePieces, planArchive } from './archive-pieces.ts';
import type { SelectedImage } from './select-images.ts';

export interface SaveNeeds {
  readonly store: Store;
  /** The tar of a layer; `data-loss` at its end when it is not what the diff ID says. */
  readonly packLayer: (layer: LayerRecord, options: { readonly signal: AbortSignal }) => AsyncIterable<Buffer>;
}

export interface SaveOptions {
  readonly form: ArchiveForm;
  /** The images are one index with these names. */
  readonly index?: readonly Reference[];
  readonly signal: AbortSignal;
}

/**
 * A tar with images as `archiveDocuments` describes them and their layers, each once, uncompressed, byte for byte what
 * their diff IDs say: a layer whose tree has changed on disk breaks the stream with `data-loss` LAYER_DAMAGED. Reads in
 * memory of a few MiB. The layers are kept from collection until the stream is closed. Throws `not-found` LAYER_MISSING.
 */
export function saveArchive(needs: SaveNeeds, selected: readonly SelectedImage[], options: SaveOptions): Readable {
  const plan = planArchive(needs.store, selected);
  const stream = Readable.from(archiveBytes(needs, plan, options), { objectMode: false });
  stream.once('close', () => plan.lease[Symbol.dispose]());
  return stream;
}

async function* archiveBytes(
  needs: SaveNeeds,
  plan: ArchivePlan,
  { form, index, signal }: SaveOptions,
): AsyncGenerator<Buffer> {
  for (const piece of archivePieces(plan, form, index))
    if ('diffId' in piece) yield* needs.packLayer(piece, { signal });
    else yield piece;
}
