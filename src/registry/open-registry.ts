import { join } from 'node:path';
import type { Log } from '../lib/log.ts';
import { type FileBlobs, openFileBlobs } from './file-blobs.ts';
import { openSqliteMetadata } from './metadata/open-sqlite.ts';
import type { Registry, RegistryPolicy } from './registry.ts';
import { UploadDigests } from './upload-digests.ts';

/** A registry of one machine: blobs as files and metadata in SQLite, both in the folder `root`. */
export async function openRegistry(
  root: string,
  options: { readonly policy: RegistryPolicy; readonly log: Log },
): Promise<Registry & { readonly blobs: FileBlobs } & AsyncDisposable> {
  const metadata = await openSqliteMetadata(root);
  return {
    metadata,
    blobs: openFileBlobs(join(root, 'blobs')),
    digests: new UploadDigests(),
    ...options,
    [Symbol.asyncDispose]: () => metadata[Symbol.asyncDispose](),
  };
}
