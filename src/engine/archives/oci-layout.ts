import { Failure } from '../../lib/error.ts';
import { parseDigest } from '../../oci/digest.ts';
import { MediaType } from '../../oci/media-type.ts';
import { hostPlatform } from '../../oci/platform.ts';
import type { Reference } from '../../oci/reference.ts';
import type { ArchiveContents } from './archive-contents.ts';
import { blobPath, OCI_INDEX } from './archive-paths.ts';
import {
  type ArchivedImage,
  listIn,
  malformed,
  objectIn,
  parseDocument,
  readImage,
  readName,
  textIn,
} from './archived-image.ts';

type Document = Readonly<Record<string, unknown>>;

/** Indexes may point to indexes: as deep as this. */
const DEPTH_LIMIT = 8;

/**
 * The images of an OCI layout, as `index.json` names them. Of an index for several platforms the image for this host's
 * is taken. https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
export function readOciLayout(contents: ArchiveContents): ArchivedImage[] {
  const index = objectIn(parseDocument(contents, OCI_INDEX), OCI_INDEX);
  return listIn(index['manifests'], OCI_INDEX).flatMap((one) => {
    const descriptor = objectIn(one, OCI_INDEX);
    const manifest = findManifest(contents, descriptor, 0);
    return manifest ? [{ ...manifest, names: namesOf(descriptor), parent: undefined }] : [];
  });
}

/** The image that a descriptor leads to; undefined when it is something else, such as a signature or an attestation. */
function findManifest(
  contents: ArchiveContents,
  descriptor: Document,
  depth: number,
): Pick<ArchivedImage, 'config'> | undefined {
  const path = pathOf(descriptor, OCI_INDEX);
  if (depth > DEPTH_LIMIT) throw malformed(path, `indexes are nested more than ${DEPTH_LIMIT} deep`);
  const document = objectIn(parseDocument(contents, path), path);
  const type = document['mediaType'] ?? descriptor['mediaType'];
  if (type === MediaType.ociIndex || type === MediaType.dockerList) {
    const children = listIn(document['manifests'], path).map((child) => objectIn(child, path));
    const chosen = choosePlatform(children);
    if (!chosen) throw new Failure('not-found', 'ARCHIVE_PLATFORM', `no image for this platform in ${path}`);
    return findManifest(contents, chosen, depth + 1);
  }
  if (type !== MediaType.ociManifest && type !== MediaType.dockerManifest) return undefined;
  const config = objectIn(document['config'], path);
  if (config['mediaType'] !== MediaType.ociConfig && config['mediaType'] !== MediaType.dockerConfig) return undefined;
  const layers = listIn(document['layers'], path).map((layer) => pathOf(objectIn(layer, path), path));
  return { config: readImage(contents, pathOf(config, path), layers) };
}

/** The descriptor for this host; the only one that is no attestation when none says a platform. */
function choosePlatform(children: readonly Document[]): Document | undefined {
  const { os, architecture } = hostPlatform();
  const platformOf = (child: Document) => objectIn(child['platform'] ?? {}, OCI_INDEX);
  const fitting = children.find((child) => {
    const platform = platformOf(child);
    return platform['os'] === os && platform['architecture'] === architecture;
  });
  const silent = children.filter((child) => platformOf(child)['os'] === undefined);
  return fitting ?? (silent.length === 1 ? silent[0] : undefined);
}

function pathOf(descriptor: Document, path: string): string {
  return blobPath(parseDigest(textIn(descriptor['digest'], path)));
}

/**
 * The name in the annotations: a whole one of containerd and Docker, or the layout's own, where podman, buildah and skopeo
 * write a whole name too. A bare word there is a tag of no repository and names nothing.
 */
function namesOf(descriptor: Document): Reference[] {
  const annotations = objectIn(descriptor['annotations'] ?? {}, OCI_INDEX);
  const whole = annotations['io.containerd.image.name'];
  if (whole !== undefined) return [readName(textIn(whole, OCI_INDEX))];
  const own = annotations['org.opencontainers.image.ref.name'];
  return typeof own === 'string' && own.includes(':') ? [readName(own)] : [];
}
