import { type DiffId, type Digest, hexOf, type ImageId, isDigest } from '../../oci/digest.ts';

/*
 * Names of files in an image archive: the OCI layout (https://github.com/opencontainers/image-spec/blob/main/image-layout.md)
 * and Docker's own documents beside it.
 */
export const OCI_LAYOUT = 'oci-layout';
export const OCI_INDEX = 'index.json';
export const DOCKER_MANIFEST = 'manifest.json';
export const DOCKER_REPOSITORIES = 'repositories';

/** Where the OCI layout has a blob. */
export function blobPath(digest: Digest | DiffId | ImageId): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** The digest that a path promises for its content: `blobs/sha256/<hex>`, `<hex>.json` and `<hex>.tar`. */
export function promisedDigest(path: string): Digest | undefined {
  const digest = `sha256:${/^(?:blobs\/sha256\/([0-9a-f]{64})|([0-9a-f]{64})\.(?:json|tar))$/.exec(path)?.slice(1).join('')}`;
  return isDigest(digest) ? digest : undefined;
}
