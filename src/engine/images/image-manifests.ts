import type { ImageId } from '../../oci/digest.ts';
import { configPlatform } from '../../oci/image-config.ts';
import { decodeManifest, MANIFEST_LIMIT } from '../../oci/manifest.ts';
import type { ManifestSummary } from '../../wire/image.ts';
import type { ImageNeeds } from './image-needs.ts';

/**
 * The manifest under which an image was pulled or pushed last, as lists with `manifests` show it; none for an image that
 * no registry has seen. Its content are the blobs that the store still has.
 */
export async function manifestSummaries(needs: ImageNeeds, id: ImageId): Promise<ManifestSummary[]> {
  const { store } = needs;
  const [digest] = store.shipped.manifestsOf(id);
  if (digest === undefined || !store.content.has(digest)) return [];
  const manifest = decodeManifest(await store.content.read(digest, MANIFEST_LIMIT), undefined);
  if (manifest.kind !== 'manifest') return [];
  const { bytes, config, size } = store.images.demand(id);
  const blobs = new Set(manifest.layers.map((layer) => layer.digest));
  let content = manifest.size + bytes.length;
  for (const blob of blobs) content += store.content.size(blob) ?? 0;
  return [
    {
      ID: digest,
      Descriptor: { mediaType: manifest.mediaType, digest, size: manifest.size },
      Available: true,
      Kind: 'image',
      Size: { Content: content, Total: content + size },
      ImageData: {
        Platform: configPlatform(config),
        Containers: needs.containersOf(id).map((user) => user.id),
        Size: { Unpacked: size },
      },
    },
  ];
}
