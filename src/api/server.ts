import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import { posix } from 'node:path';
import type { Duplex } from 'node:stream';
import { discardBody } from '../lib/discard-body.ts';
import { Failure, isFailure, messageOf, systemCode } from '../lib/error.ts';
import type { Log } from '../lib/log.ts';
import { VERSION_HEADER } from '../wire/build.ts';
import type { Backends } from './backend.ts';
import { Exchange } from './exchange.ts';
import { errorLine } from './json-lines.ts';
import { Query } from './query.ts';
import { type BoundRoute, findRoute } from './router.ts';
import { allRoutes } from './routes.ts';
import { errorBody, statusOf } from './status.ts';
import { closeGently } from './stream.ts';
import { tlsDoor } from './tls-door.ts';
import { listenUnix } from './unix-socket.ts';
import { formatVersion, NEWEST_API, splitVersion } from './version.ts';

export interface ApiServerOptions {
  readonly backends: Backends;
  /** Of Strake. */
  readonly version: string;
  readonly log: Log;
  /** Tells the user at the other end of a connection on this machine. */
  readonly peerUser?: (connection: Duplex) => number | undefined;
}

export type Listener =
  /** For the group see `listenUnix`. */
  | { readonly kind: 'unix'; readonly path: string; readonly group?: string | undefined }
  /** A unix socket on which a service manager listens already; who may use it is that one's affair. */
  | { readonly kind: 'inherited'; readonly descriptor: number }
  /** Port 0 takes a free one. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls?: ServerTls | undefined };

/** PEM files' content. */
export interface ServerTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Only clients with a certificate that this CA signed are let in; undefined: everybody. */
  readonly clientCa: Buffer | undefined;
}

/** Requests in work get this long to end after they are told to stop. */
const GRACE_MS = 2000;

/** A connection may be silent at its beginning, and a request's head be on its way, for as long as with Docker's daemon. */
const HEAD_MS = 300_000;

/**
 * The Docker Engine REST door. `listen` may be called for several addresses. Disposing it stops listening, aborts
 * what is in work (kind `unavailable`) and closes every connection.
 * https://docs.docker.com/reference/api/engine/
 */
export class ApiServer implements AsyncDisposable {
  readonly #routes: readonly BoundRoute[];
  readonly #headers: Readonly<Record<string, string>>;
  readonly #log: Log;
  readonly #peerUser: (connection: Duplex) => number | undefined;
  readonly #servers: Server[] = [];
  /** What listens: the servers themselves, or what stands before those of TLS. */
  readonly #doors: NetServer[] = [];
  /** Connections of TLS, also those that have not ended their handshake. */
  readonly #secure = new Set<Socket>();
  readonly #active = new Map<AbortController, Promise<void>>();
  readonly #upgraded = new Set<Duplex>();
  #idleSince = Date.now();

  constructor(options: ApiServerOptions) {
    this.#routes = allRoutes(options.backends);
    this.#log = options.log;
    this.#peerUser = options.peerUser ?? (() => undefined);
    this.#headers = {
      'Api-Version': formatVersion(NEWEST_API),
      'Docker-Experimental': 'false',
      Ostype: 'linux',
      Server: `Strake/${options.version} (linux)`,
      [VERSION_HEADER]: options.version,
    };
  }

  /** Resolves when clients can connect; gives the address as clients write it. */
  async listen(listener: Listener): Promise<string> {
    const options = {
      maxHeaderSize: 1 << 20, // build arguments travel in the query
      keepAliveTimeout: 0, // clients keep connections as long as they like
      requestTimeout: 0, // a build context may take any time
      headersTimeout: HEAD_MS,
      shouldUpgradeCallback: (request: IncomingMessage) => this.#upgrades(request),
    };
    const answer = (request: IncomingMessage, response: ServerResponse) => this.#begin(request, response, undefined);
    const tls = listener.kind === 'tcp' ? listener.tls : undefined;
    const server = tls ? createTlsServer({ ...options, ...tlsOptions(tls) }, answer) : createServer(options, answer);
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#upgraded.add(socket);
      socket.on('close', () => this.#upgraded.delete(socket));
      socket.on('error', () => {}); // 'close' follows
      const begun = behindEmptyBody(request, head);
      if (begun.length > 0) socket.unshift(begun);
      this.#begin(request, responseOn(request, socket), socket);
    });
    server.on('clientError', (error, socket) => refuseMalformed(error, socket));
    // The end of what is typed is not the end of the answer. Not before: a client that leaves within the handshake has left.
    server.on('secureConnection', (socket: Duplex) => {
      socket.allowHalfOpen = true;
    });
    this.#servers.push(server);
    const door = tls ? tlsDoor(server, this.#secure) : server;
    this.#doors.push(door);
    if (listener.kind === 'unix') {
      await listenUnix(server, listener.path, listener.group);
      return `unix://${listener.path}`;
    }
    const place =
      listener.kind === 'inherited' ? { fd: listener.descriptor } : { port: listener.port, host: listener.host };
    await new Promise<void>((resolve, reject) => {
      door.once('error', reject);
      door.listen(place, () => {
        door.off('error', reject);
        resolve();
      });
    });
    if (listener.kind === 'inherited') {
      // Node knows the address of an inherited socket when it is one of TCP, and nobody would have to prove who they are.
      if (server.address() !== null)
        throw new Failure('invalid', 'LISTEN_FAILED', 'a socket that is handed to the host must be a unix socket');
      return `fd://${listener.descriptor}`;
    }
    const { port } = door.address() as AddressInfo; // a TCP server that listens has one
    return `tcp://${listener.host}:${port}`;
  }

  /** Milliseconds since the last request ended; 0 while one is in work. */
  idleMilliseconds(): number {
    return this.#active.size > 0 ? 0 : Date.now() - this.#idleSince;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.#doors.map((door) => new Promise<void>((resolve) => door.close(() => resolve())));
    const reason = new Failure('unavailable', 'HOST_CLOSING', 'the host is shutting down');
    for (const controller of this.#active.keys()) controller.abort(reason);
    const grace = new Promise<void>((resolve) => setTimeout(resolve, GRACE_MS).unref());
    await Promise.race([Promise.allSettled(this.#active.values()), grace]);
    for (const server of this.#servers) server.closeAllConnections();
    for (const socket of [...this.#upgraded, ...this.#secure]) socket.destroy();
    await Promise.all(closed);
  }

  /** Whether this request's route speaks raw bytes; for all others the wish for an upgrade is ignored. */
  #upgrades(request: IncomingMessage): boolean {
    try {
      return this.#find(request).route.hijack;
    } catch {
      return false;
    }
  }

  #find(request: IncomingMessage) {
    const { path, search } = splitUrl(request.url ?? '');
    const versioned = splitVersion(path);
    const found = findRoute(this.#routes, { method: request.method, ...versioned });
    return { ...found, version: versioned.version, search };
  }

  #begin(request: IncomingMessage, response: ServerResponse, upgrade: Duplex | undefined): void {
    const controller = new AbortController();
    const gone = () => {
      if (!response.writableFinished)
        controller.abort(new Failure('cancelled', 'CLIENT_GONE', 'the client closed the connection'));
    };
    request.on('error', () => {}); // told by 'close'
    response.on('error', () => {});
    (upgrade ?? response).on('close', gone);
    const work = this.#serve(request, response, upgrade, controller.signal).finally(() => {
      this.#active.delete(controller);
      this.#idleSince = Date.now();
    });
    this.#active.set(controller, work);
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    upgrade: Duplex | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    let exchange: Exchange | undefined;
    try {
      for (const [name, value] of Object.entries(this.#headers)) response.setHeader(name, value);
      if (redirected(request, response)) return;
      const { route, params, version, search } = this.#find(request);
      const peerUser = () => this.#peerUser(request.socket);
      exchange = new Exchange({
        request,
        response,
        upgrade,
        version,
        params,
        query: new Query(search),
        signal,
        peerUser,
      });
      await route.handle(exchange);
    } catch (error) {
      this.#fail(request, response, exchange, error, signal);
    }
  }

  #fail(
    request: IncomingMessage,
    response: ServerResponse,
    exchange: Exchange | undefined,
    error: unknown,
    signal: AbortSignal,
  ): void {
    if (!isFailure(error) || error.kind === 'internal') {
      const stack = error instanceof Error && error.stack !== undefined ? error.stack : messageOf(error);
      this.#log.error('request failed', { method: request.method ?? '', url: pathOf(request), error: stack });
    }
    if (isFailure(signal.reason) && signal.reason.code === 'CLIENT_GONE') {
      response.destroy();
    } else if (exchange?.hijacked) {
      exchange.close();
    } else if (!response.headersSent) {
      // A client that is too old for everything is from before errors were JSON.
      const isText = isFailure(error) && error.code === 'API_TOO_OLD';
      const bytes = Buffer.from(`${isText ? error.message : JSON.stringify(errorBody(error))}\n`);
      const type = isText ? 'text/plain; charset=utf-8' : 'application/json';
      response.writeHead(statusOf(error), { 'Content-Type': type, 'Content-Length': bytes.length });
      if (request.complete || response.shouldKeepAlive || request.headers.upgrade !== undefined) {
        response.end(request.method === 'HEAD' ? undefined : bytes);
        return;
      }
      // The connection ends with the answer: a client that sends all of its body first could not read it.
      response.write(bytes);
      void discardBody(request).then(() => response.end());
    } else if (exchange?.progress) {
      void exchange.progress.write(errorLine(error));
      exchange.progress.end();
    } else {
      // Part of a stream of bytes is out: only a broken connection says that the rest is missing.
      response.destroy();
    }
  }
}

/**
 * What follows on the head of an upgrade request. Libraries that announce a body in chunks and have none write its end at once,
 * which is no part of what the connection carries from then on.
 */
function behindEmptyBody(request: IncomingMessage, head: Buffer): Buffer {
  if (request.headers['transfer-encoding'] !== 'chunked' || !head.subarray(0, 5).equals(EMPTY_BODY)) return head;
  delete request.headers['transfer-encoding'];
  return head.subarray(EMPTY_BODY.length);
}

const EMPTY_BODY = Buffer.from('0\r\n\r\n');

/** Answers an upgrade request in plain HTTP, as errors are. */
function responseOn(request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as import('node:net').Socket); // what http servers give to 'upgrade' is the connection
  response.on('finish', () => closeGently(socket));
  return response;
}

function tlsOptions({ cert, key, clientCa }: ServerTls) {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2' as const,
    ...(clientCa ? { ca: clientCa, requestCert: true, rejectUnauthorized: true } : {}),
  };
}

const MALFORMED: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

function refuseMalformed(error: Error, socket: Duplex): void {
  if (!socket.writable || systemCode(error) === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status = MALFORMED[systemCode(error) ?? ''] ?? '400 Bad Request';
  const body = `${JSON.stringify({ message: `malformed HTTP request: ${error.message}` })}\n`;
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** Sends who asks for a path with `//`, `.` or `..` to the path that it means, as Docker's daemon does. */
function redirected(request: IncomingMessage, response: ServerResponse): boolean {
  const { path, search } = splitUrl(request.url ?? '');
  const meant = posix.normalize(path);
  if (meant === path || !path.startsWith('/')) return false;
  response.writeHead(301, { Location: search === '' ? meant : `${meant}?${search}`, 'Content-Length': 0 });
  response.end();
  return true;
}

/** The target is a path, or a whole URL as for a proxy. */
function splitUrl(target: string): { path: string; search: string } {
  const url = target.replace(/^https?:\/\/[^/?]*/i, '');
  const mark = url.indexOf('?');
  return mark < 0 ? { path: url, search: '' } : { path: url.slice(0, mark), search: url.slice(mark + 1) };
}

/** Without the query, which may hold build arguments. */
function pathOf(request: IncomingMessage): string {
  return splitUrl(request.url ?? '').path;
}
