import { Readable } from 'node:stream';
import { digestOf, hexOf } from '../../oci/digest.ts';
import { MediaType } from '../../oci/media-type.ts';
import type { LayerRecord } from '../../store/layers.ts';
import type { Store } from '../../store/open-store.ts';
import { TarWriter } from '../../tar/tar-writer.ts';
import { CACHE_CONFIG_TYPE, type CacheDocument, DIFF_ID_ANNOTATION } from '../../wire/cache-transfer.ts';
import { blobPath, OCI_INDEX, OCI_LAYOUT } from '../archives/archive-paths.ts';
import { layersOf } from './cache-document.ts';

export interface ExportNeeds {
  readonly store: Store;
  /** The tar of a layer; `data-loss` at its end when it is not what the diff ID says. */
  readonly packLayer: (layer: LayerRecord, options: { readonly signal: AbortSignal }) => AsyncIterable<Buffer>;
}

/**
 * A build cache as the tar of an OCI layout, layers uncompressed, without the blobs in `have`. `index.json` comes last: a
 * folder that has it has all. The layers are kept from collection until the stream is closed.
 */
export function exportCache(
  { store, packLayer }: ExportNeeds,
  document: CacheDocument,
  { have, signal }: { readonly have: ReadonlySet<string>; readonly signal: AbortSignal },
): Readable {
  const diffIds = layersOf(document);
  const layers = store.layers.chain(diffIds);
  const lease = store.leases.hold({ layers: layers.map(({ id }) => id), diffIds });
  async function* bytes(): AsyncGenerator<Buffer> {
    const ready: Buffer[] = [];
    const writer = new TarWriter((piece) => ready.push(Buffer.from(piece)));
    const write = (path: string, content: Uint8Array) => {
      writer.begin({ ...HEADER, path, size: content.length });
      writer.data(content);
    };
    const config = Buffer.from(JSON.stringify(document));
    const manifest = Buffer.from(JSON.stringify(manifestOf(config, layers)));
    write(OCI_LAYOUT, Buffer.from(JSON.stringify({ imageLayoutVersion: '1.0.0' })));
    write(blobPath(digestOf(config)), config);
    write(blobPath(digestOf(manifest)), manifest);
    for (const layer of layers) {
      if (have.has(layer.diffId)) continue;
      writer.begin({ ...HEADER, path: blobPath(layer.diffId), size: layer.tarSize });
      writer.leave(layer.tarSize);
      yield* ready.splice(0);
      yield* packLayer(layer, { signal });
    }
    const descriptor = { mediaType: MediaType.ociManifest, digest: digestOf(manifest), size: manifest.length };
    write(
      OCI_INDEX,
      Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [descriptor] })),
    );
    writer.end();
    yield* ready;
  }
  const stream = Readable.from(bytes(), { objectMode: false });
  stream.once('close', () => lease[Symbol.dispose]());
  return stream;
}

function manifestOf(config: Uint8Array, layers: readonly LayerRecord[]) {
  return {
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    config: { mediaType: CACHE_CONFIG_TYPE, digest: digestOf(config), size: config.length },
    layers: layers.map(({ diffId, tarSize }) => ({
      mediaType: MediaType.ociLayer,
      digest: `sha256:${hexOf(diffId)}`,
      size: tarSize,
      annotations: { [DIFF_ID_ANNOTATION]: diffId },
    })),
  };
}

const HEADER = { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 } as const;
