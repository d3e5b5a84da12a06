import { join } from 'node:path';
import type { Log } from '../lib/log.ts';
import { Scope } from '../lib/scope.ts';
import type { BucketPlace } from '../wire/registry-options.ts';
import type { BlobStorage } from './blob-storage.ts';
import { type FileBlobs, openFileBlobs } from './file-blobs.ts';
import { openPostgresMetadata } from './metadata/open-postgres.ts';
import { openSqliteMetadata } from './metadata/open-sqlite.ts';
import type { MetadataStore } from './metadata-store.ts';
import type { Registry, RegistryPolicy } from './registry.ts';
import { UploadDigests } from './upload-digests.ts';

/** Where a registry keeps what it has. */
export interface Places {
  /** Folder of this node: all that is not elsewhere. */
  readonly data: string;
  /** Where the blobs are; undefined: in `data`. */
  readonly bucket?: BucketPlace | undefined;
  /** URL of a database for the metadata, `postgres://...`, that nodes share; undefined: a file of this node. */
  readonly metadata?: string | undefined;
}

export interface OpenRegistry extends Registry, AsyncDisposable {
  /** The storage of blobs when it is files of this machine. */
  readonly files: FileBlobs | undefined;
}

/** Opens what the use cases of a registry work with: each of its two stores at its place. */
export async function openRegistry(
  places: Places,
  options: { readonly policy: RegistryPolicy; readonly log: Log },
): Promise<OpenRegistry> {
  await using scope = new Scope();
  const metadata = scope.use(await openMetadata(places));
  const { files, blobs } = await openBlobs(places, options.log, scope);
  const owned = scope.move();
  return {
    metadata,
    blobs,
    files,
    digests: new UploadDigests(),
    ...options,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

function openMetadata({ data, metadata }: Places): Promise<MetadataStore> {
  return metadata === undefined ? openSqliteMetadata(data) : openPostgresMetadata(metadata);
}

/** What speaks to object stores is loaded only where there is one. */
async function openBlobs(
  { data, bucket }: Places,
  log: Log,
  scope: Scope,
): Promise<{ readonly files: FileBlobs | undefined; readonly blobs: BlobStorage }> {
  if (bucket) {
    const { openS3Blobs } = await import('./s3/s3-blobs.ts');
    return { files: undefined, blobs: scope.use(await openS3Blobs(bucket, log)) };
  }
  const files = openFileBlobs(join(data, 'blobs'));
  return { files, blobs: files };
}
