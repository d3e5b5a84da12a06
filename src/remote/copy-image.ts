import { Failure, isFailure } from '../lib/error.ts';
import { limiter } from '../lib/limiter.ts';
import { type Digest, hexOf, shortId } from '../oci/digest.ts';
import { CONFIG_LIMIT, decodeConfig } from '../oci/image-config.ts';
import {
  type ImageIndex,
  type ImageManifest,
  isForeignLayer,
  type LayerDescriptor,
  MANIFEST_LIMIT,
} from '../oci/manifest.ts';
import { MediaType } from '../oci/media-type.ts';
import { formatPlatform, type Platform } from '../oci/platform.ts';
import { familiarReference, type Reference } from '../oci/reference.ts';
import type { ProgressLine } from '../wire/progress.ts';
import { INDEX_DEPTH, manifestFor } from './choose-manifest.ts';
import { type LayerProgress, layerProgress } from './layer-progress.ts';
import { readFailure } from './read-failure.ts';
import type { Repository } from './repository.ts';

export interface CopyRequest {
  readonly from: Repository;
  readonly to: Repository;
  /** Both are of one registry, which then need not get blobs that it has. */
  readonly sameRegistry: boolean;
  /** The name of `from` with a tag or digest. */
  readonly source: Reference;
  /** In `to`; undefined: the image has its digest alone there. */
  readonly tag: string | undefined;
  /** The image of this platform alone; undefined: all that is there. */
  readonly platform: Platform | undefined;
  /** Also what refers to the image: signatures, bills of materials. */
  readonly referrers: boolean;
  readonly emit: (line: ProgressLine) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Blobs at a time: Docker's number of uploads. */
const BLOBS = 5;

type Manifest = ImageManifest | ImageIndex;

/**
 * Copies an image from one repository to another: bytes pass by and are kept nowhere, manifests keep theirs, so that every
 * digest stays. Blobs come before the manifests that name them and the tag comes last: a copy that fails leaves no image.
 * Returns the manifest or index that was copied.
 */
export async function copyImage(request: CopyRequest): Promise<Manifest> {
  const { from, to, source, tag, platform, signal, emit } = request;
  const top = await from.manifest(source.digest ?? source.tag ?? 'latest', signal).catch((error: unknown) => {
    throw readFailure(error, source);
  });
  const chosen = platform ? await manifestFor(from, top, platform, signal) : top;
  if (platform && chosen === top) await checkPlatform(request, chosen, platform);
  await copyTree(request, chosen, 0);
  if (tag !== undefined) await to.putManifest(tag, chosen, signal);
  const { digest, size } = chosen;
  await emit({ status: `${tag ?? shortId(digest)}: digest: ${digest} size: ${size}` });
  return chosen;
}

/** An index after all that it names, then what refers to it. `depth`: of indexes and referrers, which may not go on without end. */
async function copyTree(request: CopyRequest, manifest: Manifest, depth: number): Promise<boolean> {
  const { from, to, signal, emit } = request;
  if (depth > INDEX_DEPTH) throw new Failure('invalid', 'MANIFEST_INVALID', 'the index leads to indexes without end');
  if (manifest.kind === 'manifest') await copyBlobs(request, manifest);
  else
    for (const { digest, platform, size } of manifest.manifests) {
      if (size > MANIFEST_LIMIT) throw tooLarge(digest, size);
      await copyTree(request, await from.manifest(digest, signal), depth + 1);
      await emit({ status: `Copied ${platform ? formatPlatform(platform) : 'manifest'}`, id: shortId(digest) });
    }
  const isNoted = await to.putManifest(manifest.digest, manifest, signal);
  if (request.referrers) await copyReferrers(request, manifest.digest, depth);
  return isNoted;
}

async function copyReferrers(request: CopyRequest, subject: Digest, depth: number): Promise<void> {
  const { from, to, signal, emit } = request;
  const list = (await from.referrers(subject, signal)) ?? (await listByTag(from, subject, signal));
  let isNoted = true;
  for (const { digest, size } of list?.manifests ?? []) {
    if (size > MANIFEST_LIMIT) throw tooLarge(digest, size);
    isNoted = (await copyTree(request, await from.manifest(digest, signal), depth + 1)) && isNoted;
    await emit({ status: `Copied referrer of ${shortId(subject)}`, id: shortId(digest) });
  }
  if (!list || isNoted) return;
  const merged = mergeLists(await listByTag(to, subject, signal), list);
  await to.putManifest(fallbackTag(subject), { mediaType: MediaType.ociIndex, bytes: merged }, signal);
}

/** https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema */
const fallbackTag = (subject: Digest): string => `sha256-${hexOf(subject)}`;

/** The list of a registry that keeps none itself: clients do, under a tag. */
async function listByTag(
  repository: Repository,
  subject: Digest,
  signal: AbortSignal,
): Promise<ImageIndex | undefined> {
  try {
    const list = await repository.manifest(fallbackTag(subject), signal);
    return list.kind === 'index' ? list : undefined;
  } catch (error) {
    if (isFailure(error, 'not-found')) return undefined;
    throw error;
  }
}

/** Entries as they are, with their annotations and types. */
function mergeLists(...lists: readonly (ImageIndex | undefined)[]): Buffer {
  const manifests = new Map<string, unknown>();
  for (const list of lists)
    for (const entry of list ? JSON.parse(list.bytes.toString('utf8')).manifests : [])
      manifests.set(entry.digest, entry);
  const index = { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [...manifests.values()] };
  return Buffer.from(JSON.stringify(index));
}

async function copyBlobs(request: CopyRequest, { config, layers }: ImageManifest): Promise<void> {
  const limit = limiter(BLOBS);
  const stop = new AbortController();
  const signal = AbortSignal.any([request.signal, stop.signal]);
  const blobs = new Map<Digest, LayerDescriptor>([config, ...layers].map((blob) => [blob.digest, blob]));
  const copies = [...blobs.values()].map((blob) => {
    const progress = layerProgress(shortId(blob.digest), request.emit);
    progress.say('Preparing');
    const copy = limit(() => copyBlob({ ...request, signal }, blob, progress));
    copy.catch((error: unknown) => stop.abort(error));
    return copy;
  });
  await Promise.allSettled(copies);
  if (!request.signal.aborted && stop.signal.aborted) throw stop.signal.reason;
  await Promise.all(copies);
}

async function copyBlob(request: CopyRequest, blob: LayerDescriptor, progress: LayerProgress): Promise<void> {
  const { from, to, sameRegistry, signal } = request;
  const { digest, size, urls } = blob;
  if (isForeignLayer(blob.mediaType) && urls) return progress.say('Skipped foreign layer');
  if (await to.hasBlob(digest, signal)) return progress.say('Already exists');
  if (sameRegistry && (await to.tryMount(digest, from.path, signal))) return progress.say(`Mounted from ${from.path}`);
  await to.uploadBlob({
    descriptor: blob,
    open: (start) => withVerifiedEnd(from.blob(blob, { signal, start, onPause: progress.paused })),
    onProgress: (sent) => progress.moved('Copying', sent, size),
    onPause: progress.paused,
    signal,
  });
  progress.say('Copied');
}

/** Keeps the last bytes back until the source has found its digest right: no registry then takes the others for a blob. */
async function* withVerifiedEnd(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer | undefined;
  for await (const chunk of source) {
    if (held) yield held;
    held = chunk;
  }
  if (held) yield held;
}

async function checkPlatform(
  { from, source, signal }: CopyRequest,
  manifest: Manifest,
  wanted: Platform,
): Promise<void> {
  if (manifest.kind === 'index') return;
  const { config } = decodeConfig(await from.readBlob(manifest.config, CONFIG_LIMIT, signal));
  if (config.os === wanted.os && config.architecture === wanted.architecture) return;
  throw new Failure(
    'not-found',
    'PLATFORM_NOT_FOUND',
    `image with reference ${familiarReference(source)} was found but does not match the specified platform: ` +
      `wanted ${formatPlatform(wanted)}, actual: ${formatPlatform({ os: config.os, architecture: config.architecture })}`,
  );
}

function tooLarge(digest: Digest, size: number): Failure {
  return new Failure(
    'invalid',
    'MANIFEST_INVALID',
    `manifest ${digest} has ${size} bytes, over the limit of ${MANIFEST_LIMIT}`,
  );
}
