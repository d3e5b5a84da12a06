import type { Log } from '../lib/log.ts';
import type { BlobKey, BlobStorage } from './blob-storage.ts';
import type { MetadataStore } from './metadata-store.ts';
import type { UploadDigests } from './upload-digests.ts';

/** What the use cases of the registry work with. */
export interface Registry {
  readonly metadata: MetadataStore;
  readonly blobs: BlobStorage;
  readonly digests: UploadDigests;
  readonly policy: RegistryPolicy;
  readonly log: Log;
}

/** Milliseconds. */
export interface RegistryPolicy {
  /** How long an upload may rest, and a blob wait for the first manifest that names it. */
  readonly lease: number;
  /** How long blobs stay after the last manifest that names them is deleted. */
  readonly grace: number;
}

/** Deletes bytes that the metadata has doomed. */
export async function discardKeys(registry: Registry, keys: readonly BlobKey[]): Promise<void> {
  for (const key of keys) await registry.blobs.delete(key);
  await registry.metadata.forgetKeys(keys);
}
