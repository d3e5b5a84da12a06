import type { Digest, ImageId } from '../../oci/digest.ts';
import type { Platform } from '../../oci/platform.ts';
import { manifestFor } from '../../remote/choose-manifest.ts';
import { collect } from '../../store/collect.ts';
import type { Lease } from '../../store/leases.ts';
import { bringImage } from './bring-image.ts';
import { type ClientContent, contentSource } from './content-source.ts';
import type { TransferNeeds } from './transfer-needs.ts';

export interface TakeImageRequest {
  /** For messages. */
  readonly name: string;
  readonly content: ClientContent;
  /** Digest of its manifest, or of an index with one for the platform. */
  readonly manifest: Digest;
  readonly platform: Platform;
  readonly kept: Lease;
  readonly signal: AbortSignal;
}

/** Takes over an image that a client has. It gets no name, and is the build cache's when it was not here before. */
export async function takeImage(needs: TransferNeeds, request: TakeImageRequest): Promise<ImageId> {
  const { content, manifest, platform, signal } = request;
  const source = contentSource(content);
  try {
    const chosen = await manifestFor(source, await source.manifest(manifest, signal), platform, signal);
    const bringing = { ...request, origin: undefined, isCache: true, emit: async () => {} };
    return await bringImage(needs, source, chosen, bringing);
  } catch (error) {
    collect(needs.store); // the layers that were complete
    throw error;
  }
}
