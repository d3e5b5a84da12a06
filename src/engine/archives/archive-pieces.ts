import type { DiffId } from '../../oci/digest.ts';
import type { Reference } from '../../oci/reference.ts';
import type { LayerRecord } from '../../store/layers.ts';
import type { Lease } from '../../store/leases.ts';
import type { Store } from '../../store/open-store.ts';
import type { EntryHeader } from '../../tar/layer-entry.ts';
import { TarWriter } from '../../tar/tar-writer.ts';
import { type ArchiveDocument, type ArchiveForm, archiveDocuments, type SavedImage } from './archive-documents.ts';
import { blobPath } from './archive-paths.ts';
import type { SelectedImage } from './select-images.ts';

/** What an archive is to hold: images, and the layers of all of them, each once. */
export interface ArchivePlan {
  readonly images: readonly SavedImage[];
  readonly layers: readonly LayerRecord[];
  /** Keeps the layers from collection; ended by whoever makes the archive. */
  readonly lease: Lease;
}

/** Throws `not-found` LAYER_MISSING. */
export function savedImages(store: Store, selected: readonly SelectedImage[]): SavedImage[] {
  return selected.map((one) => ({ ...one, layers: store.layers.chain(one.image.config.rootfs.diff_ids) }));
}

/** Throws `not-found` LAYER_MISSING. */
export function planArchive(store: Store, selected: readonly SelectedImage[]): ArchivePlan {
  const images = savedImages(store, selected);
  const layers = new Map<DiffId, LayerRecord>();
  for (const image of images) for (const layer of image.layers) layers.set(layer.diffId, layer);
  const lease = store.leases.hold({ layers: [...layers.values()].map(({ id }) => id), diffIds: layers.keys() });
  return { images, layers: [...layers.values()], lease };
}

/** The bytes of an archive in their order; a layer stands for its tar. */
export function* archivePieces(
  { images, layers }: ArchivePlan,
  form: ArchiveForm,
  index?: readonly Reference[],
): Generator<Buffer | LayerRecord> {
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
  for (const document of archiveDocuments(images, form, index)) {
    writeDocument(writer, begin, document);
    yield* ready.splice(0);
  }
  for (const layer of layers) {
    begin({ path: blobPath(layer.diffId), size: layer.tarSize });
    writer.leave(layer.tarSize);
    yield* ready.splice(0);
    yield layer;
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
