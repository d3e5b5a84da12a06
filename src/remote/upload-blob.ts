import { Failure, isFailure } from '../lib/error.ts';
import type { RegistryConnection } from './connection.ts';
import { discard, type HttpAnswer } from './http.ts';
import type { UploadRequest } from './repository.ts';
import { isPassing, pause } from './retry.ts';

/** What is sent at once when a whole blob did not get through. */
const CHUNK = 16 << 20;
/** Times in a row that a transfer may break off without a byte. */
const BREAKS = 5;
/** What telling a registry that nothing more will come may take. */
const CANCEL_MS = 3000;

/**
 * Sends a blob, at first in one piece. When the connection breaks, or the piece is refused for its size, the rest follows in
 * chunks, and a lost chunk is sent again from where the registry says it was.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
 */
export async function uploadBlob(
  connection: RegistryConnection,
  uploads: string,
  scopes: readonly string[],
  request: UploadRequest,
): Promise<void> {
  const upload = new Upload(connection, uploads, scopes, request);
  try {
    await upload.sendWhole().catch(async (error: unknown) => {
      if (!isPassing(error) && !isFailure(error, 'invalid', 'unsupported')) throw error;
      if (isFailure(error) && error.code.startsWith('DIGEST')) throw error;
      await upload.cancel();
      await upload.sendInChunks();
    });
  } catch (error) {
    await upload.cancel();
    throw error;
  }
}

class Upload {
  readonly #connection: RegistryConnection;
  readonly #uploads: string;
  readonly #scopes: readonly string[];
  readonly #request: UploadRequest;
  /** Of the upload that is under way. */
  #location: URL | undefined;

  constructor(connection: RegistryConnection, uploads: string, scopes: readonly string[], request: UploadRequest) {
    this.#connection = connection;
    this.#uploads = uploads;
    this.#scopes = scopes;
    this.#request = request;
  }

  async sendWhole(): Promise<void> {
    const { descriptor } = this.#request;
    const location = await this.#begin();
    discard(await this.#send('PUT', this.#finishing(location), [201, 204], { from: 0, length: descriptor.size }));
  }

  async sendInChunks(): Promise<void> {
    const { descriptor, onPause, signal } = this.#request;
    let location = await this.#begin();
    let sent = 0;
    for (let breaks = 0; sent < descriptor.size; ) {
      const length = Math.min(CHUNK, descriptor.size - sent);
      try {
        const answer = await this.#send('PATCH', location, [202, 204], { from: sent, length });
        location = this.#next(answer, location);
        sent = received(answer) ?? sent + length;
        breaks = 0;
      } catch (error) {
        if (!isPassing(error) || ++breaks >= BREAKS) throw error;
        await pause(error, breaks - 1, { signal, onPause, ...this.#connection.retryOptions });
        const status = await this.#status(location);
        if (!status) location = await this.#begin();
        else location = this.#next(status, location);
        sent = status ? (received(status) ?? 0) : 0;
      }
      if (sent > descriptor.size)
        throw new Failure('unavailable', 'UPLOAD_RANGE', `the registry has more of ${descriptor.digest} than was sent`);
    }
    discard(await this.#send('PUT', this.#finishing(location), [201, 204], { from: 0, length: 0 }));
  }

  async #begin(): Promise<URL> {
    const answer = await this.#connection.send({
      method: 'POST',
      url: this.#uploads,
      headers: { 'content-length': '0' },
      scopes: this.#scopes,
      expect: [202],
      signal: this.#request.signal,
    });
    const { location } = answer.headers;
    discard(answer);
    if (location === undefined || !URL.canParse(location, answer.url.href))
      throw new Failure('unavailable', 'UPLOAD_LOCATION', `${answer.url.host} began an upload without saying where`);
    this.#location = new URL(location, answer.url);
    return this.#location;
  }

  /** Has the registry forget the upload under way. What it does not hear of expires there by itself. */
  async cancel(): Promise<void> {
    if (!this.#location) return;
    const request = { method: 'DELETE', url: this.#location, scopes: this.#scopes, retry: false } as const;
    this.#location = undefined;
    const signal = AbortSignal.timeout(CANCEL_MS);
    await this.#connection.send({ ...request, expect: [200, 202, 204], signal }).then(discard, () => {});
  }

  async #send(
    method: 'PUT' | 'PATCH',
    url: URL,
    expect: readonly number[],
    { from, length }: { readonly from: number; readonly length: number },
  ): Promise<HttpAnswer> {
    const { open, onProgress, signal } = this.#request;
    const range = method === 'PATCH' ? { 'content-range': `${from}-${from + length - 1}` } : {};
    return await this.#connection.send({
      method,
      url,
      headers: { 'content-type': 'application/octet-stream', ...range },
      body: { length, open: () => counted(length === 0 ? [] : open(from), { from, length, onProgress }) },
      scopes: this.#scopes,
      expect,
      retry: false,
      signal,
    });
  }

  /** What the registry has of an upload; undefined when it has forgotten it. */
  async #status(location: URL): Promise<HttpAnswer | undefined> {
    const { signal } = this.#request;
    const ask = { method: 'GET', url: location, scopes: this.#scopes, expect: [204], signal } as const;
    try {
      const answer = await this.#connection.send(ask);
      discard(answer);
      return answer;
    } catch (error) {
      if (isFailure(error, 'not-found', 'invalid', 'unsupported')) return undefined;
      throw error;
    }
  }

  #next(answer: HttpAnswer, before: URL): URL {
    discard(answer);
    this.#location = new URL(answer.headers.location ?? before, answer.url);
    return this.#location;
  }

  #finishing(location: URL): URL {
    const url = new URL(location);
    // Appended as text: the state that the registry put into the query stays as it is.
    url.search += `${url.search === '' ? '?' : '&'}digest=${encodeURIComponent(this.#request.descriptor.digest)}`;
    return url;
  }
}

/** Bytes that the registry says it has: `Range: 0-<last>`. */
function received(answer: HttpAnswer): number | undefined {
  const last = /^(?:bytes=)?0-(\d+)$/.exec(String(answer.headers['range'] ?? ''))?.[1];
  if (last === undefined) return undefined;
  return last === '0' ? 0 : Number(last) + 1;
}

async function* counted(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { from, length, onProgress }: { from: number; length: number; onProgress: UploadRequest['onProgress'] },
): AsyncGenerator<Uint8Array> {
  let left = length;
  for await (const chunk of source) {
    const piece = chunk.subarray(0, left);
    left -= piece.length;
    if (piece.length > 0) yield piece;
    onProgress?.(from + length - left);
    if (left === 0) return;
  }
}
