import { Readable } from 'node:stream';
import type { DiffId } from '../../oci/digest.ts';
import type { LayerRecord } from '../../store/layers.ts';
import type { Store } from '../../store/open-store.ts';
import type { EntryHeader } from '../../tar/layer-entry.ts';
import { TarWriter } from '../../tar/tar-writer.ts';
import { type ArchiveDocument, type ArchiveForm, archiveDocuments, type SavedImage } from './archive-documents.ts';
import { blobPath } from './archive-paths.ts';
import type { SelectedImage } from './select-images.ts';

export interface SaveNeeds {
  readonly store: Store;
  /** The tar of a layer; `data-loss` at its end when it is not what the diff ID says. */
  readonly packLayer: (layer: LayerRecord, options: { readonly signal: AbortSignal }) => AsyncIterable<Buffer>;
}

export interface SaveOptions {
  readonly form: ArchiveForm;
  readonly signal: AbortSignal;
}

/**
 * A tar with images as `archiveDocuments` describes them and their layers, each once, uncompressed, byte for byte what
 * their diff IDs say: a layer whose tree has changed on disk breaks the stream with `data-loss` LAYER_DAMAGED. Reads in
 * memory of a few MiB. The layers are kept from collection until the stream is closed. Throws `not-found` LAYER_MISSING.
 */
export function saveArchive(
  needs: SaveNeeds,
  selected: readonly SelectedImage[],
  { form, signal }: SaveOptions,
): Readable {
  const { store } = needs;
  const images = selected.map((one) => ({ ...one, layers: store.layers.chain(one.image.config.rootfs.diff_ids) }));
  const layers = new Map(images.flatMap((image) => image.layers.map((layer) => [layer.diffId, layer] as const)));
  const lease = store.leases.hold({ layers: [...layers.values()].map(({ id }) => id), diffIds: layers.keys() });
  const stream = Readable.from(archiveBytes(needs, images, layers, { form, signal }), { objectMode: false });
  stream.once('close', () => lease[Symbol.dispose]());
  return stream;
}

async function* archiveBytes(
  needs: SaveNeeds,
  images: readonly SavedImage[],
  layers: ReadonlyMap<DiffId, LayerRecord>,
  { form, signal }: SaveOptions,
): AsyncGenerator<Buffer> {
  const ready: Buffer[] = [];
  const writer = new TarWriter((bytes) => ready.push(bytes), 'given');
  const known = new Set<string>();
  const begin = (entry: Partial<EntryHeader> & { readonly path: string }) => {
    for (const folder of foldersOf(entry.path)) {
      if (known.has(folder)) continue;
      known.add(folder);
      writer.begin({ ...HEADER, mode: 0o755, type: 'directory', path: folder });
    }
    writer.begin({ ...HEADER, ...entry });
  };
  for (const document of archiveDocuments(images, form)) {
    writeDocument(writer, begin, document);
    yield* ready.splice(0);
  }
  for (const layer of layers.values()) {
    begin({ path: blobPath(layer.diffId), size: layer.tarSize });
    writer.leave(layer.tarSize);
    yield* ready.splice(0);
    yield* needs.packLayer(layer, { signal });
  }
  writer.end();
  yield* ready;
}

function writeDocument(
  writer: TarWriter,
  begin: (entry: Partial<EntryHeader> & { readonly path: string }) => void,
  document: ArchiveDocument,
): void {
  const { path } = document;
  if ('target' in document) begin({ path, type: 'symlink', mode: 0o777, linkTarget: document.target });
  else {
    begin({ path, size: document.bytes.length });
    writer.data(document.bytes);
  }
}

/** `a`, `a/b` of `a/b/c`. */
function foldersOf(path: string): string[] {
  const names = path.split('/').slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join('/'));
}

const HEADER: EntryHeader = {
  path: '',
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0,
  mtimeNsec: 0,
};
