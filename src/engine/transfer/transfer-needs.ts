import type { DiffId } from '../../oci/digest.ts';
import type { Platform } from '../../oci/platform.ts';
import type { Reference } from '../../oci/reference.ts';
import type { Registries } from '../../remote/registries.ts';
import type { LayerRecord } from '../../store/layers.ts';
import type { Lease } from '../../store/leases.ts';
import type { RegistryAuth } from '../../wire/auth.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import type { EventSubject } from '../event-log.ts';
import type { LayerBlobNeeds } from './layer-blob.ts';

/** What pull and push need from the rest of the host. */
export interface TransferNeeds extends LayerBlobNeeds {
  readonly registries: Registries;
  /** Unpacks a layer, seals it, and refuses it when it has another diff ID. Leaves nothing after a failure. */
  readonly receiveLayer: (
    source: AsyncIterable<Uint8Array>,
    options: { readonly signal: AbortSignal; readonly expect: DiffId },
  ) => Promise<LayerRecord>;
  /** Tells the event log. */
  readonly emit: (subject: EventSubject) => void;
}

export interface TransferRequest {
  /** Without tag and digest: all tags of the repository. */
  readonly reference: Reference;
  readonly platform: Platform | undefined;
  /** A pull leaves the tag to the image that has it; this one stands behind it for its platform. */
  readonly isBehind?: boolean;
  readonly auth: RegistryAuth | undefined;
  readonly emit: (line: ProgressLine) => Promise<void>;
  readonly signal: AbortSignal;
}

/** An image on its way into the store. */
export interface Bringing extends Pick<TransferRequest, 'platform' | 'emit' | 'signal'> {
  /** What people call it. */
  readonly name: string;
  /** The repository that it comes from, with the digest that was asked for; undefined when it is from none. */
  readonly origin: Reference | undefined;
  /** The image is to be the build cache's, unless it is there already. */
  readonly isCache?: boolean;
  /** Keeps what has come until it has a record. */
  readonly kept: Lease;
}

/** A pull or push under way. */
export interface Transfer extends TransferRequest {
  /** Keeps what it has brought and what it needs until it ends. */
  readonly kept: Lease;
}
