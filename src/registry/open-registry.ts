import { join } from 'node:path';
import type { Log } from '../lib/log.ts';
import { Scope } from '../lib/scope.ts';
import { type FileBlobs, openFileBlobs } from './file-blobs.ts';
import { openSqliteMetadata } from './metadata/open-sqlite.ts';
import type { MetadataStore } from './metadata-store.ts';
import type { Registry, RegistryPolicy } from './registry.ts';
import { UploadDigests } from './upload-digests.ts';

/** Where a registry keeps what it has. */
export interface Places {
  /** Folder of this node: all that is not elsewhere. */
  readonly data: string;
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
  const files = openFileBlobs(join(places.data, 'blobs'));
  const owned = scope.move();
  return {
    metadata,
    blobs: files,
    files,
    digests: new UploadDigests(),
    ...options,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

function openMetadata({ data }: Places): Promise<MetadataStore> {
  return openSqliteMetadata(data);
}
