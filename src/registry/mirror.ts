import { isFailure, messageOf } from '../lib/error.ts';
import type { BlobKey, BlobReader } from './blob-storage.ts';
import { Refusal } from './codes.ts';
import { algorithmOf, type ContentDigest, isContentDigest } from './content-digest.ts';
import { readManifest } from './manifest-document.ts';
import type { StoredManifest } from './metadata-store.ts';
import type { RepositoryName, Tag } from './names.ts';
import type { MirrorSource, Registry } from './registry.ts';
import { abandonUpload, commitUpload, startUpload } from './upload.ts';

/** Milliseconds for which the digest of a tag is believed. */
const FRESH = 60_000;
const MOST_FRESH = 10_000;

/** Where a mirror gets what it lacks. What is not there is a Failure `not-found`. */
export interface Upstream {
  /** For messages. */
  readonly name: string;
  /** The digest of a tag now; undefined when the upstream does not say. */
  digestOf(repository: RepositoryName, tag: Tag, signal: AbortSignal): Promise<ContentDigest | undefined>;
  manifest(
    repository: RepositoryName,
    reference: Tag | ContentDigest,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: Buffer; readonly mediaType: string }>;
  blob(
    repository: RepositoryName,
    blob: { readonly digest: ContentDigest; readonly size: number },
    signal: AbortSignal,
  ): AsyncIterable<Buffer>;
}

/** A blob on its way: as many as like read it while it arrives. */
interface Arrival {
  readonly digest: ContentDigest;
  readonly key: BlobKey;
  readonly size: number;
  /** Resolves when more has arrived or it has ended. */
  more: PromiseWithResolvers<void>;
  begun: boolean;
  ended: boolean;
  failure: unknown;
}

/**
 * Answers from this registry what it has, and gets the rest from an upstream: manifests when they are asked for, each blob once
 * however many ask for it, while they read it. A tag is asked for again after a minute; when the upstream does not answer,
 * what is here counts.
 */
export class Mirror implements MirrorSource {
  readonly #registry: Registry;
  readonly #upstream: Upstream;
  readonly #stop: AbortSignal;
  readonly #fresh = new Map<string, number>();
  readonly #arrivals = new Map<string, Promise<Arrival>>();

  constructor(registry: Registry, upstream: Upstream, stop: AbortSignal) {
    this.#registry = registry;
    this.#upstream = upstream;
    this.#stop = stop;
  }

  get upstreamName(): string {
    return this.#upstream.name;
  }

  async findManifest(repository: RepositoryName, reference: Tag | ContentDigest): Promise<StoredManifest | undefined> {
    const { metadata, log } = this.#registry;
    const known = await metadata.findManifest(repository, reference);
    if (isContentDigest(reference)) return known ?? (await this.#fetchManifest(repository, reference, undefined));
    const key = `${repository}:${reference}`;
    if (known && (this.#fresh.get(key) ?? 0) > Date.now()) return known;
    try {
      const digest = known && (await this.#upstream.digestOf(repository, reference, this.#stop));
      const isCurrent = known !== undefined && known.digest === digest;
      const current = isCurrent ? known : await this.#fetchManifest(repository, digest ?? reference, reference);
      this.#remember(key);
      return current;
    } catch (error) {
      if (isFailure(error, 'not-found', 'unauthenticated', 'denied')) return undefined;
      if (!known) throw unreachable(this.#upstream, error);
      log.warn('upstream does not answer, what is here counts', { name: key, error: messageOf(error) });
      return known;
    }
  }

  async sizeOf(repository: RepositoryName, digest: ContentDigest): Promise<number | undefined> {
    return await this.#registry.metadata.expectedSize(repository, digest);
  }

  async openBlob(repository: RepositoryName, digest: ContentDigest): Promise<BlobReader | undefined> {
    const size = await this.sizeOf(repository, digest);
    if (size === undefined) return undefined;
    let arriving = this.#arrivals.get(digest);
    if (!arriving) {
      arriving = this.#begin(repository, digest, size);
      this.#arrivals.set(digest, arriving);
    }
    const arrival = await arriving;
    // An upstream that gives nothing can still be told with a status.
    if (!arrival.begun) await arrival.more.promise;
    if (arrival.failure !== undefined) throw arrival.failure;
    return this.#follow(arrival);
  }

  async #fetchManifest(
    repository: RepositoryName,
    reference: Tag | ContentDigest,
    tag: Tag | undefined,
  ): Promise<StoredManifest | undefined> {
    try {
      const { bytes, mediaType } = await this.#upstream.manifest(repository, reference, this.#stop);
      const algorithm = isContentDigest(reference) ? algorithmOf(reference) : 'sha256';
      const manifest = readManifest(bytes, mediaType, algorithm);
      if (isContentDigest(reference) && manifest.digest !== reference) throw new Refusal('DIGEST_INVALID');
      await this.#registry.metadata.putManifest(repository, manifest, tag === undefined ? [] : [tag], {
        isMirror: true,
      });
      return manifest;
    } catch (error) {
      if (tag !== undefined || !isFailure(error, 'not-found', 'unauthenticated', 'denied')) throw error;
      return undefined;
    }
  }

  async #begin(repository: RepositoryName, digest: ContentDigest, size: number): Promise<Arrival> {
    const upload = await startUpload(this.#registry, repository, algorithmOf(digest));
    const more = Promise.withResolvers<void>();
    const arrival: Arrival = { digest, key: upload.key, size, more, begun: false, ended: false, failure: undefined };
    const tell = () => {
      arrival.begun = true;
      arrival.more.resolve();
      arrival.more = Promise.withResolvers();
    };
    const chunks = async function* (this: Mirror) {
      for await (const chunk of this.#upstream.blob(repository, { digest, size }, this.#stop)) {
        yield chunk;
        tell();
      }
    }.call(this);
    commitUpload(this.#registry, repository, upload.id, digest, { chunks, range: undefined })
      .catch((error) => {
        arrival.failure = unreachable(this.#upstream, error);
        this.#registry.log.warn('upstream did not give a blob', { repository, digest, error: messageOf(error) });
        return abandonUpload(this.#registry, repository, upload.id);
      })
      .catch(() => {}) // the next collection removes it
      .finally(() => {
        arrival.ended = true;
        this.#arrivals.delete(digest);
        tell();
      });
    return arrival;
  }

  #follow(arrival: Arrival): BlobReader {
    let reader: BlobReader | undefined;
    const { blobs, metadata } = this.#registry;
    // Another node may have got it too, and been quicker: then its bytes count, and ours are gone.
    const whole = async () => {
      const content = await metadata.findContent(arrival.digest);
      return content && (await blobs.open(content.key, { start: 0, end: arrival.size }));
    };
    return {
      size: arrival.size,
      async read(buffer, offset, length) {
        for (;;) {
          const { more, ended } = arrival;
          reader ??= await (ended ? whole() : blobs.openUnfinished?.(arrival.key));
          const read = (await reader?.read(buffer, offset, length)) ?? 0;
          if (read > 0) return read;
          if (arrival.failure !== undefined) throw arrival.failure;
          if (ended) return 0;
          await more.promise;
        }
      },
      async [Symbol.asyncDispose]() {
        await reader?.[Symbol.asyncDispose]();
      },
    };
  }

  #remember(key: string): void {
    this.#fresh.delete(key);
    this.#fresh.set(key, Date.now() + FRESH);
    const [oldest] = this.#fresh.keys();
    if (this.#fresh.size > MOST_FRESH && oldest !== undefined) this.#fresh.delete(oldest);
  }
}

function unreachable(upstream: Upstream, error: unknown): Refusal {
  return new Refusal('UNKNOWN', { message: `${upstream.name}: ${messageOf(error)}`, status: 502 });
}
