import { join } from 'node:path';
import { Readable } from 'node:stream';
import { cancelled, Failure } from '../../lib/error.ts';
import { type DiffId, Digester } from '../../oci/digest.ts';
import type { LayerRecord } from '../../store/layers.ts';
import type { Store } from '../../store/open-store.ts';
import type { EntryHeader } from '../../tar/layer-entry.ts';
import { packPieces } from '../../tar/pack-layer.ts';
import { TarWriter } from '../../tar/tar-writer.ts';
import { type ArchiveDocument, archiveDocuments, type SavedImage } from './archive-documents.ts';
import { blobPath } from './archive-paths.ts';
import type { SelectedImage } from './select-images.ts';

/**
 * A tar with images as `archiveDocuments` describes them and their layers, each once, uncompressed, byte for byte what
 * their diff IDs say: a layer whose tree has changed on disk breaks the stream with `data-loss` LAYER_DAMAGED. Reads in
 * memory of a few MiB. The layers are kept from collection until the stream is closed. Throws `not-found` LAYER_MISSING.
 */
export function saveArchive(store: Store, selected: readonly SelectedImage[], signal: AbortSignal): Readable {
  const images = selected.map((one) => ({ ...one, layers: store.layers.chain(one.image.config.rootfs.diff_ids) }));
  const layers = new Map(images.flatMap((image) => image.layers.map((layer) => [layer.diffId, layer] as const)));
  const lease = store.leases.hold({ layers: [...layers.values()].map(({ id }) => id), diffIds: layers.keys() });
  const stream = Readable.from(archiveBytes(store, images, layers, signal), { objectMode: false });
  stream.once('close', () => lease[Symbol.dispose]());
  return stream;
}

async function* archiveBytes(
  store: Store,
  images: readonly SavedImage[],
  layers: ReadonlyMap<DiffId, LayerRecord>,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const ready: Buffer[] = [];
  const writer = new TarWriter((bytes) => ready.push(Buffer.from(bytes)));
  const known = new Set<string>();
  const begin = (entry: Partial<EntryHeader> & { readonly path: string }) => {
    for (const folder of foldersOf(entry.path)) {
      if (known.has(folder)) continue;
      known.add(folder);
      writer.begin({ ...HEADER, mode: 0o755, type: 'directory', path: folder });
    }
    writer.begin({ ...HEADER, ...entry });
  };
  for (const document of archiveDocuments(images)) {
    writeDocument(writer, begin, document);
    yield* ready.splice(0);
  }
  for (const layer of layers.values()) {
    begin({ path: blobPath(layer.diffId), size: layer.tarSize });
    for (const piece of layerBytes(store, layer)) {
      if (signal.aborted) throw cancelled(signal);
      writer.data(piece);
      yield* ready.splice(0);
    }
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

/** The bytes of a layer's tar; throws at their end when they are not those of its diff ID. */
function* layerBytes(store: Store, layer: LayerRecord): Generator<Buffer> {
  const folder = store.layers.folder(layer.id);
  const digester = new Digester();
  for (const piece of packPieces(join(folder, 'index'), join(folder, 'diff'))) {
    digester.update(piece);
    if (digester.size > layer.tarSize) throw damaged(layer);
    yield piece;
  }
  if (digester.diffId() !== layer.diffId) throw damaged(layer);
}

const damaged = (layer: LayerRecord): Failure =>
  new Failure('data-loss', 'LAYER_DAMAGED', `layer ${layer.diffId} is damaged: its files give another digest`, {
    hint: 'run "strake system check"',
  });

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
