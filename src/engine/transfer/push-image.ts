import { Failure, isFailure } from '../../lib/error.ts';
import { limiter } from '../../lib/limiter.ts';
import { configDigest, type DiffId, type ImageId } from '../../oci/digest.ts';
import { configPlatform } from '../../oci/image-config.ts';
import type { ImageForm, LayerCompression } from '../../oci/image-form.ts';
import {
  decodeManifest,
  encodeIndex,
  encodeManifest,
  type ImageIndex,
  type ImageManifest,
  type IndexEntry,
  type LayerDescriptor,
  MANIFEST_LIMIT,
} from '../../oci/manifest.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { familiarName, familiarReference, repositoryName } from '../../oci/reference.ts';
import { type ImagePart, type SmallBlob, writeImage } from '../../oci/write-image.ts';
import type { Repository } from '../../remote/repository.ts';
import type { ImageRecord } from '../../store/images.ts';
import { eventAttributes } from '../images/references.ts';
import { beginLayer, pushLayer } from './push-layer.ts';
import type { Transfer, TransferNeeds, TransferRequest } from './transfer-needs.ts';

/** Docker's number of uploads at a time. */
const UPLOADS = 5;

/**
 * POST /images/{name}/push: gives an image, or all tags of a repository, to its registry and says what it does in Docker's
 * lines. Only what the registry has not got is sent. An image that was pulled goes back under the same manifest when its
 * layers can be had as that manifest names them.
 */
export async function pushImage(needs: TransferNeeds, request: TransferRequest): Promise<void> {
  const { store } = needs;
  const { reference, emit } = request;
  if (reference.digest !== undefined) throw new Failure('invalid', 'PUSH_DIGEST', 'cannot push a digest reference');
  using kept = store.leases.begin();
  await emit({ status: `The push refers to repository [${repositoryName(reference)}]` });
  const names = store.images.names.inRepository(reference);
  const wanted = names.filter(({ tag }) => reference.tag === undefined || tag === reference.tag);
  if (wanted.length === 0)
    throw new Failure(
      'not-found',
      'IMAGE_NOT_FOUND',
      `An image does not exist locally with the tag: ${familiarName(reference)}`,
    );
  try {
    const repository = await needs.registries.openForPush(reference, request);
    for (const { tag, image } of wanted) {
      const push = { ...request, kept, reference: { ...reference, tag } };
      await pushTag(needs, repository, image, push);
    }
  } catch (error) {
    throw pushFailure(error);
  }
}

/** The words of Docker, whose pushes do not say which request was refused. */
function pushFailure(error: unknown): unknown {
  if (!isFailure(error, 'unauthenticated') || !isFailure(error.cause)) return error;
  const { kind, code, message, cause } = error.cause;
  return new Failure(kind, code, message, { cause, ...(error.hint !== undefined && { hint: error.hint }) });
}

/** What a tag stands for: an image, or an index of images for several platforms unless one of them is asked for. */
async function pushTag(needs: TransferNeeds, repository: Repository, own: ImageId, push: Transfer): Promise<void> {
  const { store } = needs;
  const { reference, emit, signal, platform } = push;
  const image = store.images.demand((platform && store.images.platforms.find(reference, platform)) ?? own);
  const members = platform ? [] : store.images.platforms.indexOf(reference);
  checkPlatform(image, push);
  const form = platform ? undefined : store.images.forms.of(reference);
  const manifest = form
    ? await pushForm(form)
    : members.length === 0
      ? await pushOne(needs, repository, image, push)
      : await pushIndex();
  await repository.putManifest(reference.tag ?? 'latest', manifest, signal);

  const { digest, size } = manifest;
  store.transaction(() => {
    if (store.images.has(image.id)) store.images.names.addDigest(reference, digest, image.id); // else removed meanwhile
  });
  const tag = reference.tag ?? 'latest';
  needs.emit({
    type: 'image',
    action: 'push',
    id: `${familiarName(reference)}:${tag}`,
    attributes: eventAttributes(image, familiarName(reference)),
  });
  await emit({ status: `${tag}: digest: ${digest} size: ${size}` });
  await emit({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } });

  async function pushIndex(): Promise<ImageIndex> {
    const entries: IndexEntry[] = [];
    for (const { platform: wanted, image: id } of members) {
      const { mediaType, digest, size, bytes } = await pushOne(needs, repository, store.images.demand(id), push);
      await repository.putManifest(digest, { mediaType, bytes }, signal);
      entries.push({ mediaType, digest, size, platform: wanted });
    }
    return encodeIndex(entries);
  }

  async function pushForm(form: ImageForm): Promise<ImageManifest | ImageIndex> {
    const parts: ImagePart[] = [];
    const own = { platform: configPlatform(image.config), image: image.id };
    for (const { platform: wanted, image: id } of members.length === 0 ? [own] : members) {
      const part = store.images.demand(id);
      const known = await knownManifests(needs, part, signal);
      push.kept.keep({ diffIds: part.config.rootfs.diff_ids });
      const layers = await pushLayers(needs, repository, part, { known, compression: form.compression, push });
      parts.push({ platform: wanted, config: { digest: configDigest(part.id), bytes: part.bytes }, layers });
    }
    const { top, manifests, blobs } = writeImage(parts, form, [reference]);
    for (const blob of blobs) await pushBlob(repository, blob, signal);
    for (const manifest of manifests) await repository.putManifest(manifest.digest, manifest, signal);
    return top;
  }
}

/** Gives layers and config to the registry. The manifest that names them is for the caller to put. */
async function pushOne(
  needs: TransferNeeds,
  repository: Repository,
  image: ImageRecord,
  push: Transfer,
): Promise<ImageManifest> {
  const { store } = needs;
  const { signal } = push;
  push.kept.keep({ diffIds: image.config.rootfs.diff_ids });
  const known = await knownManifests(needs, image, signal);
  const layers = await pushLayers(needs, repository, image, { known, compression: undefined, push });
  const manifest =
    known.find((candidate) => layers.every(({ digest }, index) => candidate.layers[index]?.digest === digest)) ??
    encodeManifest({ digest: configDigest(image.id), size: image.bytes.length }, layers);
  await pushBlob(repository, { digest: configDigest(image.id), size: image.bytes.length, bytes: image.bytes }, signal);
  await store.content.write(manifest.bytes, { expected: manifest.digest, limit: MANIFEST_LIMIT, signal });
  store.transaction(() => {
    if (store.images.has(image.id)) store.shipped.addManifest(image.id, manifest.digest);
  });
  return manifest;
}

function checkPlatform({ config }: ImageRecord, { platform, reference }: Transfer): void {
  if (!platform || (platform.os === config.os && platform.architecture === config.architecture)) return;
  throw new Failure(
    'not-found',
    'PLATFORM_NOT_FOUND',
    `image with reference ${familiarReference(reference)} was found but does not provide the specified platform (${formatPlatform(platform)})`,
  );
}

/** The manifests under which the image was shipped before, newest first. */
async function knownManifests(needs: TransferNeeds, image: ImageRecord, signal: AbortSignal): Promise<ImageManifest[]> {
  const { content, shipped } = needs.store;
  const manifests: ImageManifest[] = [];
  for (const digest of shipped.manifestsOf(image.id)) {
    signal.throwIfAborted();
    if (!content.has(digest)) continue;
    const manifest = decodeManifest(await content.read(digest, MANIFEST_LIMIT), undefined);
    if (manifest.kind === 'manifest' && manifest.layers.length === image.config.rootfs.diff_ids.length)
      manifests.push(manifest);
  }
  return manifests;
}

/** Bottom first. */
async function pushLayers(
  needs: TransferNeeds,
  repository: Repository,
  image: ImageRecord,
  {
    known,
    compression,
    push,
  }: {
    readonly known: readonly ImageManifest[];
    readonly compression: LayerCompression | undefined;
    readonly push: Transfer;
  },
): Promise<LayerDescriptor[]> {
  const diffIds = image.config.rootfs.diff_ids;
  const limit = limiter(UPLOADS);
  const stop = new AbortController();
  const signal = AbortSignal.any([push.signal, stop.signal]);
  const pushes = new Map<DiffId, Promise<LayerDescriptor>>();
  for (const [index, diffId] of [...diffIds.entries()].reverse()) {
    if (pushes.has(diffId)) continue;
    const layer = beginLayer(needs, repository, {
      diffId,
      shipped: known.flatMap(({ layers }) => layers[index] ?? []),
      compression,
      push: { ...push, signal },
    });
    if (pushes.size >= UPLOADS) layer.progress.say('Waiting');
    const work = limit(() => pushLayer(needs, layer));
    work.catch((error: unknown) => stop.abort(error));
    pushes.set(diffId, work);
  }
  await Promise.allSettled(pushes.values());
  if (!push.signal.aborted && stop.signal.aborted) throw stop.signal.reason;
  return await Promise.all(
    diffIds.map(
      (diffId) =>
        pushes.get(diffId) ?? Promise.reject(new Failure('internal', 'LAYER_COUNT', 'a layer was not pushed')),
    ),
  );
}

async function pushBlob(repository: Repository, blob: SmallBlob, signal: AbortSignal): Promise<void> {
  if (await repository.hasBlob(blob.digest, signal)) return;
  await repository.uploadBlob({
    descriptor: blob,
    async *open(from) {
      yield blob.bytes.subarray(from);
    },
    signal,
  });
}
