import { Failure, isFailure } from '../lib/error.ts';
import type { RegistryAuth } from '../wire/auth.ts';
import { HANDOFF_HEADER } from '../wire/handoff.ts';
import { answerFailure } from './answer-failure.ts';
import { Authenticator } from './authenticator.ts';
import { discard, type HttpAnswer, type HttpClient, type HttpRequest } from './http.ts';
import { retry } from './retry.ts';
import type { Endpoint, RegistrySettings } from './settings.ts';

export interface RegistryRequest extends Omit<HttpRequest, 'url'> {
  /** Relative to the registry's base, or a complete URL that it gave. */
  readonly url: string | URL;
  /** What the request must be allowed to do. */
  readonly scopes: readonly string[];
  /** Answers that are no failure. */
  readonly expect: readonly number[];
  /** False for what must not be sent twice: the caller begins it anew. Default true. */
  readonly retry?: boolean;
}

export interface ConnectOptions {
  readonly auth: RegistryAuth | undefined;
  readonly signal: AbortSignal;
  /** Milliseconds before a second try, see `RetryOptions`. */
  readonly retryDelay?: number;
  /** Milliseconds that a registry may take to say that it is one. Default: Docker's 15 seconds. */
  readonly patience?: number;
}

const PATIENCE_MS = 15_000;

/** One endpoint of a registry as one caller with their credentials sees it, for one operation. */
export class RegistryConnection {
  readonly base: URL;
  readonly authenticator: Authenticator;
  readonly #http: HttpClient;
  readonly #retryDelay: number | undefined;
  readonly #patience: number;
  #handoff: string | undefined;

  constructor(http: HttpClient, settings: RegistrySettings, endpoint: Endpoint, options: ConnectOptions) {
    const auth = endpoint.isMirror ? undefined : options.auth;
    this.base = endpoint.base;
    this.authenticator = new Authenticator({ http, settings, base: endpoint.base, auth });
    this.#http = http;
    this.#retryDelay = options.retryDelay;
    this.#patience = options.patience ?? PATIENCE_MS;
  }

  /** Asks whether this is a registry and how it wants to be asked. Silence is `unavailable` REGISTRY_SILENT. */
  async ping(signal: AbortSignal): Promise<void> {
    const url = new URL('v2/', this.base);
    const answer = await this.#http.send({ method: 'GET', url, patience: this.#patience, signal }).catch((error) => {
      if (!isFailure(error) || error.code !== 'REGISTRY_TIMEOUT') throw error;
      const words = 'request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)';
      throw new Failure('unavailable', 'REGISTRY_SILENT', `Get "${url}": net/http: ${words}`, { cause: error });
    });
    if (answer.status === 401) this.authenticator.learn(answer, undefined);
    if (answer.status === 400 && url.protocol === 'http:') {
      discard(answer);
      throw new Failure('unavailable', 'REGISTRY_NOT_PLAIN', `Get "${url}": server gave HTTP status 400`, {
        hint: 'it may be one that speaks TLS only',
      });
    }
    const { [HANDOFF_HEADER]: handoff } = answer.headers;
    this.#handoff = typeof handoff === 'string' ? handoff : undefined;
    discard(answer);
  }

  /** Sends a request with what authorizes it. An answer that is not expected is thrown as what it tells. */
  async send(request: RegistryRequest): Promise<HttpAnswer> {
    const { signal } = request;
    const delay = this.#retryDelay === undefined ? {} : { delay: this.#retryDelay };
    return await retry(() => this.#authorized(request), { signal, tries: request.retry === false ? 1 : 5, ...delay });
  }

  /** Where the registry takes blobs as files, as it says itself. */
  get handoff(): string | undefined {
    return this.#handoff;
  }

  get retryOptions(): { readonly delay?: number } {
    return this.#retryDelay === undefined ? {} : { delay: this.#retryDelay };
  }

  async #authorized(request: RegistryRequest): Promise<HttpAnswer> {
    const { scopes, signal, expect, method } = request;
    const url = new URL(request.url, this.base);
    for (let attempt = 0; ; attempt++) {
      // Where the registry sends uploads may be another host, which its credentials do not concern.
      const authorization = url.origin === this.base.origin ? await this.#authorization(request, url) : undefined;
      const headers = { ...request.headers, ...(authorization !== undefined && { authorization }) };
      const answer = await this.#http.send({ ...request, url, headers });
      if (expect.includes(answer.status)) return answer;
      if (answer.status === 401 && attempt === 0 && this.authenticator.learn(answer, authorization)) {
        discard(answer);
        await this.authenticator.authorization(scopes, signal).catch((error) => this.#explain(error, method, url));
        continue;
      }
      throw await answerFailure(method, answer, signal);
    }
  }

  async #authorization({ scopes, signal, method }: RegistryRequest, url: URL): Promise<string | undefined> {
    return await this.authenticator.authorization(scopes, signal).catch((error) => this.#explain(error, method, url));
  }

  #explain(error: unknown, method: string, url: URL): never {
    if (!isFailure(error, 'unauthenticated')) throw error;
    const verb = method.slice(0, 1) + method.slice(1).toLowerCase();
    throw new Failure('unauthenticated', error.code, `${verb} "${url.origin}${url.pathname}": ${error.message}`, {
      cause: error,
      hint: `strake login${this.base.host === 'registry-1.docker.io' ? '' : ` ${this.base.host}`}`,
    });
  }
}

/** The first endpoint that answers, of those that mean the same registry; else the failure of the last. */
export async function connect(
  http: HttpClient,
  settings: RegistrySettings,
  endpoints: readonly Endpoint[],
  options: ConnectOptions,
): Promise<RegistryConnection> {
  let problem: unknown;
  for (const endpoint of endpoints) {
    const connection = new RegistryConnection(http, settings, endpoint, options);
    try {
      const again = { ...connection.retryOptions, signal: options.signal, tries: endpoints.length === 1 ? 3 : 1 };
      const refused = await retry(() => pinged(connection, options.signal), again);
      if (!refused) return connection;
      problem = refused;
    } catch (error) {
      if (!isFailure(error, 'unavailable')) throw error;
      // What kept TLS from working tells more than that nothing else works there.
      if (error.code !== 'REGISTRY_NOT_PLAIN') problem = error;
      else problem ??= error;
    }
  }
  throw problem;
}

/** Where nobody listens at the first question is told at once: the refusal is returned, not thrown to be tried again. */
async function pinged(connection: RegistryConnection, signal: AbortSignal): Promise<Failure | undefined> {
  try {
    await connection.ping(signal);
    return undefined;
  } catch (error) {
    if (isFailure(error) && error.code === 'REGISTRY_REFUSED') return error;
    throw error;
  }
}
