import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Duplex, Readable, type Writable } from 'node:stream';
import { cancelled, Failure, messageOf } from '../lib/error.ts';
import type { Check } from './check.ts';
import { JsonLines } from './json-lines.ts';
import type { Query } from './query.ts';
import { bodyOf, closeGently, copy } from './stream.ts';

/** Bound of a request body in JSON. The largest that real clients send, a container with long lists, is some kilobytes. */
export const JSON_LIMIT = 8 << 20;

export interface ExchangeParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Both directions of the connection, when the client asked for an upgrade and the route knows one. */
  readonly upgrade: Duplex | undefined;
  /** API version 1.NN as NN. */
  readonly version: number;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly signal: AbortSignal;
  /** User ID of a client on this machine; undefined when it came over the network. */
  readonly peerUser: () => number | undefined;
}

/** One request and its answer. A handler ends it through exactly one of the answering methods. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly version: number;
  readonly query: Query;
  /** Aborts when the client has gone or the host closes. */
  readonly signal: AbortSignal;
  /** User ID of a client on this machine; undefined when it came over the network. */
  readonly peerUser: () => number | undefined;
  /** The lines of a progress stream, once it was begun: an error is then told in a line. */
  progress: JsonLines<unknown> | undefined;
  /** Whether the connection speaks raw bytes now, so that nothing can be answered any more. */
  hijacked = false;
  readonly #params: Readonly<Record<string, string>>;
  readonly #upgrade: Duplex | undefined;

  constructor(parts: ExchangeParts) {
    this.request = parts.request;
    this.response = parts.response;
    this.version = parts.version;
    this.query = parts.query;
    this.signal = parts.signal;
    this.peerUser = parts.peerUser;
    this.#params = parts.params;
    this.#upgrade = parts.upgrade;
  }

  /** A part of the path, decoded. */
  param(name: string): string {
    return this.#params[name] ?? '';
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** The request body as bytes of unknown length. */
  body(): Readable {
    return bodyOf(this.request);
  }

  /** The request body as a checked JSON document; undefined when it is empty. */
  async json<T>(check: Check<T>): Promise<T | undefined> {
    const bytes = this.#upgrade ? await this.#upgradeBody(this.#upgrade) : await this.#plainBody();
    if (bytes.length === 0) return undefined;
    const type = this.header('content-type') ?? '';
    if (!/^application\/json\s*(;|$)/i.test(type))
      throw new Failure('invalid', 'CONTENT_TYPE', `Content-Type specified (${type}) must be 'application/json'`);
    let parsed: unknown;
    try {
      parsed = JSON.parse(bytes.toString('utf8'));
    } catch (error) {
      throw new Failure('invalid', 'JSON_INVALID', `invalid JSON: ${messageOf(error)}`);
    }
    return parsed === null ? undefined : check(parsed, '');
  }

  /** Takes off the document that some clients send with a request for an upgrade: what they type begins behind it. */
  async dropBody(): Promise<void> {
    if (this.#upgrade) await this.#upgradeBody(this.#upgrade);
  }

  /** Answers with a JSON document. */
  answer(status: number, value: unknown): void {
    const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
    this.response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': bytes.length });
    this.response.end(bytes);
  }

  /** Answers without a body. */
  empty(status: number): void {
    this.response.writeHead(status, status === 200 || status === 201 ? { 'Content-Length': 0 } : {});
    this.response.end();
  }

  /** Answers with lines of JSON as they come. */
  lines<T>(ending: '\r\n' | '\n' = '\r\n'): JsonLines<T> {
    const lines = new JsonLines<T>(this.response, ending);
    this.progress = lines;
    return lines;
  }

  /** Answers with the bytes of `body`, and releases it. What fails before its first byte is still a proper error. */
  async send(body: Readable, contentType: string | undefined): Promise<void> {
    const stop = () => body.destroy(cancelled(this.signal));
    body.on('error', () => {}); // the copy below throws it; nothing else listens once that has ended
    this.signal.addEventListener('abort', stop, { once: true });
    try {
      if (this.signal.aborted) stop();
      if (contentType !== undefined) this.response.setHeader('Content-Type', contentType);
      if (await copy(body, this.response)) this.response.end();
    } finally {
      this.signal.removeEventListener('abort', stop);
      body.destroy();
    }
  }

  /**
   * Leaves HTTP: answers 101 when the client asked for an upgrade and 200 otherwise, and gives both directions of the
   * connection. Bytes that came right behind the request are the first ones of `from`.
   */
  hijack(contentType: string): { from: Readable; to: Writable } {
    this.hijacked = true;
    if (!this.#upgrade) {
      this.response.useChunkedEncodingByDefault = false; // raw bytes until the connection closes
      this.response.shouldKeepAlive = false;
      this.response.writeHead(200, { 'Content-Type': contentType });
      this.response.flushHeaders();
      // A body of a known length is a document of the client's library, and not what somebody types.
      const from = this.header('transfer-encoding') === undefined ? Readable.from([]) : this.body();
      return { from, to: this.response };
    }
    const protocol = /^[\w./-]+$/.exec(this.header('upgrade') ?? '')?.[0] ?? 'tcp';
    this.#upgrade.write(this.#switching(protocol, `Content-Type: ${contentType}\r\n`));
    return { from: this.#upgrade, to: this.#upgrade };
  }

  /**
   * Leaves HTTP/1.1 for the protocol that the client asked for: answers 101 and gives the connection, when that is written.
   * Whoever reads and writes its handle from then on must not be told of the end of a write that is not his.
   */
  async switchTo(protocol: string): Promise<Duplex> {
    const connection = this.#upgrade;
    if (!connection || this.header('upgrade')?.toLowerCase() !== protocol)
      throw new Failure(
        'invalid',
        'NO_UPGRADE',
        `bad request: this needs "Connection: Upgrade" and "Upgrade: ${protocol}"`,
      );
    this.hijacked = true;
    const { promise: written, resolve } = Promise.withResolvers<Error | null | undefined>();
    connection.write(this.#switching(protocol, ''), resolve);
    const error = await written;
    if (error) throw new Failure('cancelled', 'CLIENT_GONE', 'the client closed the connection', { cause: error });
    return connection;
  }

  /** Ends what `hijack` began: the rest of the output is sent, then the connection closes. */
  close(): void {
    closeGently(this.#upgrade ?? this.response);
  }

  #switching(protocol: string, more: string): string {
    const headers = Object.entries(this.response.getHeaders()).map(([name, value]) => `${name}: ${value}\r\n`);
    return `HTTP/1.1 101 UPGRADED\r\n${more}Connection: Upgrade\r\nUpgrade: ${protocol}\r\n${headers.join('')}\r\n`;
  }

  async #plainBody(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of this.body() as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > JSON_LIMIT) throw tooLarge();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  /** The parser stops behind the head of an upgrade, so a body is still in the stream. */
  async #upgradeBody(stream: Duplex): Promise<Buffer> {
    if (this.header('transfer-encoding') !== undefined)
      throw new Failure('invalid', 'BODY_ENCODING', 'the body of an upgrade request needs a Content-Length');
    const length = Number(this.header('content-length') ?? 0);
    if (length > JSON_LIMIT) throw tooLarge();
    if (length === 0) return Buffer.alloc(0);
    for (;;) {
      const bytes: Buffer | null = stream.read(length);
      if (bytes && bytes.length === length) return bytes;
      if (bytes || stream.readableEnded || stream.destroyed)
        throw new Failure('invalid', 'BODY_SHORT', `the request body ended before its Content-Length of ${length}`);
      await new Promise<void>((resolve) => {
        const done = () => {
          stream.off('readable', done).off('end', done).off('close', done);
          resolve();
        };
        stream.on('readable', done).on('end', done).on('close', done);
      });
    }
  }
}

function tooLarge(): Failure {
  return new Failure('invalid', 'BODY_TOO_LARGE', `the request body is over the limit of ${JSON_LIMIT >> 20} MiB`);
}
