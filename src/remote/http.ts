import { once } from 'node:events';
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { cancelled, Failure, isFailure } from '../lib/error.ts';
import { certificatesState, secureContextFor } from './certificates.ts';
import { connectionFailure } from './connection-failure.ts';
import { isInsecure, type RegistrySettings } from './settings.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  /** Milliseconds of silence that end it, before the answer. Default a minute, five while something is sent. */
  readonly patience?: number;
  readonly signal: AbortSignal;
}

export interface RequestBody {
  /** Bytes. */
  readonly length: number;
  /** Called once for each try. */
  open(): AsyncIterable<Uint8Array>;
}

/** An answer whose body is still to come: read it with `bodyOf` or `readAll`, or let it go with `discard`. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Where it came from, after redirects. */
  readonly url: URL;
  readonly message: IncomingMessage;
  /** Bytes of the body to come; Infinity when the answer does not say. */
  readonly bodyLength: number;
}

/** Go's bound, which registries know. */
const REDIRECTS = 10;
const READ_IDLE_MS = 60_000;
/** A registry may move a blob about before it answers. */
const WRITE_IDLE_MS = 300_000;
const KEEP_ALIVE_MS = 30_000;
/** A body that costs less than a new connection. */
const SHORT = 64 << 10;
const REDIRECT_STATUS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Headers that are meant for one host only. */
const SECRET_HEADERS = ['authorization', 'cookie'];

/**
 * HTTP to registries and to where they redirect: connections are kept and used again, TLS is set up host by host, proxies
 * are those of the environment, silence ends a request. Nothing is retried here.
 */
export class HttpClient implements Disposable {
  readonly #settings: RegistrySettings;
  /** By origin and what its certificates were. */
  readonly #agents = new Map<string, HttpAgent>();

  constructor(settings: RegistrySettings) {
    this.#settings = settings;
  }

  /** Sends a request and follows the redirects of reads. Rejects with a Failure `unavailable` when there is no answer. */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    let { url } = request;
    let headers: Record<string, string> = { 'user-agent': 'strake', ...request.headers };
    const follows = request.method === 'GET' || request.method === 'HEAD';
    for (let hop = 0; ; hop++) {
      const message = await this.#exchange({ ...request, url, headers });
      const status = message.statusCode ?? 0;
      const { location } = message.headers;
      const length = bodyLength(request.method, message);
      const answer: HttpAnswer = { status, headers: message.headers, url, message, bodyLength: length };
      if (!follows || !REDIRECT_STATUS.has(status) || location === undefined) return answer;
      discard(answer);
      const next = this.#redirected(url, location, hop);
      if (next.origin !== url.origin)
        headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !SECRET_HEADERS.includes(name)));
      url = next;
    }
  }

  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  #redirected(from: URL, location: string, hop: number): URL {
    const failure = (problem: string) =>
      new Failure('unavailable', 'REDIRECT_REFUSED', `${from.origin}${from.pathname}: ${problem}`);
    if (hop >= REDIRECTS) throw failure(`stopped after ${REDIRECTS} redirects`);
    if (!URL.canParse(location, from.href)) throw failure('redirect to an invalid URL');
    const next = new URL(location, from);
    if (next.protocol !== 'https:' && next.protocol !== 'http:') throw failure(`redirect to ${next.protocol}`);
    if (from.protocol === 'https:' && next.protocol === 'http:' && !isInsecure(next.host, this.#settings))
      throw failure(`redirect from TLS to plain ${next.origin}`);
    return next;
  }

  async #exchange(
    request: HttpRequest & { readonly headers: Readonly<Record<string, string>> },
  ): Promise<IncomingMessage> {
    const { method, url, body, signal, patience = body ? WRITE_IDLE_MS : READ_IDLE_MS } = request;
    if (signal.aborted) throw cancelled(signal);
    const headers = body ? { ...request.headers, 'content-length': String(body.length) } : request.headers;
    const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const sending = open(url, { method, headers, agent: this.#agent(url), signal });
    sending.setTimeout(patience, () => sending.destroy(silence(url)));
    const answer = once(sending, 'response') as Promise<[IncomingMessage]>; // what Node's documentation says of the event
    let broken: { readonly error: unknown } | undefined;
    async function* source(whole: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      try {
        yield* whole;
      } catch (error) {
        broken = { error };
        throw error;
      }
    }
    // Trouble is the request's too; after an early answer it does not matter.
    if (body) pipeline(Readable.from(source(body.open()), { objectMode: false }), sending).catch(() => {});
    else sending.end();
    try {
      const [message] = await answer;
      sending.setTimeout(0);
      sending.on('error', () => {}); // told by the body
      return message;
    } catch (error) {
      if (signal.aborted) throw cancelled(signal);
      if (broken) throw broken.error;
      throw isFailure(error) ? error : connectionFailure(method, url, error);
    }
  }

  #agent(url: URL): HttpAgent {
    const { certificates } = this.#settings;
    const state = url.protocol === 'http:' ? '' : certificatesState(url.host, certificates);
    const key = `${url.origin} ${state}`;
    let agent = this.#agents.get(key);
    if (agent) return agent;
    const insecure = isInsecure(url.host, this.#settings);
    const proxy = insecure ? {} : { proxyEnv: process.env };
    const common = { keepAlive: true, timeout: KEEP_ALIVE_MS, maxSockets: 16, ...proxy };
    agent =
      url.protocol === 'http:'
        ? new HttpAgent(common)
        : new HttpsAgent({
            ...common,
            secureContext: secureContextFor(url.host, certificates),
            rejectUnauthorized: !insecure,
          });
    this.#agents.set(key, agent);
    return agent;
  }
}

/** The body of an answer. Breaks off with a Failure `unavailable` when it ends early or nothing comes for a minute. */
export async function* bodyOf(answer: HttpAnswer, signal: AbortSignal): AsyncGenerator<Buffer> {
  let waiting = true;
  const watchdog = setTimeout(() => {
    if (waiting) answer.message.destroy(silence(answer.url));
    else watchdog.refresh();
  }, READ_IDLE_MS);
  try {
    for await (const chunk of answer.message) {
      waiting = false;
      yield chunk;
      waiting = true;
      watchdog.refresh();
    }
  } catch (error) {
    if (signal.aborted) throw cancelled(signal);
    throw isFailure(error) ? error : connectionFailure('GET', answer.url, error);
  } finally {
    clearTimeout(watchdog);
  }
}

/** A body of at most `limit` bytes; `invalid` ANSWER_TOO_LARGE above. */
export async function readAll(answer: HttpAnswer, limit: number, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of bodyOf(answer, signal)) {
    size += chunk.length;
    if (size > limit)
      throw new Failure(
        'invalid',
        'ANSWER_TOO_LARGE',
        `the answer of ${answer.url.origin}${answer.url.pathname} is over the limit of ${limit} bytes`,
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Lets a body go: a short one is read, so that its connection can be used again. */
export function discard({ message, bodyLength }: HttpAnswer): void {
  message.on('error', () => {});
  if (bodyLength <= SHORT) message.resume();
  else message.destroy();
}

function bodyLength(method: string, { statusCode, headers }: IncomingMessage): number {
  if (method === 'HEAD' || statusCode === 204) return 0;
  return Number(headers['content-length'] ?? Number.POSITIVE_INFINITY);
}

function silence(url: URL): Failure {
  return new Failure('unavailable', 'REGISTRY_TIMEOUT', `${url.host} does not answer: i/o timeout`);
}
