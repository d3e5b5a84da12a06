import type { Log } from '../lib/log.ts';
import type { BlobKey, BlobReader, BlobStorage } from './blob-storage.ts';
import type { ContentDigest } from './content-digest.ts';
import type { MetadataStore, StoredManifest } from './metadata-store.ts';
import type { RepositoryName, Tag } from './names.ts';
import type { UploadDigests } from './upload-digests.ts';

/** What the use cases of the registry work with. */
export interface Registry {
  readonly metadata: MetadataStore;
  readonly blobs: BlobStorage;
  readonly digests: UploadDigests;
  readonly policy: RegistryPolicy;
  /** Where what is not here comes from; a registry that has such a source takes no pushes. */
  readonly mirror?: MirrorSource;
  readonly log: Log;
}

/** Content of another registry, got when it is asked for. */
export interface MirrorSource {
  readonly upstreamName: string;
  findManifest(repository: RepositoryName, reference: Tag | ContentDigest): Promise<StoredManifest | undefined>;
  /** Bytes of a blob that a manifest here names. */
  sizeOf(repository: RepositoryName, digest: ContentDigest): Promise<number | undefined>;
  /** A blob that is not here but that a manifest here names; reads wait for bytes that are on their way. */
  openBlob(repository: RepositoryName, digest: ContentDigest): Promise<BlobReader | undefined>;
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
