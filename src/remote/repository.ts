import { Failure, isFailure } from '../lib/error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { decodeManifest, type ImageIndex, type ImageManifest, MANIFEST_LIMIT } from '../oci/manifest.ts';
import { MediaType } from '../oci/media-type.ts';
import { isTag } from '../oci/reference.ts';
import { HANDOFF_HEADER } from '../wire/handoff.ts';
import { type BlobSource, readWhole } from './blob-source.ts';
import type { RegistryConnection, RegistryRequest } from './connection.ts';
import { discard, type HttpAnswer, readAll } from './http.ts';
import { listNames } from './list-names.ts';
import { type ReadBlobOptions, readBlob } from './read-blob.ts';
import { uploadBlob } from './upload-blob.ts';

const ACCEPT = [MediaType.ociIndex, MediaType.ociManifest, MediaType.dockerList, MediaType.dockerManifest].join(', ');

export interface UploadRequest {
  readonly descriptor: Pick<Descriptor, 'digest' | 'size'>;
  /** The bytes from an offset on. Called again when a transfer has to go on or begin anew. */
  open(from: number): AsyncIterable<Uint8Array>;
  /** Bytes sent so far. */
  readonly onProgress?: (sent: number) => void;
  /** Told in milliseconds, before each wait for another try. */
  readonly onPause?: (milliseconds: number) => void;
  readonly signal: AbortSignal;
}

/** One repository at one endpoint. https://github.com/opencontainers/distribution-spec/blob/main/spec.md */
export class Repository implements BlobSource {
  readonly path: string;
  readonly #connection: RegistryConnection;
  readonly #scopes: readonly string[];

  constructor(connection: RegistryConnection, path: string, access: 'pull' | 'pull,push') {
    this.#connection = connection;
    this.path = path;
    this.#scopes = [`repository:${path}:${access}`];
  }

  /** The digest that a tag has now, or undefined when the registry does not say: ask with `manifest` then. */
  async headDigest(reference: string, signal: AbortSignal): Promise<Digest | undefined> {
    const answer = await this.#send('HEAD', `manifests/${reference}`, { accept: ACCEPT }, signal).catch((error) => {
      // An answer to HEAD carries no words of the registry: GET brings them.
      if (isFailure(error, 'not-found', 'denied', 'unsupported', 'invalid')) return undefined;
      throw error;
    });
    if (!answer) return undefined;
    discard(answer);
    const digest = String(answer.headers['docker-content-digest'] ?? '');
    return isDigest(digest) ? digest : undefined;
  }

  /** The manifest or index of a tag or digest. Its bytes are those that the digest names, else `data-loss`. */
  async manifest(reference: string, signal: AbortSignal): Promise<ImageManifest | ImageIndex> {
    const answer = await this.#send('GET', `manifests/${reference}`, { accept: ACCEPT }, signal).catch((error) => {
      if (!isFailure(error, 'not-found') || error.code !== 'NOT_FOUND') throw error;
      throw new Failure('not-found', 'MANIFEST_UNKNOWN', 'manifest unknown: manifest unknown', { cause: error });
    });
    const bytes = await readAll(answer, MANIFEST_LIMIT, signal);
    const manifest = decodeManifest(bytes, answer.headers['content-type']);
    if (isDigest(reference) && manifest.digest !== reference)
      throw new Failure(
        'data-loss',
        'MANIFEST_DIGEST',
        `manifest verification failed for digest ${reference}: its bytes have the digest ${manifest.digest}`,
      );
    return manifest;
  }

  /** A whole blob of at most `limit` bytes, verified. */
  readBlob(descriptor: Descriptor, limit: number, signal: AbortSignal): Promise<Buffer> {
    return readWhole(descriptor, limit, () => this.blob(descriptor, { signal }));
  }

  /**
   * The bytes of a blob. A transfer that breaks off goes on where it was. The end comes only when size and digest are
   * right, otherwise a Failure of kind `data-loss`. With `start`, bytes to leave out, only the size can be.
   */
  blob(
    descriptor: Descriptor & { readonly urls?: readonly string[] },
    options: Pick<ReadBlobOptions, 'signal' | 'start' | 'onPause'>,
  ): AsyncGenerator<Buffer> {
    const places = descriptor.urls ?? [this.#url(`blobs/${descriptor.digest}`)];
    return readBlob(this.#connection, descriptor, { ...options, places, scopes: this.#scopes });
  }

  async hasBlob(digest: Digest, signal: AbortSignal): Promise<boolean> {
    try {
      discard(await this.#send('HEAD', `blobs/${digest}`, {}, signal));
      return true;
    } catch (error) {
      if (isFailure(error, 'not-found')) return false;
      throw error;
    }
  }

  /** Has the registry take a blob from another of its repositories; false when it does not, for whatever reason. */
  async tryMount(digest: Digest, from: string, signal: AbortSignal): Promise<boolean> {
    const scopes = [...this.#scopes, `repository:${from}:pull`];
    return await this.#mount(`mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`, {
      scopes,
      signal,
    });
  }

  /** Where the registry takes blobs as files, as it says itself: see wire/handoff.ts. */
  get handoff(): string | undefined {
    return this.#connection.handoff;
  }

  /** Has the registry take a blob that lies in its handoff folder as `name`; false when it does not, for whatever reason. */
  async tryHandOver(digest: Digest, name: string, signal: AbortSignal): Promise<boolean> {
    const options = { scopes: this.#scopes, headers: { [HANDOFF_HEADER]: name }, signal };
    return await this.#mount(`mount=${encodeURIComponent(digest)}`, options);
  }

  async #mount(query: string, options: Pick<RegistryRequest, 'scopes' | 'headers' | 'signal'>): Promise<boolean> {
    try {
      return await this.#mounted(query, options);
    } catch (error) {
      // No right to read the other repository, or no mounting here: the blob is sent.
      if (isFailure(error, 'denied', 'unauthenticated', 'not-found', 'unsupported', 'invalid')) return false;
      throw error;
    }
  }

  async #mounted(
    query: string,
    { scopes, headers, signal }: Pick<RegistryRequest, 'scopes' | 'headers' | 'signal'>,
  ): Promise<boolean> {
    const answer = await this.#connection.send({
      method: 'POST',
      url: this.#url(`blobs/uploads/?${query}`),
      scopes,
      headers: { 'content-length': '0', ...headers },
      expect: [201, 202],
      signal,
    });
    discard(answer);
    const { location } = answer.headers;
    if (answer.status === 201) return true;
    // It opened an upload instead.
    if (location !== undefined)
      await this.#connection
        .send({
          method: 'DELETE',
          url: new URL(location, answer.url),
          scopes: this.#scopes,
          expect: [204, 202, 404],
          signal,
        })
        .then(discard, () => {}); // it expires by itself
    return false;
  }

  /** Sends a blob that the registry does not have. */
  async uploadBlob(request: UploadRequest): Promise<void> {
    await uploadBlob(this.#connection, this.#url('blobs/uploads/'), this.#scopes, request);
  }

  /** Gives a manifest or index to the registry under a tag or its digest. True: it has noted what the manifest refers to. */
  async putManifest(
    reference: string,
    manifest: Pick<ImageManifest, 'mediaType' | 'bytes'>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const answer = await this.#connection.send({
      method: 'PUT',
      url: this.#url(`manifests/${reference}`),
      headers: { 'content-type': manifest.mediaType },
      body: {
        length: manifest.bytes.length,
        async *open() {
          yield manifest.bytes;
        },
      },
      scopes: this.#scopes,
      expect: [200, 201, 202],
      signal,
    });
    discard(answer);
    return answer.headers['oci-subject'] !== undefined;
  }

  /** The index of what refers to a manifest, or undefined when the registry keeps no such lists. */
  async referrers(digest: Digest, signal: AbortSignal): Promise<ImageIndex | undefined> {
    const answer = await this.#connection.send({
      method: 'GET',
      url: this.#url(`referrers/${digest}`),
      headers: { accept: MediaType.ociIndex },
      scopes: this.#scopes,
      expect: [200, 400, 404, 405],
      signal,
    });
    if (answer.status !== 200) {
      discard(answer);
      return undefined;
    }
    const list = decodeManifest(await readAll(answer, MANIFEST_LIMIT, signal), answer.headers['content-type']);
    return list.kind === 'index' ? list : undefined;
  }

  /** All tags, in the registry's order. */
  async tags(signal: AbortSignal): Promise<string[]> {
    const request = { url: this.#url('tags/list'), field: 'tags', scopes: this.#scopes, signal };
    const tags: string[] = [];
    for await (const tag of listNames(this.#connection, request)) if (isTag(tag)) tags.push(tag);
    return tags;
  }

  #send(
    method: 'GET' | 'HEAD',
    name: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    return this.#connection.send({
      method,
      url: this.#url(name),
      headers,
      scopes: this.#scopes,
      expect: [200],
      signal,
    });
  }

  #url(name: string): string {
    return `v2/${this.path}/${name}`;
  }
}
