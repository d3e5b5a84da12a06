import type { ClientRequest, IncomingMessage } from 'node:http';
import { connect, isIP, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { cancelled, type ErrorKind, Failure, isFailure, systemCode } from '../../lib/error.ts';
import { VERSION_HEADER } from '../../wire/build.ts';
import type { Endpoint } from './endpoint.ts';

// Not `import ... from 'node:http'`: an ES import of that module reads all its exports, which loads undici and costs
// 40 ms of every start.
const http = process.getBuiltinModule('node:http');

/** Newest API version that this client speaks. */
export const NEWEST_VERSION = '1.51';
const ERROR_LIMIT = 64 << 10;

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface RequestInput {
  readonly query?: Query;
  /** Sent as application/json. */
  readonly json?: unknown;
  /** Sent as it is; a stream goes out chunked. */
  readonly body?: Readable | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** A connection that was taken over from HTTP: both directions are raw bytes, and each ends on its own. */
export interface Hijacked {
  readonly socket: Socket;
  /** Bytes that arrived together with the answer's head. */
  readonly head: Buffer;
  /** Whether output comes in frames (no terminal) or as plain bytes, when the host says so. */
  readonly contentType: string;
}

/** A client of one host, speaking the version that both sides know. Every request has its own connection. */
export class EngineClient {
  readonly endpoint: Endpoint;
  readonly apiVersion: string;
  /** Version of a Strake host; undefined when the other side is a Docker host. */
  readonly strakeVersion: string | undefined;
  readonly #prefix: string;

  private constructor(endpoint: Endpoint, apiVersion: string, strakeVersion: string | undefined) {
    this.endpoint = endpoint;
    this.apiVersion = apiVersion;
    this.strakeVersion = strakeVersion;
    this.#prefix = `/v${apiVersion}`;
  }

  /** Asks the host who it is. Kind `unavailable` when nobody listens there. */
  static async connect(endpoint: Endpoint, signal: AbortSignal): Promise<EngineClient> {
    const answer = await send(endpoint, 'HEAD', '/_ping', { signal });
    answer.resume();
    const theirs = headerOf(answer, 'api-version') ?? '1.24';
    const apiVersion = atLeast(theirs, NEWEST_VERSION) ? NEWEST_VERSION : theirs;
    return new EngineClient(endpoint, apiVersion, headerOf(answer, VERSION_HEADER));
  }

  /** Whether the agreed API version is `version` or newer. */
  speaks(version: string): boolean {
    return atLeast(this.apiVersion, version);
  }

  /** Sends a request; an answer of 400 and above becomes a Failure. The caller consumes the body. */
  async request(method: string, path: string, input: RequestInput): Promise<IncomingMessage> {
    const answer = await send(this.endpoint, method, this.#prefix + path, input);
    if ((answer.statusCode ?? 500) >= 400) throw await refusal(answer);
    return answer;
  }

  /** Sends a request and reads its JSON answer. The type is the API's promise, as for every client of it. */
  async json<T>(method: string, path: string, input: RequestInput): Promise<T> {
    return JSON.parse(await this.text(method, path, input)) as T;
  }

  /** Sends a request and reads its whole answer. */
  async text(method: string, path: string, input: RequestInput): Promise<string> {
    const answer = await this.request(method, path, input);
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  }

  /** Sends a request that has nothing to answer. */
  async call(method: string, path: string, input: RequestInput): Promise<void> {
    await this.text(method, path, input);
  }

  /** Sends a request that turns the connection into a raw one (attach, exec). */
  async hijack(path: string, input: RequestInput): Promise<Hijacked> {
    const headers = { ...input.headers, Connection: 'Upgrade', Upgrade: 'tcp' };
    const request = open(this.endpoint, 'POST', this.#prefix + path, { ...input, headers });
    const answer = await new Promise<Hijacked | IncomingMessage>((resolve, reject) => {
      request.on('upgrade', (message, socket, head) =>
        // `socket` is a net.Socket (or its TLS kind) because node:http opened it itself.
        resolve({ socket: socket as Socket, head, contentType: headerOf(message, 'content-type') ?? '' }),
      );
      request.on('response', resolve);
      request.on('error', (error) => reject(connectionFailure(this.endpoint, error, input.signal)));
      finish(request, input);
    });
    if ('socket' in answer && 'head' in answer) return answer;
    if ((answer.statusCode ?? 500) >= 400) throw await refusal(answer);
    answer.destroy();
    throw new Failure('unsupported', 'NO_HIJACK', `the host does not hand over its connection for POST ${path}`);
  }
}

/** Whether `error` is a host's answer of `not found`, for example `No such image`. */
export function isNotFound(error: unknown): error is Failure {
  return isFailure(error, 'not-found');
}

/** `filters` parameter of list requests: `key=value` texts as the API wants them. */
export function filtersQuery(filters: readonly string[]): string | undefined {
  if (filters.length === 0) return undefined;
  const map: Record<string, Record<string, boolean>> = {};
  for (const filter of filters) {
    const equals = filter.indexOf('=');
    const key = filter.slice(0, equals).trim().toLowerCase();
    map[key] = { ...map[key], [filter.slice(equals + 1).trim()]: true };
  }
  return JSON.stringify(map);
}

function send(endpoint: Endpoint, method: string, path: string, input: RequestInput): Promise<IncomingMessage> {
  const request = open(endpoint, method, path, input);
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', (error) => reject(connectionFailure(endpoint, error, input.signal)));
    finish(request, input);
  });
}

function open(endpoint: Endpoint, method: string, path: string, input: RequestInput): ClientRequest {
  const host = endpoint.kind === 'unix' ? 'strake' : `${endpoint.host}:${endpoint.port}`;
  return http.request({
    method,
    path: path + queryString(input.query ?? {}),
    headers: {
      Host: host,
      'User-Agent': 'strake',
      ...(input.json !== undefined && { 'Content-Type': 'application/json' }),
      ...input.headers,
    },
    signal: input.signal,
    // Without an agent: it would cost more than the connection does.
    createConnection: () => connectTo(endpoint),
  });
}

function connectTo(endpoint: Endpoint): Socket {
  if (endpoint.kind === 'unix') return connect(endpoint.path);
  const { host, port, tls } = endpoint;
  if (!tls) return connect(port, host);
  const { ca, cert, key, verify } = tls;
  const secrets = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  const servername = isIP(host) === 0 ? host : '';
  return process
    .getBuiltinModule('node:tls')
    .connect({ host, port, servername, ...secrets, rejectUnauthorized: verify });
}

function finish(request: ClientRequest, input: RequestInput): void {
  if (input.body === undefined || input.body instanceof Uint8Array) {
    const body = input.json === undefined ? input.body : Buffer.from(JSON.stringify(input.json));
    if (body === undefined && request.method === 'POST') request.setHeader('Content-Length', 0);
    request.end(body);
    return;
  }
  const body = input.body;
  body.on('error', (error) => request.destroy(error));
  // A host may answer (and close) before it has read the whole body; what it says then is what counts.
  request.on('response', () => body.unpipe(request));
  request.on('close', () => body.destroy());
  body.pipe(request);
}

async function refusal(answer: IncomingMessage): Promise<Failure> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    size += chunk.length;
    if (size <= ERROR_LIMIT) chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  const status = answer.statusCode ?? 500;
  const message = messageIn(text) ?? (text.trim() === '' ? `request returned status ${status}` : text.trim());
  return new Failure(kindOf(status), `HTTP_${status}`, `Error response from daemon: ${message}`);
}

function messageIn(text: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && 'message' in body && typeof body.message === 'string')
      return body.message;
  } catch {
    // not JSON: the caller shows the text itself
  }
  return undefined;
}

function kindOf(status: number): ErrorKind {
  switch (status) {
    case 400:
      return 'invalid';
    case 401:
      return 'unauthenticated';
    case 403:
      return 'denied';
    case 404:
      return 'not-found';
    case 409:
      return 'conflict';
    case 412:
    case 501:
      return 'unsupported';
    case 503:
      return 'unavailable';
    default:
      return 'internal';
  }
}

function connectionFailure(endpoint: Endpoint, error: Error, signal: AbortSignal): Failure {
  if (signal.aborted) return cancelled(signal);
  if (isFailure(error)) return error;
  const code = systemCode(error);
  const detail = { cause: error };
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return new Failure(
      'unavailable',
      'HOST_UNREACHABLE',
      `cannot connect to ${endpoint.text}: is the host running?`,
      detail,
    );
  if (code === 'EACCES' || code === 'EPERM')
    return new Failure(
      'denied',
      'HOST_DENIED',
      `permission denied on the socket of the host at ${endpoint.text}`,
      detail,
    );
  return new Failure('unavailable', 'HOST_LOST', `connection to ${endpoint.text} failed: ${error.message}`, detail);
}

function queryString(query: Query): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    if (typeof value === 'object') for (const item of value) params.append(name, item);
    else params.append(name, typeof value === 'boolean' ? (value ? '1' : '0') : String(value));
  }
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

function headerOf(answer: IncomingMessage, name: string): string | undefined {
  const value = answer.headers[name];
  return typeof value === 'string' ? value : undefined;
}

function atLeast(version: string, wanted: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
