import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ErrorKind, Failure, isFailure, messageOf, systemCode } from '../lib/error.ts';
import { type About, answerDocument, type ExplorerPage, PAGE_HEADERS } from './explorer-page.ts';
import { isForwarded } from './forwarded-paths.ts';

/** A host's answer to a question of the page. */
export interface HostAnswer {
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: AsyncIterable<Buffer>;
}

export interface ExplorerOptions {
  readonly page: ExplorerPage;
  /** What the page must name with every question. */
  readonly token: string;
  about(signal: AbortSignal): Promise<About>;
  /** Asks the host with GET; `path` has its query. Throws what the host refused or that it is gone. */
  ask(path: string, signal: AbortSignal): Promise<HostAnswer>;
}

/**
 * Serves the explorer's page to the browsers of this machine, and asks the host in their place: only what reads images,
 * only with the token, only under a name of this machine. The token comes in a header that no other page can make a
 * browser send, so nothing that a browser does by itself (cookies, forms, links) opens anything.
 */
export class ExplorerServer implements AsyncDisposable {
  readonly #options: ExplorerOptions;
  readonly #server: Server;
  readonly #token: Buffer;
  readonly #stop = new AbortController();

  constructor(options: ExplorerOptions) {
    this.#options = options;
    this.#token = digest(options.token);
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  /** Listens on the loopback address; the port, which is a free one for 0. */
  async listen(port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) => reject(listenFailure(error, port)));
      this.#server.listen(port, '127.0.0.1', resolve);
    });
    const address = this.#server.address() as AddressInfo; // it listens on TCP
    return address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Failure('cancelled', 'EXPLORER_CLOSING', 'the explorer is closing'));
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Failure('cancelled', 'CLIENT_GONE', 'the browser has gone')));
    try {
      await this.#route(request, response, AbortSignal.any([gone.signal, this.#stop.signal]));
    } catch (error) {
      if (response.headersSent) response.destroy();
      else if (!response.destroyed) refuse(response, error);
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const { page, about, ask } = this.#options;
    const { method, url = '/', headers } = request;
    if (!isLocalName(headers.host))
      throw new Failure('denied', 'NAME_REFUSED', `this page is not served as "${headers.host ?? ''}"`, {
        hint: 'open the address that "strake explore" printed',
      });
    if (method !== 'GET' && method !== 'HEAD')
      throw new Failure('unsupported', 'READ_ONLY', `${method} is refused: the explorer only reads`);
    const path = url.replace(/\?.*/s, '');
    if (page.answer(path.slice(1), response)) return;
    if (!this.#isAdmitted(headers.authorization))
      throw new Failure('denied', 'TOKEN_MISSING', 'this page was opened without the key of its explorer', {
        hint: 'open the whole address that "strake explore" printed, with all that follows the #; a new explorer has a new one',
      });
    if (path === '/about.json') return answerDocument(response, 200, await about(signal));
    if (!path.startsWith('/api/') || !isForwarded(path.slice('/api'.length)))
      throw new Failure('not-found', 'NO_SUCH_PLACE', `the explorer has no "${path}"`);
    const answer = await ask(url.slice('/api'.length), signal);
    response.writeHead(200, {
      ...PAGE_HEADERS,
      // Whatever a file of an image is, it is no document of this origin.
      'Content-Type': answer.headers.get('content-type')?.startsWith('application/json')
        ? 'application/json'
        : 'application/octet-stream',
    });
    await pipeline(Readable.from(answer.body), response, { signal });
  }

  #isAdmitted(authorization: string | undefined): boolean {
    const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1];
    return token !== undefined && timingSafeEqual(digest(token), this.#token);
  }
}

/** Another name that leads here is a trick to have this page's origin (DNS rebinding). A tunnel may have another port. */
function isLocalName(host: string | undefined): boolean {
  return /^(?:127\.0\.0\.1|\[::1\]|localhost)(?::\d{1,5})?$/.test(host ?? '');
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

const STATUS: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthenticated: 403,
  denied: 403,
  'not-found': 404,
  unsupported: 405,
  exists: 409,
  conflict: 409,
  exhausted: 507,
  internal: 500,
  'data-loss': 500,
  cancelled: 503,
  unavailable: 503,
};

function refuse(response: ServerResponse, error: unknown): void {
  const failure = isFailure(error) ? error : undefined;
  const { code = 'UNEXPECTED', hint } = failure ?? {};
  answerDocument(response, failure ? STATUS[failure.kind] : 500, { code, message: messageOf(error), hint });
}

function listenFailure(error: unknown, port: number): Failure {
  const why = systemCode(error) === 'EADDRINUSE' ? 'the port is in use' : messageOf(error);
  return new Failure('unavailable', 'LISTEN_FAILED', `cannot serve the explorer on 127.0.0.1:${port}: ${why}`, {
    hint: 'without --port it takes a free one',
    cause: error,
  });
}
