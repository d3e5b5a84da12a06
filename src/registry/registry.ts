import type { Log } from '../lib/log.ts';
import type { BlobKey, BlobReader, BlobStorage, UploadProgress } from './blob-storage.ts';
import type { ContentDigest } from './content-digest.ts';
import type { MetadataStore, StoredManifest, Terms } from './metadata-store.ts';
import type { RepositoryName, Tag } from './names.ts';
import type { UploadDigests } from './upload-digests.ts';

/** Deletions of bytes at a time: enough to keep a disk busy, few enough for others to get a thread. */
const DELETIONS = 8;

/** What the use cases of the registry work with. */
export interface Registry {
  readonly metadata: MetadataStore;
  readonly blobs: BlobStorage;
  readonly digests: UploadDigests;
  readonly policy: RegistryPolicy;
  /** Where what is not here comes from; a registry that has such a source takes no pushes. */
  readonly mirror?: MirrorSource;
  /** Where a host of this machine puts blobs that it gives to this registry. */
  readonly handoff?: Handoff;
  readonly log: Log;
  /** Hears what has changed. */
  readonly tell?: (change: Change) => void;
}

/** A tag or a manifest that was pushed or deleted. */
export interface Change {
  readonly action: 'push' | 'delete';
  readonly repository: RepositoryName;
  /** Undefined when a tag alone was deleted. */
  readonly digest: ContentDigest | undefined;
  readonly mediaType: string | undefined;
  /** Bytes of the manifest. */
  readonly size: number | undefined;
  readonly tags: readonly Tag[];
  readonly user: string | undefined;
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

/** Files that a host and a registry of one machine share, so that a push moves no bytes. */
export interface Handoff {
  /** Name of the place, by which the host knows it. Told to every client. */
  readonly id: string;
  /** Makes the file that was handed over as `name` the bytes of a new upload; undefined when there is none. */
  take(name: string, key: BlobKey): Promise<UploadProgress | undefined>;
}

export interface RegistryPolicy {
  /** Milliseconds that an upload may rest, and that a blob waits for the first manifest that names it. */
  readonly lease: number;
  /** Milliseconds for which what was deleted can be put back, with its blobs. */
  readonly grace: number;
  /** Tags that, once pushed, neither change nor go. */
  isFixed(repository: string, tag: string): boolean;
  /** Bytes that a repository may have in its blobs; undefined: as many as fit. */
  quotaOf(repository: string): number | undefined;
}

/** How a repository takes a blob in now. */
export function termsOf({ policy }: Registry, repository: RepositoryName): Terms {
  return { leaseEnd: Date.now() + policy.lease, quota: policy.quotaOf(repository) };
}

/** Deletes bytes that the metadata has doomed. */
export async function discardKeys(registry: Registry, keys: readonly BlobKey[]): Promise<void> {
  for (let from = 0; from < keys.length; from += DELETIONS)
    await Promise.all(keys.slice(from, from + DELETIONS).map((key) => registry.blobs.delete(key)));
  await registry.metadata.forgetKeys(keys);
}
