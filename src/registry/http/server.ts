import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Failure, messageOf, systemCode } from '../../lib/error.ts';
import type { Access, Need, RepositoryAction } from '../access.ts';
import { Refusal } from '../codes.ts';
import { parseRepositoryName } from '../names.ts';
import type { Registry } from '../registry.ts';
import { ADMIN } from './admin.ts';
import { answerFailure } from './answer-failure.ts';
import { deleteBlob, getBlob } from './blobs.ts';
import { answerJson, type Exchange, type RepositoryExchange } from './exchange.ts';
import { listReferrers, listRepositories, listTags } from './lists.ts';
import { deleteManifest, getManifest, putManifest } from './manifests.ts';
import { type Place, placeOf } from './route.ts';
import { answerToken } from './token.ts';
import { deleteUpload, getUpload, patchUpload, postUpload, putUpload } from './uploads.ts';

export interface ServerOptions {
  readonly registry: Registry;
  readonly access: Access;
  /** PEM of certificate and key; undefined: plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
}

type Handler = (registry: Registry, exchange: RepositoryExchange) => Promise<void>;
type Methods = Readonly<Record<string, readonly [RepositoryAction, Handler]>>;

const ROUTES: Readonly<Record<Exclude<Place['kind'], 'base' | 'catalog'>, Methods>> = {
  manifest: {
    GET: ['pull', getManifest],
    HEAD: ['pull', getManifest],
    PUT: ['push', putManifest],
    DELETE: ['delete', deleteManifest],
  },
  blob: { GET: ['pull', getBlob], HEAD: ['pull', getBlob], DELETE: ['delete', deleteBlob] },
  uploads: { POST: ['push', postUpload] },
  upload: {
    GET: ['push', getUpload],
    PATCH: ['push', patchUpload],
    PUT: ['push', putUpload],
    DELETE: ['push', deleteUpload],
  },
  tags: { GET: ['pull', listTags] },
  referrers: { GET: ['pull', listReferrers] },
};

/** Milliseconds without a byte in either direction until a connection counts as dead. */
const SILENCE = 300_000;
const KEEP_ALIVE = 75_000;
/** Milliseconds that running requests get when the server closes. */
const FAREWELL = 10_000;
const NO_QUERY = new URLSearchParams();

/** The registry's door: the OCI distribution API over HTTP. */
export class RegistryServer implements AsyncDisposable {
  readonly #options: ServerOptions;
  readonly #server: Server;

  constructor(options: ServerOptions) {
    this.#options = options;
    const settings = { keepAliveTimeout: KEEP_ALIVE, requestTimeout: 0, noDelay: true };
    const listener: RequestListener = (request, response) => void this.#serve(request, response);
    const { tls } = options;
    this.#server = tls ? createTlsServer({ ...settings, ...tls }, listener) : createServer(settings, listener);
    this.#server.setTimeout(SILENCE);
  }

  /** Listens; the address, with the port that was chosen when 0 was asked for. */
  async listen(host: string, port: number): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) => reject(listenFailure(error, host, port)));
      this.#server.listen(port, host, resolve);
    });
    const address = this.#server.address() as AddressInfo; // it listens on TCP
    return `${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const late = setTimeout(() => this.#server.closeAllConnections(), FAREWELL);
    await closed;
    clearTimeout(late);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#route(request, response);
    } catch (error) {
      answerFailure(response, error, this.#options.registry.log);
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { registry, access } = this.#options;
    const { url = '/', method = 'GET' } = request;
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    if (path === '/token' && access.tokens)
      return await answerToken(access.tokens, request, response, new URLSearchParams(url.slice(path.length + 1)));
    const admin = Object.hasOwn(ADMIN, path) ? ADMIN[path] : undefined;
    if (admin) {
      if (request.method !== 'POST') throw wrongMethod('POST');
      const { authorization, host } = request.headers;
      await access.admit({ authorization, host }, { kind: 'admin' });
      return await admin(registry, request, response);
    }
    const place = placeOf(path);
    if (!place) throw new Refusal('UNSUPPORTED', { message: 'no such place in the registry API', status: 404 });
    const query = mark < 0 ? NO_QUERY : new URLSearchParams(url.slice(mark + 1));
    const { authorization, host } = request.headers;
    const admit = (need: Need) => access.admit({ authorization, host }, need);
    const isRead = method === 'GET' || method === 'HEAD';
    switch (place.kind) {
      case 'base':
        if (!isRead) throw wrongMethod('GET, HEAD');
        await admit({ kind: 'any' });
        return answerJson(response, 200, {});
      case 'catalog': {
        if (!isRead) throw wrongMethod('GET, HEAD');
        const exchange: Exchange = { request, response, query, grant: await admit({ kind: 'catalog' }) };
        return await listRepositories(registry, exchange);
      }
      default: {
        const methods = ROUTES[place.kind];
        const route = Object.hasOwn(methods, method) ? methods[method] : undefined;
        if (!route) throw wrongMethod(Object.keys(methods).join(', '));
        const [action, handler] = route;
        const repository = parseRepositoryName(place.name);
        const grant = await admit({ kind: 'repository', name: repository, action });
        const reference = 'reference' in place ? place.reference : '';
        await handler(registry, { request, response, query, grant, repository, reference });
      }
    }
  }
}

function wrongMethod(allow: string): Refusal {
  return new Refusal('UNSUPPORTED', { headers: { Allow: allow } });
}

function listenFailure(error: unknown, host: string, port: number): Failure {
  const why = systemCode(error) === 'EADDRINUSE' ? 'the address is in use' : messageOf(error);
  return new Failure('unavailable', 'LISTEN_FAILED', `cannot listen on ${host}:${port}: ${why}`, { cause: error });
}
