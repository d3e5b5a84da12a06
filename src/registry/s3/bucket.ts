import { createHash } from 'node:crypto';
import { Agent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import aws4 from 'aws4';
import { cancelled, Failure, messageOf } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';
import type { BucketAddress } from './bucket-address.ts';
import type { CredentialSource } from './credential-source.ts';
import { isPassing, StoreError, storeFailure } from './store-error.ts';

/** Milliseconds without a byte in either direction until a request counts as lost. */
const SILENCE = 30_000;
/** How often a request is sent at most, with pauses that double, and for how long at most. Milliseconds. */
const TRIES = 7;
const FIRST_PAUSE = 100;
const PATIENCE = 30_000;
/** Bytes of an answer that is no object: a list of 1000 names has some 300 KB. */
const ANSWER_LIMIT = 8 << 20;
const IDLE_SOCKETS = 64;
const LINK_SECONDS = 1200;

export interface BucketRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Of an object below the prefix; undefined: the bucket itself. */
  readonly name?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Buffer[];
  /** How often it is sent at most. */
  readonly tries?: number;
}

export interface BucketAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** A bucket of an S3-compatible object store. https://docs.aws.amazon.com/AmazonS3/latest/API/ */
export interface Bucket extends AsyncDisposable {
  readonly address: BucketAddress;
  /** A URL that gives an object, without credentials, for some minutes. */
  link(name: string): Promise<string>;
  /**
   * Sends a request, again while the store is busy or the connection breaks. Statuses of `expected` are answers like 2xx, all
   * others are Failures `unavailable` (`exhausted` when the store is full).
   */
  ask(request: BucketRequest, expected?: readonly number[]): Promise<BucketAnswer>;
  /** The same for the bytes of an object, which stream; what is not read is to be destroyed. Those of other answers are dropped. */
  stream(request: BucketRequest, expected: readonly number[]): Promise<IncomingMessage>;
}

export function openBucket(
  address: BucketAddress,
  options: { readonly credentials: CredentialSource; readonly log: Log },
): Bucket {
  const { url, region } = address;
  const { credentials, log } = options;
  const isTls = url.protocol === 'https:';
  const settings = { keepAlive: true, maxFreeSockets: IDLE_SOCKETS };
  const agent = isTls ? new TlsAgent(settings) : new Agent(settings);
  const stop = new AbortController();

  const sendOnce = async ({
    method,
    name,
    query,
    headers = {},
    body = [],
  }: BucketRequest): Promise<IncomingMessage> => {
    const length = body.reduce((sum, { length }) => sum + length, 0);
    const path =
      name === undefined ? address.path.slice(0, address.path.length - address.prefix.length) : address.path + name;
    const signed = aws4.sign(
      {
        service: 's3',
        region,
        method,
        path: query ? `${path}?${new URLSearchParams(query)}` : path,
        headers: {
          ...headers,
          host: url.host,
          ...((method === 'PUT' || method === 'POST') && { 'content-length': length }),
          // TLS proves the bytes; without it their digest does.
          'x-amz-content-sha256': isTls && length > 0 ? 'UNSIGNED-PAYLOAD' : digestOf(body),
        },
      },
      { ...(await credentials()) },
    );
    return await new Promise((resolve, reject) => {
      const outgoing = (isTls ? tlsRequest : httpRequest)({
        agent,
        hostname: url.hostname.replace(/^\[|\]$/g, ''),
        port: url.port,
        method,
        path: signed.path,
        headers: signed.headers,
        signal: stop.signal,
      });
      outgoing.setTimeout(SILENCE, () => outgoing.destroy(new Error(`no answer for ${SILENCE / 1000} seconds`)));
      outgoing.on('response', resolve);
      outgoing.on('error', reject);
      outgoing.cork();
      for (const chunk of body) outgoing.write(chunk);
      outgoing.end();
    });
  };

  const persist = async <T>(what: BucketRequest, attempt: () => Promise<T>): Promise<T> => {
    const start = performance.now();
    for (let tried = 1; ; tried++) {
      try {
        return await attempt();
      } catch (error) {
        if (stop.signal.aborted) throw cancelled(stop.signal);
        if (tried === (what.tries ?? TRIES) || !isPassing(error) || performance.now() - start > PATIENCE)
          throw storeFailure(error, address.name);
        const { method, name = '' } = what;
        log.warn('the object store does not answer well, trying again', { method, name, problem: messageOf(error) });
        await sleep(FIRST_PAUSE * 2 ** (tried - 1) * (0.5 + Math.random() / 2));
      }
    }
  };

  return {
    address,
    async link(name) {
      const path = `${address.path}${name}?X-Amz-Expires=${LINK_SECONDS}`;
      const request = { service: 's3', region, method: 'GET', path, headers: { host: url.host }, signQuery: true };
      return url.origin + aws4.sign(request, { ...(await credentials()) }).path;
    },
    ask: (request, expected = []) =>
      persist(request, async () => {
        const answer = await sendOnce(request);
        const [status, text] = [answer.statusCode ?? 0, await readText(answer)];
        const { headers } = answer;
        // What takes long is answered before it has succeeded.
        if (status === 200 && request.method === 'POST' && text.includes('<Error>'))
          throw new StoreError(500, text, headers);
        if ((status >= 200 && status < 300) || expected.includes(status)) return { status, headers, text };
        throw new StoreError(status, text, headers);
      }),
    stream: (request, expected) =>
      persist(request, async () => {
        const answer = await sendOnce(request);
        const status = answer.statusCode ?? 0;
        if (status >= 200 && status < 300) return answer;
        const text = await readText(answer);
        if (expected.includes(status)) return answer;
        throw new StoreError(status, text, answer.headers);
      }),
    async [Symbol.asyncDispose]() {
      stop.abort(new Failure('unavailable', 'REGISTRY_CLOSING', 'the registry is closing'));
      agent.destroy();
    },
  };
}

async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > ANSWER_LIMIT)
      throw new Failure('unavailable', 'S3_FAILED', 'an answer of the object store is too long');
  }
  return Buffer.concat(chunks).toString();
}

function digestOf(body: readonly Buffer[]): string {
  const digest = createHash('sha256');
  for (const chunk of body) digest.update(chunk);
  return digest.digest('hex');
}
