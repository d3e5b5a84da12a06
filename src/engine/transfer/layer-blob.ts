import { Failure } from '../../lib/error.ts';
import { useUpBytes } from '../../lib/lend-bytes.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { DiffId, Digest } from '../../oci/digest.ts';
import type { LayerCompression } from '../../oci/image-form.ts';
import { MediaType } from '../../oci/media-type.ts';
import type { LayerId } from '../../store/layers.ts';
import type { Store } from '../../store/open-store.ts';

export interface LayerBlobNeeds {
  readonly store: Store;
  /** A layer's tar in a form, the same bytes each time. Each chunk is alone in its memory. */
  readonly compressLayer: (
    id: LayerId,
    options: Partial<Pick<LayerCompression, 'type' | 'level'>> & { readonly signal: AbortSignal },
  ) => AsyncIterable<Uint8Array>;
}

const MEDIA_TYPES: Readonly<Record<LayerCompression['type'], string>> = {
  gzip: MediaType.dockerLayerGzip,
  zstd: MediaType.ociLayerZstd,
  uncompressed: MediaType.dockerLayer,
};

/** The form of a blob of this media type. */
export function formOfLayer(mediaType: string): LayerCompression['type'] {
  if (/[+.]zstd$/.test(mediaType)) return 'zstd';
  return /[+.]gzip$/.test(mediaType) ? 'gzip' : 'uncompressed';
}

/** Makes a blob of a layer, keeps it in the store and notes it: gzip unless another form is asked for. */
export async function makeLayerBlob(
  { store, compressLayer }: LayerBlobNeeds,
  diffId: DiffId,
  { compression, signal }: { readonly compression?: LayerCompression | undefined; readonly signal: AbortSignal },
): Promise<Descriptor> {
  const layer = store.layers.byDiffId(diffId);
  if (!layer) throw new Failure('not-found', 'LAYER_MISSING', `layer ${diffId} is not in the store`);
  const { type = 'gzip', level } = compression ?? {};
  // Nothing compressed is longer than its input by more than a little.
  const limit = layer.tarSize + (layer.tarSize >> 6) + (1 << 20);
  const bytes = useUpBytes(compressLayer(layer.id, { type, ...(level !== undefined && { level }), signal }));
  const expected = type === 'uncompressed' ? { expected: diffId as string as Digest } : {}; // of the same bytes
  const written = await store.content.write(bytes, { ...expected, limit, signal });
  const blob = { mediaType: MEDIA_TYPES[type], ...written };
  store.shipped.addBlob(diffId, blob);
  return blob;
}
