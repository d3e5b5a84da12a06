import { Failure } from '../../lib/error.ts';
import { lendBytes } from '../../lib/lend-bytes.ts';
import { limiter } from '../../lib/limiter.ts';
import { type DiffId, shortId } from '../../oci/digest.ts';
import type { StoredConfig } from '../../oci/image-config.ts';
import type { ImageManifest, LayerDescriptor } from '../../oci/manifest.ts';
import type { BlobSource } from '../../remote/blob-source.ts';
import { type LayerProgress, layerProgress } from '../../remote/layer-progress.ts';
import type { Bringing, TransferNeeds } from './transfer-needs.ts';

/** Docker's number of downloads at a time. */
const DOWNLOADS = 3;

interface PullLayers {
  readonly manifest: ImageManifest;
  readonly config: StoredConfig;
  readonly pull: Bringing;
}

/**
 * Brings the layers that the store has not got, a few at a time; each is verified and unpacked while it arrives. The first
 * failure stops the others.
 */
export async function pullLayers(needs: TransferNeeds, source: BlobSource, image: PullLayers): Promise<void> {
  const { manifest, config, pull } = image;
  const limit = limiter(DOWNLOADS);
  const stop = new AbortController();
  const signal = AbortSignal.any([pull.signal, stop.signal]);
  const downloads = new Map<DiffId, Promise<void>>();
  for (const [index, layer] of manifest.layers.entries()) {
    const diffId = config.config.rootfs.diff_ids[index];
    if (diffId === undefined) throw new Failure('internal', 'LAYER_COUNT', 'a layer has no diff ID');
    const progress = layerProgress(shortId(layer.digest), pull.emit);
    if (needs.store.layers.byDiffId(diffId)) {
      pull.kept.keep({ diffIds: [diffId] });
      progress.say('Already exists');
      continue;
    }
    progress.say('Pulling fs layer');
    if (downloads.has(diffId)) continue;
    if (downloads.size >= DOWNLOADS) progress.say('Waiting');
    const work = limit(() => pullLayer(needs, source, { layer, diffId, progress, pull: { ...pull, signal } }));
    work.catch((error: unknown) => stop.abort(error));
    downloads.set(diffId, work);
  }
  await Promise.allSettled(downloads.values());
  if (!pull.signal.aborted && stop.signal.aborted) throw stop.signal.reason;
  await Promise.all(downloads.values());
}

interface PullLayer {
  readonly layer: LayerDescriptor;
  readonly diffId: DiffId;
  readonly progress: LayerProgress;
  readonly pull: Bringing;
}

async function pullLayer(needs: TransferNeeds, source: BlobSource, part: PullLayer): Promise<void> {
  const { store } = needs;
  const { layer, diffId, progress, pull } = part;
  const { signal, origin } = pull;
  let isWhole = false;
  async function* download(): AsyncGenerator<Buffer> {
    let current = 0;
    for await (const chunk of lendBytes(source.blob(layer, { signal, onPause: progress.paused }))) {
      current += chunk.length;
      progress.moved('Downloading', current, layer.size);
      yield chunk;
    }
    isWhole = true;
    for (const status of ['Verifying Checksum', 'Download complete']) progress.say(status);
    progress.moved('Extracting', layer.size, layer.size);
  }
  let bytes: AsyncIterable<Uint8Array> = download();
  if (origin?.digest !== undefined) {
    await store.content.write(bytes, { expected: layer.digest, size: layer.size, limit: layer.size, signal });
    bytes = store.content.open(layer.digest);
  }
  await needs.receiveLayer(bytes, { signal, expect: diffId });
  // What was not read to its end, behind the end of the tar, was not verified.
  if (isWhole) store.shipped.addBlob(diffId, layer, origin);
  progress.say('Pull complete');
}
