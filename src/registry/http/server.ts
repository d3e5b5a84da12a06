import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { messageOf } from '../../lib/error.ts';
import { HANDOFF_HEADER } from '../../wire/handoff.ts';
import type { Access, Need, RepositoryAction } from '../access.ts';
import { Refusal } from '../codes.ts';
import { parseRepositoryName } from '../names.ts';
import type { Registry } from '../registry.ts';
import { ADMIN } from './admin.ts';
import { answerFailure } from './answer-failure.ts';
import { deleteBlob, getBlob } from './blobs.ts';
import { answer, answerJson, type Exchange, type RepositoryExchange } from './exchange.ts';
import { listenOn } from './listen.ts';
import { listReferrers, listRepositories, listTags, searchRepositories } from './lists.ts';
import { deleteManifest, deleteRepository, getManifest, putManifest } from './manifests.ts';
import type { Observer } from './observer.ts';
import { type Place, placeOf } from './route.ts';
import { answerToken } from './token.ts';
import { deleteUpload, getUpload, patchUpload, postUpload, putUpload } from './uploads.ts';

export interface ServerOptions {
  readonly registry: Registry;
  readonly access: Access;
  /** PEM of certificate and key; undefined: plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly observers?: readonly Observer[];
  readonly pages?: Pages | undefined;
}

/** Files for browsers, below `/explore/`. They need no right: their scripts ask by the API, as whoever looks at them. */
export interface Pages {
  /** Answers with the file of this name, which may be empty; false when there is none. */
  answer(name: string, response: ServerResponse): boolean;
}

type Handler = (registry: Registry, exchange: RepositoryExchange) => Promise<void>;
type Methods = Readonly<Record<string, readonly [RepositoryAction, Handler]>>;

const ROUTES: Readonly<Record<Exclude<Place['kind'], 'base' | 'catalog' | 'search' | 'ping'>, Methods>> = {
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
  repository: { DELETE: ['delete', deleteRepository] },
  referrers: { GET: ['pull', listReferrers] },
};

/** Milliseconds without a byte in either direction until a connection counts as dead. */
const SILENCE = 300_000;
const KEEP_ALIVE = 75_000;
/** Milliseconds that running requests get when the server closes. */
const FAREWELL = 10_000;
const PAGES = '/explore/';
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
    // Who waits to be told to send the body is told so when it is read: what is refused need not be sent.
    this.#server.on('checkContinue', listener);
    this.#server.setTimeout(SILENCE);
  }

  /** Listens; the address, with the port that was chosen when 0 was asked for. */
  async listen(host: string, port: number): Promise<string> {
    return await listenOn(this.#server, host, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const late = setTimeout(() => this.#server.closeAllConnections(), FAREWELL);
    await closed;
    clearTimeout(late);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { registry, observers = [] } = this.#options;
    const seen: Seen = { route: 'none', user: undefined };
    if (observers.length > 0) observe(request, response, seen, observers);
    try {
      await this.#route(request, response, seen);
    } catch (error) {
      try {
        await answerFailure(response, error, registry.log);
      } catch (problem) {
        registry.log.error('cannot answer', { error: messageOf(problem) });
        response.destroy();
      }
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse, seen: Seen): Promise<void> {
    const { registry, access, pages } = this.#options;
    const { url = '/', method = 'GET' } = request;
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    if (path === '/token' && access.tokens) {
      seen.route = 'token';
      return await answerToken(access.tokens, request, response, new URLSearchParams(url.slice(path.length + 1)));
    }
    if (pages && `${path}/`.startsWith(PAGES)) {
      seen.route = 'page';
      if (method !== 'GET' && method !== 'HEAD') throw wrongMethod('GET, HEAD');
      if (path.length < PAGES.length) return answer(response, 308, { Location: PAGES });
      if (pages.answer(path.slice(PAGES.length), response)) return;
    }
    const { authorization, host } = request.headers;
    const admit = async (need: Need) => {
      const grant = await access.admit({ authorization, host }, need);
      seen.user = grant.user;
      return grant;
    };
    const admin = Object.hasOwn(ADMIN, path) ? ADMIN[path] : undefined;
    if (admin) {
      seen.route = 'admin';
      if (method !== 'POST') throw wrongMethod('POST');
      // A page in a browser of somebody who may do this must not do it for them.
      if (request.headers.origin !== undefined) throw new Refusal('DENIED');
      await admit({ kind: 'admin' });
      return await admin(registry, request, response);
    }
    const place = placeOf(path);
    if (!place) throw new Refusal('UNSUPPORTED', { message: 'no such place in the registry API', status: 404 });
    seen.route = place.kind;
    const query = mark < 0 ? NO_QUERY : new URLSearchParams(url.slice(mark + 1));
    const isRead = method === 'GET' || method === 'HEAD';
    switch (place.kind) {
      case 'base':
        if (!isRead) throw wrongMethod('GET, HEAD');
        if (registry.handoff) response.setHeader(HANDOFF_HEADER, registry.handoff.id);
        await admit({ kind: 'any' });
        return answerJson(response, 200, {});
      case 'ping': // clients look here before they search
        return answerJson(response, 200, true);
      case 'search':
      case 'catalog': {
        if (!isRead) throw wrongMethod('GET, HEAD');
        const exchange: Exchange = { request, response, query, grant: await admit({ kind: 'catalog' }) };
        const list = place.kind === 'search' ? searchRepositories : listRepositories;
        return await list(registry, exchange);
      }
      default: {
        const methods = ROUTES[place.kind];
        const route = Object.hasOwn(methods, method) ? methods[method] : undefined;
        if (!route) throw wrongMethod(Object.keys(methods).join(', '));
        const [action, handler] = route;
        if (action === 'push' && registry.mirror)
          throw new Refusal('UNSUPPORTED', {
            message: `this is a mirror of ${registry.mirror.upstreamName}: push there`,
          });
        const repository = parseRepositoryName(place.name);
        const grant = await admit({ kind: 'repository', name: repository, action });
        const reference = 'reference' in place ? place.reference : '';
        await handler(registry, { request, response, query, grant, repository, reference });
      }
    }
  }
}

/** What of a request is known when it ends, filled in on its way. */
interface Seen {
  route: string;
  user: string | undefined;
}

/** Bytes that each connection had brought when its last request ended. */
const received = new WeakMap<Socket, number>();

function observe(request: IncomingMessage, response: ServerResponse, seen: Seen, observers: readonly Observer[]): void {
  const start = performance.now();
  const { method = '', url = '' } = request;
  const { socket } = request;
  const remote = socket.remoteAddress ?? '';
  const sentBefore = socket.bytesWritten;
  const receivedBefore = received.get(socket) ?? 0;
  response.once('close', () => {
    const served = {
      ...seen,
      method,
      path: url.replace(/\?.*/s, ''),
      status: response.statusCode,
      remote,
      agent: request.headers['user-agent'] ?? '',
      bytes: socket.bytesWritten - sentBefore,
      received: socket.bytesRead - receivedBefore,
      milliseconds: Math.round((performance.now() - start) * 1000) / 1000,
      cut: !response.writableFinished,
    };
    received.set(socket, socket.bytesRead);
    for (const hear of observers) hear(served);
  });
}

function wrongMethod(allow: string): Refusal {
  return new Refusal('UNSUPPORTED', { headers: { Allow: allow } });
}
