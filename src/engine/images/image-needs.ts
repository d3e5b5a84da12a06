import type { FileRange } from '../../lib/file-range.ts';
import type { ImageId } from '../../oci/digest.ts';
import type { RunConfig } from '../../oci/image-config.ts';
import type { LayerRecord } from '../../store/layers.ts';
import type { Store } from '../../store/open-store.ts';
import type { EventSubject } from '../event-log.ts';

/** What the image use cases need from the rest of the host. */
export interface ImageNeeds {
  readonly store: Store;
  /** Tells the event log. */
  readonly emit: (subject: EventSubject) => void;
  /** Containers that were made from exactly this image, running or not. */
  readonly containersOf: (image: ImageId) => readonly ImageUser[];
  readonly receiveLayer: ReceiveLayer;
  /** Dockerfile instructions on a config; `invalid` for those that are not metadata. */
  readonly applyChanges: (config: RunConfig, changes: readonly string[]) => RunConfig;
}

export interface ImageUser {
  readonly id: string;
  readonly running: boolean;
}

/**
 * Unpacks a tar in any compression and seals it. Throws `invalid` when it is none, and then leaves nothing. A chunk of the
 * source is used until the next one is asked for.
 */
export type ReceiveLayer = (
  source: AsyncIterable<Uint8Array> | FileRange,
  options: { readonly signal: AbortSignal; readonly onProgress?: (progress: { readonly bytes: number }) => void },
) => Promise<LayerRecord>;
