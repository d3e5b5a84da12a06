import type { Readable } from 'node:stream';
import type { BuildRecord } from '../../build/explain/build-record.ts';
import type { StepCache } from '../../build/needs.ts';
import { Failure } from '../../lib/error.ts';
import { type DiffId, type Digest, parseDiffId } from '../../oci/digest.ts';
import type { CacheDocument, CacheImported } from '../../wire/cache-transfer.ts';
import { type ClientContent, contentSource } from '../transfer/content-source.ts';
import type { TransferNeeds } from '../transfer/transfer-needs.ts';
import { type CacheMode, documentOf } from './cache-document.ts';
import { type CacheBlobs, cacheBlobs, type ExportNeeds, exportCache } from './export-cache.ts';
import { type ImportNeeds, importCache } from './import-cache.ts';
import { pushCache, type RegistryCacheRequest, takeRegistryCache } from './registry-cache.ts';
import { takeCache } from './take-cache.ts';

export interface CacheTransferParts extends ExportNeeds, ImportNeeds, TransferNeeds {
  readonly steps: StepCache;
  /** A build by its ID, a beginning of it, or its image. */
  readonly findBuild: (ref: string) => BuildRecord;
}

/** The build cache on its way to other hosts and from them. */
export class CacheTransfer {
  readonly #parts: CacheTransferParts;

  constructor(parts: CacheTransferParts) {
    this.#parts = parts;
  }

  async export(
    build: string,
    request: { readonly mode: CacheMode; readonly have: readonly string[]; readonly signal: AbortSignal },
  ): Promise<Readable> {
    return exportCache(this.blobs([build], request), { have: new Set(request.have), signal: request.signal });
  }

  /** The cache of builds as blobs, for a client with a place for them. */
  blobs(builds: readonly string[], { mode }: { readonly mode: CacheMode }): CacheBlobs {
    return cacheBlobs(this.#parts, this.#document(builds, mode));
  }

  /** Takes over the cache that a client has, by the digest of its manifest. */
  async takeFrom(content: ClientContent, manifest: Digest, options: { readonly signal: AbortSignal }): Promise<void> {
    if (await takeCache(this.#parts, contentSource(content), manifest, options)) return;
    throw new Failure('invalid', 'CACHE_INVALID', `build cache: ${manifest} is none that a Strake host has written`);
  }

  /** Gives the cache of builds to a registry, under a name of its own; returns the digest of its manifest. */
  async push(
    builds: readonly string[],
    { mode, ...request }: RegistryCacheRequest & { readonly mode: CacheMode },
  ): Promise<Digest> {
    return await pushCache(this.#parts, this.#document(builds, mode), request);
  }

  /** Takes over the cache of that name from its registry; false when the name means something else. */
  take(request: RegistryCacheRequest): Promise<boolean> {
    return takeRegistryCache(this.#parts, request);
  }

  /** Those of these layers that the store has not got. */
  async missing(diffIds: readonly string[]): Promise<DiffId[]> {
    return [...new Set(diffIds)].map(parseDiffId).filter((diffId) => !this.#parts.store.layers.byDiffId(diffId));
  }

  async import(body: Readable, { signal }: { readonly signal: AbortSignal }): Promise<CacheImported> {
    return await importCache(this.#parts, body, signal);
  }

  #document(builds: readonly string[], mode: CacheMode): CacheDocument {
    return documentOf(builds.map(this.#parts.findBuild), this.#parts.steps, mode);
  }
}
