import type { MetadataStore } from '../metadata-store.ts';
import { blobs } from './blobs.ts';
import { collection } from './collection.ts';
import { inspection } from './inspection.ts';
import { manifests } from './manifests.ts';
import { uploads } from './uploads.ts';
import type { MetadataDatabase } from './work.ts';

/** The store on one of its databases. */
export function metadataStore(database: MetadataDatabase & AsyncDisposable): MetadataStore {
  return {
    ...manifests(database),
    ...blobs(database),
    ...uploads(database),
    ...collection(database),
    ...inspection(database),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}
