import type { BlobKey, UploadProgress } from './blob-storage.ts';
import type { Algorithm, ContentDigest } from './content-digest.ts';
import type { ManifestDocument } from './manifest-document.ts';
import type { RepositoryName, Tag } from './names.ts';

/**
 * What the registry knows: repositories, manifests with the edges between them, tags, which blob is in which repository,
 * and uploads. Every method is one transaction, with an effect as if they came one after the other (SERIALIZABLE), so that any number
 * of nodes may share one store. Times are milliseconds since the epoch, of the node that asks: their clocks may differ by seconds.
 * Text is in the order of its bytes (in PostgreSQL: the collation "C").
 *
 * A blob stays in a repository while a manifest there names it, else until its lease ends: a blob that was pushed or
 * mounted waits for its manifest that long. Who puts a manifest finds, in one transaction, all its blobs held or is
 * refused; who collects removes, in one transaction, only what nobody holds, and deletes the bytes afterwards. Nothing
 * needs to stop for a collection.
 */
export interface MetadataStore extends Manifests, Blobs, Uploads, Collection, Inspection, Deleted, AsyncDisposable {}

export interface StoredManifest {
  readonly digest: ContentDigest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** What a list of referrers says of one. */
export interface Referrer {
  readonly mediaType: string;
  readonly digest: ContentDigest;
  /** Bytes. */
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A part of a sorted list: at most `limit` entries after `last`. */
export interface Page {
  readonly last: string;
  readonly limit: number;
}

export interface Manifests {
  findManifest(repository: RepositoryName, reference: Tag | ContentDigest): Promise<StoredManifest | undefined>;
  /**
   * Stores a manifest with its tags, and holds what it names. Throws MANIFEST_BLOB_UNKNOWN when the repository lacks one of
   * its blobs or manifests, unless it is a mirror, which gets them later, and DENIED when a tag that must not change has another
   * manifest. Resolves when it is durable.
   */
  putManifest(
    repository: RepositoryName,
    manifest: ManifestDocument,
    tags: readonly Tag[],
    options?: { readonly isMirror?: boolean; readonly isFixed?: (tag: string) => boolean },
  ): Promise<void>;
  /** It can be put back until `leaseEnd`. False when there is none. */
  deleteTag(repository: RepositoryName, tag: Tag, leaseEnd: number): Promise<boolean>;
  /**
   * With all its tags. Its blobs that no other manifest here names stay until `leaseEnd`, and till then it can be put back. False
   * when there is none; DENIED when one of its tags must not change.
   */
  deleteManifest(
    repository: RepositoryName,
    digest: ContentDigest,
    leaseEnd: number,
    isFixed?: (tag: string) => boolean,
  ): Promise<boolean>;
  /** In the order of their bytes; undefined for an unknown repository. */
  listTags(repository: RepositoryName, page: Page): Promise<string[] | undefined>;
  /** Repositories with a manifest, in the order of their bytes; those whose names contain `term` when there is one. */
  listRepositories(page: Page, term?: string): Promise<string[]>;
  /** Manifests whose subject is `digest`, in the order of their digests, of one artifact type or of all. */
  listReferrers(
    repository: RepositoryName,
    digest: ContentDigest,
    artifactType: string | undefined,
    page: Page,
  ): Promise<Referrer[]>;
}

export interface StoredBlob {
  readonly key: BlobKey;
  /** Bytes. */
  readonly size: number;
}

export interface HeldBlob extends StoredBlob {
  /** Null while a manifest of the repository names the blob. */
  readonly leaseEnd: number | null;
}

/** How a repository takes a blob in. */
export interface Terms {
  readonly leaseEnd: number;
  /** Bytes that the repository may have in all its blobs; over it the blob is DENIED. */
  readonly quota: number | undefined;
}

export interface Blobs {
  /** A blob of this repository. */
  findBlob(repository: RepositoryName, digest: ContentDigest): Promise<HeldBlob | undefined>;
  /** Makes the lease of a blob end no sooner than `leaseEnd`; false when the repository has not got it any more. */
  extendLease(repository: RepositoryName, digest: ContentDigest, leaseEnd: number): Promise<boolean>;
  /** Bytes of a blob of this repository, which may not be here yet. */
  expectedSize(repository: RepositoryName, digest: ContentDigest): Promise<number | undefined>;
  /** A blob of any repository. */
  findContent(digest: ContentDigest): Promise<StoredBlob | undefined>;
  /**
   * Puts a blob of another repository into this one, until its lease ends when no manifest here names it. `from` undefined: of
   * any, or of any for which `allowed`. False when there is none.
   */
  mountBlob(
    repository: RepositoryName,
    digest: ContentDigest,
    source: { readonly from: RepositoryName | undefined; readonly allowed?: (name: string) => boolean },
    terms: Terms,
  ): Promise<boolean>;
  /** Lets a blob that no manifest here names go; `in-use` when one does. */
  unlinkBlob(repository: RepositoryName, digest: ContentDigest): Promise<'deleted' | 'unknown' | 'in-use'>;
}

export interface Upload extends UploadProgress {
  readonly id: string;
  readonly key: BlobKey;
  /** Of the digest that is computed while bytes arrive. */
  readonly algorithm: Algorithm;
}

export interface Uploads {
  /** Known before its first byte is stored: bytes at keys that nobody knows are garbage. */
  createUpload(repository: RepositoryName, upload: Upload, leaseEnd: number): Promise<void>;
  findUpload(repository: RepositoryName, id: string): Promise<Upload | undefined>;
  /**
   * Makes `holder` the only writer until `claimEnd`, or tells until when another one is. The holder may call it again to stay it.
   */
  claimUpload(
    repository: RepositoryName,
    id: string,
    claim: { readonly holder: string; readonly now: number; readonly claimEnd: number; readonly leaseEnd: number },
  ): Promise<Upload | 'unknown' | { readonly takenUntil: number }>;
  /** Records how far it is and ends the holder's claim. */
  releaseUpload(id: string, holder: string, progress: UploadProgress): Promise<void>;
  /**
   * Makes a finished upload the blob `digest` of its repository until its lease ends. The same content that is stored already
   * stays; the upload's own key is then returned for deletion. `damaged`: a key that does not count as stored. Throws
   * BLOB_UPLOAD_UNKNOWN also when another holder has claimed it meanwhile: what that one writes is not what the digest is of; and when it
   * was done already, by a transaction whose answer was lost.
   */
  commitUpload(
    upload: { readonly id: string; readonly holder: string },
    blob: { readonly digest: ContentDigest; readonly size: number; readonly damaged: BlobKey | undefined },
    terms: Terms,
  ): Promise<BlobKey | undefined>;
  /** Its bytes' key, for deletion; undefined when there is none. */
  deleteUpload(repository: RepositoryName, id: string): Promise<BlobKey | undefined>;
}

export interface Collected {
  readonly uploads: number;
  readonly links: number;
  readonly blobs: number;
  /** Of the blobs. */
  readonly bytes: number;
  readonly repositories: number;
}

export interface Collection {
  /**
   * Forgets at most `limit` each of uploads and blob links whose lease has ended at `leaseTime`; their keys become doomed.
   * Uploads that are claimed `now` stay.
   */
  collect(times: { readonly now: number; readonly leaseTime: number }, limit: number): Promise<Collected>;
  /** Keys whose bytes nobody needs, at most `limit`. They stay doomed until `forgetKeys`. */
  doomedKeys(limit: number): Promise<BlobKey[]>;
  forgetKeys(keys: readonly BlobKey[]): Promise<void>;
  /** Those of `keys` that no blob and no upload has. */
  unknownKeys(keys: readonly BlobKey[]): Promise<BlobKey[]>;
}

export interface StoredContent extends StoredBlob {
  readonly digest: ContentDigest;
}

export interface HeldManifest extends StoredManifest {
  readonly repository: string;
  /** Where the next part of the list begins. */
  readonly cursor: number;
}

/** A manifest of a repository as retention sees it. */
export interface Holding {
  readonly digest: ContentDigest;
  readonly pushed: number;
  /** Whether an index of the repository names it. */
  readonly isEntry: boolean;
  /** Whether it refers to a manifest that is there. */
  readonly refers: boolean;
  readonly tags: readonly { readonly name: Tag; readonly updated: number }[];
}

/** Everything, part by part, for those who check or tidy up. */
export interface Inspection {
  /** Content in the order of digests, after `last`. */
  listContent(last: string, limit: number): Promise<StoredContent[]>;
  /** Manifests of all repositories, after a cursor (0: from the first). */
  listManifests(cursor: number, limit: number): Promise<HeldManifest[]>;
  /** Blobs that manifests name and whose bytes are not there. */
  listMissing(): Promise<{ readonly repository: string; readonly manifest: string; readonly blob: string }[]>;
  /** The content counts as not there until it is pushed again; its key becomes doomed. */
  forgetContent(digest: ContentDigest, key: BlobKey): Promise<void>;
  listHoldings(repository: RepositoryName): Promise<Holding[]>;
}

export interface DeletedManifest extends StoredManifest {
  /** Tags that it had. */
  readonly tags: readonly Tag[];
  readonly leaseEnd: number;
}

/** What was deleted and can be put back. */
export interface Deleted {
  listDeleted(repository: RepositoryName): Promise<DeletedManifest[]>;
}
