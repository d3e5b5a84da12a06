import { Failure } from '../../lib/error.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { type ImageManifest, type LayerDescriptor, MANIFEST_LIMIT } from '../../oci/manifest.ts';
import { MediaType } from '../../oci/media-type.ts';
import type { Reference } from '../../oci/reference.ts';
import type { RegistryAuth } from '../../wire/auth.ts';
import { CACHE_CONFIG_TYPE, type CacheDocument, DIFF_ID_ANNOTATION } from '../../wire/cache-transfer.ts';
import { beginLayer, pushLayer } from '../transfer/push-layer.ts';
import type { TransferNeeds } from '../transfer/transfer-needs.ts';
import { layersOf } from './cache-document.ts';
import { type TakeNeeds, takeCache } from './take-cache.ts';

export interface RegistryCacheRequest {
  /** With a tag. */
  readonly reference: Reference;
  readonly auth: RegistryAuth | undefined;
  readonly signal: AbortSignal;
}

/**
 * Gives a build cache to a registry under a name of its own: a manifest whose config is the document. Only layers that the
 * registry has not got are sent. Returns the manifest's digest.
 */
export async function pushCache(
  needs: TransferNeeds,
  document: CacheDocument,
  request: RegistryCacheRequest,
): Promise<Digest> {
  const { reference, signal } = request;
  using kept = needs.store.leases.begin();
  const repository = await needs.registries.openForPush(reference, request);
  const push = { ...request, kept, platform: undefined, emit: async () => {} };
  const layers: (LayerDescriptor & { readonly annotations: Readonly<Record<string, string>> })[] = [];
  for (const diffId of layersOf(document)) {
    kept.keep({ diffIds: [diffId] });
    const { mediaType, digest, size } = await pushLayer(
      needs,
      beginLayer(needs, repository, { diffId, shipped: [], compression: undefined, push }),
    );
    const isGzip = mediaType === MediaType.dockerLayerGzip;
    const annotations = { [DIFF_ID_ANNOTATION]: diffId };
    layers.push({ mediaType: isGzip ? MediaType.ociLayerGzip : mediaType, digest, size, annotations });
  }
  const bytes = Buffer.from(JSON.stringify(document));
  const config = { mediaType: CACHE_CONFIG_TYPE, digest: digestOf(bytes), size: bytes.length };
  if (!(await repository.hasBlob(config.digest, signal)))
    await repository.uploadBlob({
      descriptor: config,
      async *open(from) {
        yield bytes.subarray(from);
      },
      signal,
    });
  const manifest = manifestOf(config, layers);
  await repository.putManifest(reference.tag ?? 'latest', manifest, signal);
  return manifest.digest;
}

/** Takes over the build cache of that name; false when the name means something else, such as an image. */
export async function takeRegistryCache(needs: TakeNeeds, request: RegistryCacheRequest): Promise<boolean> {
  const { reference } = request;
  return await needs.registries.readFrom(reference, request, (repository) =>
    takeCache(needs, repository, reference.digest ?? reference.tag ?? 'latest', request),
  );
}

function manifestOf(config: ImageManifest['config'], layers: readonly LayerDescriptor[]): ImageManifest {
  const mediaType = MediaType.ociManifest;
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
  if (bytes.length > MANIFEST_LIMIT)
    throw new Failure('exhausted', 'CACHE_TOO_LARGE', `the build cache has ${layers.length} layers, too many to push`);
  return { kind: 'manifest', mediaType, digest: digestOf(bytes), size: bytes.length, bytes, config, layers };
}
