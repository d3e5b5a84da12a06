import { Readable } from 'node:stream';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type DiffId, type Digest, digestOf } from '../../oci/digest.ts';
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

export interface CacheBlob extends Descriptor {
  open(options: { readonly signal: AbortSignal }): AsyncIterable<Uint8Array>;
}

/** A build cache as an OCI manifest, its config, and layers, uncompressed; these are kept until it is disposed. */
export interface CacheBlobs extends Disposable {
  readonly layers: readonly CacheBlob[];
  readonly config: CacheBlob;
  readonly manifest: CacheBlob;
}

/** A document and its layers as the blobs of a manifest; the layers are kept until the lease ends. */
export function cacheBlobs({ store, packLayer }: ExportNeeds, document: CacheDocument): CacheBlobs {
  const diffIds = layersOf(document);
  const records = store.layers.chain(diffIds);
  const lease = store.leases.hold({ layers: records.map(({ id }) => id), diffIds });
  const layers = records.map((layer) => ({
    mediaType: MediaType.ociLayer,
    digest: blobDigest(layer.diffId),
    size: layer.tarSize,
    annotations: { [DIFF_ID_ANNOTATION]: layer.diffId },
  }));
  const config = blobOf(CACHE_CONFIG_TYPE, document);
  const { open: _, ...described } = config;
  const mediaType = MediaType.ociManifest;
  return {
    layers: records.map((layer) => ({
      mediaType: MediaType.ociLayer,
      digest: blobDigest(layer.diffId),
      size: layer.tarSize,
      open: (options) => packLayer(layer, options),
    })),
    config,
    manifest: blobOf(mediaType, { schemaVersion: 2, mediaType, config: described, layers }),
    [Symbol.dispose]: () => lease[Symbol.dispose](),
  };
}

/**
 * The same as the tar of an OCI layout, without the blobs in `have`. `index.json` comes last: a folder that has it has all.
 * The blobs are disposed with the stream.
 */
export function exportCache(
  blobs: CacheBlobs,
  { have, signal }: { readonly have: ReadonlySet<string>; readonly signal: AbortSignal },
): Readable {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    const ready: Buffer[] = [];
    const writer = new TarWriter((piece) => ready.push(Buffer.from(piece)));
    const document = (path: string, value: unknown) => {
      const content = Buffer.from(JSON.stringify(value));
      writer.begin({ ...HEADER, path, size: content.length });
      writer.data(content);
    };
    const { layers, config, manifest } = blobs;
    document(OCI_LAYOUT, { imageLayoutVersion: '1.0.0' });
    for (const { digest, size, open } of [config, manifest, ...layers.filter((layer) => !have.has(layer.digest))]) {
      writer.begin({ ...HEADER, path: blobPath(digest), size });
      writer.leave(size);
      yield* ready.splice(0);
      yield* open({ signal });
    }
    const { mediaType, digest, size } = manifest;
    document(OCI_INDEX, { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [{ mediaType, digest, size }] });
    writer.end();
    yield* ready;
  }
  const stream = Readable.from(bytes(), { objectMode: false });
  stream.once('close', () => blobs[Symbol.dispose]());
  return stream;
}

function blobOf(mediaType: string, document: unknown): CacheBlob {
  const bytes = Buffer.from(JSON.stringify(document));
  return {
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
    async *open() {
      yield bytes;
    },
  };
}

/** An uncompressed layer as a blob: its digest is its diff ID. */
const blobDigest = (diffId: DiffId): Digest => diffId as string as Digest;

const HEADER = { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 } as const;
