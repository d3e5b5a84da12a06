import type { Descriptor } from '../../oci/descriptor.ts';
import { chainIds, configDigest, type DiffId, type Digest, digestOf, hexOf, type ImageId } from '../../oci/digest.ts';
import { type Annotations, encodeIndex, type ImageIndex } from '../../oci/manifest.ts';
import { MediaType } from '../../oci/media-type.ts';
import { familiarName, familiarReference, type Reference, repositoryName } from '../../oci/reference.ts';
import type { LayerRecord } from '../../store/layers.ts';
import { blobPath, DOCKER_MANIFEST, DOCKER_REPOSITORIES, OCI_INDEX, OCI_LAYOUT } from './archive-paths.ts';
import { isStepOf } from './parent-link.ts';
import type { SelectedImage } from './select-images.ts';

/** An image with the layers of its chain, bottom first. */
export interface SavedImage extends SelectedImage {
  readonly layers: readonly LayerRecord[];
}

/** A file, or a symbolic link, beside the layers of an archive. */
export type ArchiveDocument =
  | { readonly path: string; readonly bytes: Uint8Array }
  | { readonly path: string; readonly target: string };

/** `oci` leaves out what is not of the OCI layout. */
export type ArchiveForm = 'docker' | 'oci';

/**
 * All that an archive says about its images, layers aside: the OCI layout, Docker's `manifest.json` and
 * `repositories`, and for readers older than these a folder per layer (`VERSION`, `json`, and `layer.tar` as a link to the
 * blob). The same images give the same bytes. What says where things are comes first, so that a reader can use layers
 * as they arrive. With `index` the images are one, for their platforms, and have these names together.
 */
export function archiveDocuments(
  images: readonly SavedImage[],
  form: ArchiveForm,
  index?: readonly Reference[],
): ArchiveDocument[] {
  const described = images.map((image) => ({
    ...image,
    manifest: json(ociManifest(image)),
    steps: form === 'oci' ? [] : legacySteps(image),
  }));
  const repositories = legacyRepositories(described);
  const documents: ArchiveDocument[] = [
    { path: OCI_LAYOUT, bytes: json({ imageLayoutVersion: '1.0.0' }) },
    ...layoutDocuments(described, index),
    ...(form === 'oci' ? [] : [{ path: DOCKER_MANIFEST, bytes: json(dockerManifest(images)) }]),
    ...(repositories ? [{ path: DOCKER_REPOSITORIES, bytes: json(repositories) }] : []),
  ];
  for (const { image, manifest, steps } of described)
    documents.push(
      { path: blobPath(digestOf(manifest)), bytes: manifest },
      { path: blobPath(image.id), bytes: image.bytes },
      ...steps.flatMap((step) => step.documents),
    );
  return [...new Map(documents.map((document) => [document.path, document])).values()];
}

function ociManifest({ image, layers }: SavedImage) {
  const config: Descriptor = {
    mediaType: MediaType.ociConfig,
    digest: configDigest(image.id),
    size: image.bytes.length,
  };
  return { schemaVersion: 2, mediaType: MediaType.ociManifest, config, layers: layers.map(layerDescriptor) };
}

function layerDescriptor({ diffId, tarSize }: LayerRecord): Descriptor {
  return { mediaType: MediaType.ociLayer, digest: blobDigest(diffId), size: tarSize };
}

/** The manifest that an OCI layout of one image has, or the index of images that are one. */
export function archiveDescriptor(images: readonly SavedImage[], isIndex: boolean): Descriptor | undefined {
  const entries = images.map((image) => ({ ...image, manifest: json(ociManifest(image)) }));
  const [only] = entries.map(manifestEntry);
  if (!isIndex) return only?.descriptor;
  const { mediaType, digest, size } = indexOf(entries);
  return { mediaType, digest, size };
}

interface DescribedImage extends SavedImage {
  readonly manifest: Uint8Array;
}

/** `index.json`, and the index that it names if the images are one. */
function layoutDocuments(
  images: readonly DescribedImage[],
  index: readonly Reference[] | undefined,
): ArchiveDocument[] {
  const layout = (manifests: readonly unknown[]) => ({
    path: OCI_INDEX,
    bytes: json({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests }),
  });
  if (!index) return [layout(images.flatMap((image) => named(manifestEntry(image).descriptor, image.names)))];
  const { bytes, mediaType, digest, size } = indexOf(images);
  return [layout(named({ mediaType, digest, size }, index)), { path: blobPath(digest), bytes }];
}

const indexOf = (images: readonly DescribedImage[]): ImageIndex =>
  encodeIndex(
    images.map((image) => {
      const { descriptor, platform } = manifestEntry(image);
      return { ...descriptor, platform };
    }),
  );

function manifestEntry({ manifest, platform }: DescribedImage) {
  const mediaType = MediaType.ociManifest;
  return { platform, descriptor: { mediaType, digest: digestOf(manifest), size: manifest.length } };
}

/** A descriptor for `index.json`, once for each name. */
export function named(
  descriptor: Descriptor & { readonly annotations?: Annotations | undefined },
  names: readonly Reference[],
): readonly unknown[] {
  if (names.length === 0) return [descriptor];
  return names.map((name) => ({
    ...descriptor,
    annotations: {
      ...descriptor.annotations,
      'io.containerd.image.name': `${repositoryName(name)}:${name.tag}`,
      'org.opencontainers.image.ref.name': name.tag,
    },
  }));
}

function dockerManifest(images: readonly SavedImage[]) {
  const all = new Map(images.map(({ image }) => [image.id, image]));
  return images.map(({ image, names, layers }) => {
    const parent = image.parent === undefined ? undefined : all.get(image.parent);
    return {
      Config: blobPath(image.id),
      RepoTags: names.length === 0 ? null : names.map(familiarReference),
      Layers: layers.map(({ diffId }) => blobPath(diffId)),
      ...(parent && isStepOf(image.config, parent.config) ? { Parent: parent.id } : {}),
      LayerSources: Object.fromEntries(layers.map((layer) => [layer.diffId, layerDescriptor(layer)])),
    };
  });
}

interface LegacyStep {
  readonly id: string;
  readonly documents: readonly ArchiveDocument[];
}

/** The image as a chain of single layers, each with an ID and a config of its own: the format before `manifest.json`. */
function legacySteps({ image, layers }: SavedImage): LegacyStep[] {
  const chain = chainIds(layers.map(({ diffId }) => diffId));
  const steps: LegacyStep[] = [];
  for (const [position, { diffId }] of layers.entries()) {
    const below = chain[position];
    const isTop = position === layers.length - 1;
    // Only the top has a config, so it is another one for each image.
    const id = hexOf(digestOf(isTop ? `${below} ${image.id}` : `${below}`));
    const parent = steps.at(-1);
    const { rootfs: _, history: __, ...config } = image.config;
    const own = isTop ? config : { created: '1970-01-01T00:00:00Z' };
    steps.push({
      id,
      documents: [
        { path: `${id}/VERSION`, bytes: Buffer.from('1.0') },
        { path: `${id}/json`, bytes: json({ id, ...(parent && { parent: parent.id }), ...own }) },
        { path: `${id}/layer.tar`, target: `../${blobPath(diffId)}` },
      ],
    });
  }
  return steps;
}

function legacyRepositories(
  images: readonly (SavedImage & { readonly steps: readonly LegacyStep[] })[],
): Record<string, Record<string, string>> | undefined {
  const repositories: Record<string, Record<string, string>> = {};
  for (const { names, steps } of images)
    for (const name of names) {
      const top = steps.at(-1);
      if (!top || name.tag === undefined) continue;
      repositories[familiarName(name)] = { ...repositories[familiarName(name)], [name.tag]: top.id };
    }
  return Object.keys(repositories).length > 0 ? repositories : undefined;
}

export const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** An uncompressed layer as a blob: its digest is its diff ID. */
const blobDigest = (diffId: DiffId | ImageId): Digest => diffId as string as Digest;
