import { Failure } from '../lib/error.ts';
import { chooseEntry, type ImageIndex, type ImageManifest, isImageConfig, MANIFEST_LIMIT } from '../oci/manifest.ts';
import { formatPlatform, type Platform } from '../oci/platform.ts';
import type { BlobSource } from './blob-source.ts';

/** Indexes inside indexes are allowed, without end they are not. */
export const INDEX_DEPTH = 4;

/** The image manifest for a platform, from an index where there is one. */
export async function manifestFor(
  source: Pick<BlobSource, 'manifest'>,
  top: ImageManifest | ImageIndex,
  platform: Platform,
  signal: AbortSignal,
): Promise<ImageManifest> {
  let document = top;
  for (let depth = 0; document.kind === 'index'; depth++) {
    const entry = chooseEntry(document, platform);
    if (!entry)
      throw new Failure(
        'not-found',
        'PLATFORM_NOT_FOUND',
        `no matching manifest for ${formatPlatform(platform)} in the manifest list entries`,
      );
    if (depth >= INDEX_DEPTH || entry.size > MANIFEST_LIMIT)
      throw new Failure('invalid', 'MANIFEST_INVALID', 'the index leads to no image manifest');
    document = await source.manifest(entry.digest, signal);
  }
  if (!isImageConfig(document.config.mediaType))
    throw new Failure(
      'unsupported',
      'NOT_AN_IMAGE',
      `unsupported media type "${document.config.mediaType}": this is no container image`,
    );
  return document;
}
