import { type DiffId, shortId } from '../../oci/digest.ts';
import type { LayerCompression } from '../../oci/image-form.ts';
import { isForeignLayer, type LayerDescriptor } from '../../oci/manifest.ts';
import { type LayerProgress, layerProgress } from '../../remote/layer-progress.ts';
import type { Repository } from '../../remote/repository.ts';
import type { LayerBlob } from '../../store/shipped.ts';
import { formOfLayer, makeLayerBlob } from './layer-blob.ts';
import type { Transfer, TransferNeeds } from './transfer-needs.ts';

/** Forms of a layer that a registry is asked for, before it is sent. */
const FORMS = 4;

export interface LayerPush {
  readonly repository: Repository;
  readonly diffId: DiffId;
  /** Blobs that hold the layer, the one that is wanted most first. */
  readonly blobs: readonly (LayerBlob & LayerDescriptor)[];
  /** What the layer is to be like, when that was said. */
  readonly compression: LayerCompression | undefined;
  readonly progress: LayerProgress;
  readonly push: Transfer;
}

/** Says that the layer's turn will come. `shipped`: how the image's known manifests name it, newest first. */
export function beginLayer(
  needs: TransferNeeds,
  repository: Repository,
  layer: Pick<LayerPush, 'diffId' | 'compression' | 'push'> & { readonly shipped: readonly LayerDescriptor[] },
): LayerPush {
  const { diffId, compression, push, shipped } = layer;
  const blobs = needs.store.shipped.blobsOf(diffId);
  // What a manifest says of a layer counts only when the layer was verified to be that blob.
  const first = shipped.flatMap((named) => {
    const blob = blobs.find(({ digest }) => digest === named.digest);
    return blob ? [{ ...blob, ...named }] : [];
  });
  const rest = blobs.filter(({ digest }) => !first.some((named) => named.digest === digest));
  const progress = layerProgress(shortId(diffId), push.emit);
  progress.say('Preparing');
  const wanted = inForm([...first, ...rest], compression);
  return { repository, diffId, blobs: wanted.slice(0, FORMS), compression, progress, push };
}

/** Those in the form that is wanted come first, and others only when it was not demanded for all layers. */
function inForm<Blob extends LayerDescriptor>(
  blobs: readonly Blob[],
  compression: LayerCompression | undefined,
): Blob[] {
  if (!compression) return [...blobs];
  const isWanted = ({ mediaType }: Blob) => isForeignLayer(mediaType) || formOfLayer(mediaType) === compression.type;
  const others = compression.force ? [] : blobs.filter((blob) => !isWanted(blob));
  return [...blobs.filter(isWanted), ...others];
}

/**
 * Sees to it that the repository has the layer, and returns the blob that it has: one that is there, one that another
 * repository of the registry has, one that is stored, or else a new one, compressed now and kept.
 */
export async function pushLayer(needs: TransferNeeds, layer: LayerPush): Promise<LayerDescriptor> {
  const { store } = needs;
  const { blobs, diffId, progress } = layer;
  for (const blob of blobs) {
    const status = await offer(needs, layer, blob);
    if (status === undefined) continue;
    progress.say(status);
    const { mediaType, digest, size, urls } = blob;
    store.shipped.addBlob(diffId, blob, isForeignLayer(mediaType) ? undefined : layer.push.reference);
    return { mediaType, digest, size, ...(urls && { urls }) };
  }
  const made = await makeLayerBlob(needs, diffId, { compression: layer.compression, signal: layer.push.signal });
  const status = (await offer(needs, layer, { ...made, repositories: [] })) ?? 'Pushed';
  progress.say(status);
  store.shipped.addBlob(diffId, made, layer.push.reference);
  return made;
}

/** What became of the offer, in Docker's words; undefined when the blob cannot be had for this repository. */
async function offer(
  needs: TransferNeeds,
  { repository, push, progress }: LayerPush,
  blob: LayerBlob & LayerDescriptor,
): Promise<string | undefined> {
  const { store } = needs;
  const { signal, reference } = push;
  const { digest, size } = blob;
  if (isForeignLayer(blob.mediaType)) return blob.urls ? 'Skipped foreign layer' : undefined;
  if (await repository.hasBlob(digest, signal)) return 'Layer already exists';
  const prefix = `${reference.registry}/`;
  for (const name of blob.repositories) {
    const from = name.startsWith(prefix) ? name.slice(prefix.length) : repository.path;
    if (from === repository.path) continue;
    if (await repository.tryMount(digest, from, signal)) return `Mounted from ${from}`;
  }
  if (!store.content.has(digest)) return undefined;
  push.kept.keep({ blobs: [digest] });
  if (await handOver(needs, repository, blob, signal)) return 'Pushed';
  await repository.uploadBlob({
    descriptor: blob,
    open: (from) => store.content.open(digest, from),
    onProgress: (sent) => progress.moved('Pushing', sent, size),
    onPause: progress.paused,
    signal,
  });
  return 'Pushed';
}

/** Gives the blob to a registry of this machine that shares files with this host: not a byte of it is sent. */
async function handOver(
  { store }: TransferNeeds,
  repository: Repository,
  { digest }: LayerBlob,
  signal: AbortSignal,
): Promise<boolean> {
  const { handoff } = repository;
  if (handoff === undefined) return false;
  await using handed = await store.content.handOver(digest, handoff);
  return handed !== undefined && (await repository.tryHandOver(digest, handed.name, signal));
}
