import type { Readable } from 'node:stream';
import { cancelled, type ErrorKind, Failure, isFailure, messageOf, systemCode } from '../../lib/error.ts';
import { VERSION_HEADER } from '../../wire/build.ts';
import { connectTo, type HostConnection } from './connect-to.ts';
import type { Endpoint } from './endpoint.ts';
import { errorDetail } from './error-detail.ts';
import { exchange, type HttpAnswer, type RawConnection } from './http-exchange.ts';

/** Newest API version that this client speaks. */
export const NEWEST_VERSION = '1.51';
const ERROR_LIMIT = 64 << 10;
/** A connection is used again only within this time: later the host may be closing it. */
const IDLE_LIMIT = 1_000;

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

/** The answer of a host, to be read to its end or closed. */
export type Answer = Pick<HttpAnswer, 'headers' | 'body' | 'close'>;

/** A client of one host, speaking the version that both sides know. */
export class EngineClient {
  readonly endpoint: Endpoint;
  #apiVersion = NEWEST_VERSION;
  #strakeVersion: string | undefined;
  #idle: { socket: HostConnection; since: number } | undefined;

  private constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
  }

  /** Asks the host who it is. Kind `unavailable` when nobody listens there. */
  static async connect(endpoint: Endpoint, signal: AbortSignal): Promise<EngineClient> {
    const client = new EngineClient(endpoint);
    const answer = asAnswer(await client.#exchange('HEAD', '/_ping', { signal }).catch(withTlsHint(endpoint)));
    await consume(answer.body);
    const theirs = answer.headers.get('api-version') ?? '1.24';
    client.#apiVersion = atLeast(theirs, NEWEST_VERSION) ? NEWEST_VERSION : theirs;
    client.#strakeVersion = answer.headers.get(VERSION_HEADER);
    return client;
  }

  get apiVersion(): string {
    return this.#apiVersion;
  }

  /** Version of a Strake host; undefined when the other side is a Docker host. */
  get strakeVersion(): string | undefined {
    return this.#strakeVersion;
  }

  /** Sends a request; an answer of 400 and above becomes a Failure. */
  async request(method: string, path: string, input: RequestInput): Promise<Answer> {
    const answer = asAnswer(await this.#exchange(method, `/v${this.#apiVersion}${path}`, input));
    if (answer.status >= 400) throw await refusal(answer);
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
    for await (const chunk of answer.body) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  }

  /** Sends a request that has nothing to answer. */
  async call(method: string, path: string, input: RequestInput): Promise<void> {
    await consume((await this.request(method, path, input)).body);
  }

  /** Sends a request that turns the connection into a raw one (attach, exec). */
  async hijack(path: string, input: RequestInput): Promise<RawConnection> {
    const headers = { ...input.headers, Connection: 'Upgrade', Upgrade: 'tcp' };
    const answer = await this.#exchange('POST', `/v${this.#apiVersion}${path}`, { ...input, headers });
    if ('socket' in answer) return answer;
    if (answer.status >= 400) throw await refusal(answer);
    answer.close();
    throw new Failure('unsupported', 'NO_HIJACK', `the host does not hand over its connection for POST ${path}`);
  }

  async #exchange(method: string, path: string, input: RequestInput): Promise<HttpAnswer | RawConnection> {
    const { endpoint } = this;
    const { signal, json } = input;
    const request = {
      method,
      path: path + queryString(input.query ?? {}),
      headers: {
        Host: endpoint.kind === 'tcp' ? `${endpoint.host}:${endpoint.port}` : 'strake',
        'User-Agent': 'strake',
        ...(json !== undefined && { 'Content-Type': 'application/json' }),
        ...input.headers,
      },
      body: json === undefined ? input.body : Buffer.from(JSON.stringify(json)),
      signal,
    };
    const kept = this.#idle && Date.now() - this.#idle.since < IDLE_LIMIT ? this.#idle.socket : undefined;
    this.#idle = undefined;
    const socket = kept && !kept.destroyed ? kept : connectTo(endpoint);
    socket.ref();
    try {
      return await exchange(socket, request, (idle) => {
        idle.unref();
        this.#idle = { socket: idle, since: Date.now() };
      });
    } catch (error) {
      throw connectionFailure(endpoint, error, signal);
    }
  }
}

/** A host that closes the connection at once may miss what it wants of TLS, which it cannot say. */
function withTlsHint(endpoint: Endpoint): (error: unknown) => never {
  return (error) => {
    if (endpoint.kind !== 'tcp' || !isFailure(error) || error.code !== 'HOST_LOST') throw error;
    const hint = endpoint.tls?.cert
      ? 'does it know the CA of the certificate?'
      : 'does it want a certificate? --tlscert and --tlskey';
    throw new Failure(error.kind, error.code, `${endpoint.text}: ${error.message}`, {
      cause: error,
      ...(endpoint.tls && { hint }),
    });
  };
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

/** The answer to a request that did not ask to take the connection over. */
function asAnswer(answer: HttpAnswer | RawConnection): HttpAnswer {
  if (!('socket' in answer)) return answer;
  answer.socket.destroy();
  throw new Failure('data-loss', 'NOT_HTTP', 'the host gave up HTTP without being asked');
}

async function consume(body: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of body);
}

async function refusal(answer: HttpAnswer): Promise<Failure> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.body) {
    size += chunk.length;
    if (size <= ERROR_LIMIT) chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  const { status } = answer;
  const body = errorIn(text);
  const message = body?.message ?? (text.trim() === '' ? `request returned status ${status}` : text.trim());
  return new Failure(
    kindOf(status),
    `HTTP_${status}`,
    `Error response from daemon: ${message}`,
    errorDetail(body ?? {}),
  );
}

function errorIn(text: string): { message: string; hint?: unknown; source?: unknown } | undefined {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && 'message' in body && typeof body.message === 'string')
      return { ...body, message: body.message };
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

function connectionFailure(endpoint: Endpoint, error: unknown, signal: AbortSignal): Failure {
  if (signal.aborted) return cancelled(signal);
  if (isFailure(error)) return error;
  const code = systemCode(error);
  const detail = { cause: error };
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return new Failure(
      'unavailable',
      'HOST_UNREACHABLE',
      `Cannot connect to the Docker daemon at ${endpoint.text}. Is the docker daemon running?`,
      endpoint.kind === 'unix'
        ? { ...detail, hint: `start one there with \`strake host -H ${endpoint.text}\`, or give --data-root too` }
        : detail,
    );
  if (code === 'EACCES' || code === 'EPERM')
    return new Failure(
      'denied',
      'HOST_DENIED',
      `permission denied on the socket of the host at ${endpoint.text}`,
      detail,
    );
  return new Failure('unavailable', 'HOST_LOST', `connection to ${endpoint.text} failed: ${messageOf(error)}`, detail);
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

function atLeast(version: string, wanted: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
