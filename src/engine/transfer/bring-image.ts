import { Failure } from '../../lib/error.ts';
import { type ImageId, parseImageId } from '../../oci/digest.ts';
import { CONFIG_LIMIT, decodeConfig, type StoredConfig } from '../../oci/image-config.ts';
import { type ImageManifest, MANIFEST_LIMIT } from '../../oci/manifest.ts';
import { formatPlatform } from '../../oci/platform.ts';
import type { BlobSource } from '../../remote/blob-source.ts';
import { pullLayers } from './pull-layers.ts';
import type { Bringing, TransferNeeds } from './transfer-needs.ts';

/** Config and layers, when the store has not got them, and the record of the manifest. */
export async function bringImage(
  needs: TransferNeeds,
  source: BlobSource,
  manifest: ImageManifest,
  pull: Bringing,
): Promise<ImageId> {
  const { store } = needs;
  const { signal } = pull;
  const id = parseImageId(manifest.config.digest);
  pull.kept.keep({ images: [id] });
  let config: StoredConfig | undefined = store.images.get(id);
  if (!config) {
    config = decodeConfig(await source.readBlob(manifest.config, CONFIG_LIMIT, signal));
    checkConfig(config, manifest, pull);
    await pullLayers(needs, source, { manifest, config, pull });
  } else checkConfig(config, manifest, pull);
  await store.content.write(manifest.bytes, { expected: manifest.digest, limit: MANIFEST_LIMIT, signal });
  const image = config;
  store.transaction(() => {
    const stepKey = pull.isCache && !store.images.has(id) ? `image ${id}` : undefined;
    store.images.put({ config: image, stepKey });
    store.shipped.addManifest(id, manifest.digest);
  });
  return id;
}

function checkConfig({ config }: StoredConfig, { layers }: ImageManifest, pull: Bringing): void {
  const { name } = pull;
  const { os, architecture } = config;
  if (config.rootfs.diff_ids.length !== layers.length)
    throw new Failure(
      'invalid',
      'MANIFEST_INVALID',
      `the manifest of ${name} has ${layers.length} layers, its config ${config.rootfs.diff_ids.length}`,
    );
  if (os !== '' && os !== 'linux')
    throw new Failure(
      'unsupported',
      'OS_UNSUPPORTED',
      `image operating system "${os}" cannot be used on this platform`,
    );
  const { platform } = pull;
  const actual = { os, architecture };
  if (platform && (platform.os !== os || platform.architecture !== architecture))
    throw new Failure(
      'not-found',
      'PLATFORM_NOT_FOUND',
      `image with reference ${name} was found but does not match the specified platform: ` +
        `wanted ${formatPlatform(platform)}, actual: ${formatPlatform(actual)}`,
    );
}
