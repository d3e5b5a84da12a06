import type { Readable } from 'node:stream';
import { cancelled, Failure } from '../../lib/error.ts';
import type { HostConnection } from './connect-to.ts';
import { SocketReader } from './socket-reader.ts';

/** A request. A stream as body goes out chunked. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Readable | Buffer | undefined;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** To be read to its end, or given up with `close`. */
  readonly body: AsyncGenerator<Buffer>;
  /** Closes the connection, which ends what the host does for this request. */
  close(): void;
}

/** A connection that was taken over from HTTP: both directions are raw bytes, and each ends on its own. */
export interface RawConnection {
  readonly socket: HostConnection;
  /** Bytes that arrived together with the answer's head. */
  readonly head: Buffer;
  /** Whether output comes in frames (no terminal) or as plain bytes, when the host says so. */
  readonly contentType: string;
}

/**
 * Sends one HTTP/1.1 request on a socket and reads the head of its answer. This much of HTTP is all that a command
 * needs; node:http would be a third of its start. `onIdle` gets the socket when it can serve another request. Aborting
 * closes the connection. https://www.rfc-editor.org/rfc/rfc9112
 */
export async function exchange(
  socket: HostConnection,
  request: HttpRequest,
  onIdle: (socket: HostConnection) => void,
): Promise<HttpAnswer | RawConnection> {
  const { signal, method } = request;
  const onAbort = () => socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const sending = startSending(socket, request);
  const input = new SocketReader(socket);
  /** The reason behind a broken connection: ours, if it was us who broke it. */
  const reason = (error: unknown) => (signal.aborted ? cancelled(signal) : (sending.failure ?? error));
  const release = (idle: boolean) => {
    signal.removeEventListener('abort', onAbort);
    if (idle) onIdle(socket);
    else socket.destroy();
  };
  try {
    const { status, headers } = await readHead(input);
    if (status === 101) {
      signal.removeEventListener('abort', onAbort);
      return { socket, head: input.rest(), contentType: headers.get('content-type') ?? '' };
    }
    const stays = headers.get('connection')?.toLowerCase() !== 'close';
    async function* read(): AsyncGenerator<Buffer> {
      let whole = false;
      try {
        const empty = method === 'HEAD' || status === 204 || status === 304;
        if (!empty) yield* readBody(input, headers);
        whole = true;
      } catch (error) {
        throw reason(error);
      } finally {
        release(whole && stays && sending.done && isDelimited(method, status, headers));
      }
    }
    return { status, headers, body: read(), close: () => release(false) };
  } catch (error) {
    release(false);
    throw reason(error);
  }
}

interface Sending {
  /** Whether all of the request is on its way. */
  done: boolean;
  /** Why its body could not be read. */
  failure: unknown;
}

function startSending(socket: HostConnection, { method, path, headers, body }: HttpRequest): Sending {
  const length = body === undefined ? (method === 'POST' ? 0 : undefined) : bytesOf(body)?.length;
  const framing = body !== undefined && length === undefined ? { 'Transfer-Encoding': 'chunked' } : {};
  const all = { ...headers, ...(length !== undefined && { 'Content-Length': String(length) }), ...framing };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value.replace(/[\r\n]/g, ' ')}\r\n`);
  const sending: Sending = { done: true, failure: undefined };
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  const bytes = bytesOf(body);
  if (bytes) socket.write(bytes);
  else if (body !== undefined) {
    sending.done = false;
    sendChunked(socket, body as Readable).then(
      // what is not bytes is a stream
      () => {
        sending.done = true;
      },
      (error: unknown) => {
        sending.failure = error;
        socket.destroy();
      },
    );
  }
  return sending;
}

function bytesOf(body: Readable | Buffer | undefined): Buffer | undefined {
  return Buffer.isBuffer(body) ? body : undefined;
}

async function sendChunked(socket: HostConnection, body: Readable): Promise<void> {
  for await (const chunk of body) {
    // The host has answered and left, or the request was given up: the answer tells.
    if (!socket.writable) return;
    if (chunk.length === 0) continue;
    socket.cork();
    socket.write(`${chunk.length.toString(16)}\r\n`);
    socket.write(chunk);
    const ready = socket.write('\r\n');
    socket.uncork();
    if (!ready) await drained(socket);
  }
  if (socket.writable) socket.write('0\r\n\r\n');
}

function drained(socket: HostConnection): Promise<void> {
  return new Promise((resolve) => {
    const onReady = () => {
      socket.off('drain', onReady);
      socket.off('close', onReady);
      resolve();
    };
    socket.on('drain', onReady);
    socket.on('close', onReady);
  });
}

async function readHead(input: SocketReader): Promise<{ status: number; headers: Map<string, string> }> {
  for (;;) {
    const line = await input.line();
    const [, minor, digits] = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(line) ?? [];
    const status = Number(digits);
    if (digits === undefined) throw new Failure('data-loss', 'NOT_HTTP', `the host answered "${line.slice(0, 80)}"`);
    // A connection of HTTP/1.0 ends with its answer.
    const headers = new Map<string, string>(minor === '0' ? [['connection', 'close']] : []);
    for (let header = await input.line(); header !== ''; header = await input.line()) {
      const colon = header.indexOf(':');
      if (colon > 0) headers.set(header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim());
      if (headers.size > 200) throw new Failure('data-loss', 'NOT_HTTP', 'the host sent too many headers');
    }
    // Other 1xx answers announce the real one.
    if (status >= 200 || status === 101) return { status, headers };
  }
}

/** Whether the end of the body is told by the answer itself and not by the end of the connection. */
function isDelimited(method: string, status: number, headers: ReadonlyMap<string, string>): boolean {
  if (method === 'HEAD' || status === 204 || status === 304) return true;
  return isChunked(headers) || headers.has('content-length');
}

function isChunked(headers: ReadonlyMap<string, string>): boolean {
  return headers.get('transfer-encoding')?.toLowerCase() === 'chunked';
}

async function* readBody(input: SocketReader, headers: ReadonlyMap<string, string>): AsyncGenerator<Buffer> {
  const length = headers.get('content-length');
  if (isChunked(headers)) {
    for (;;) {
      const line = await input.line();
      if (!/^[0-9a-fA-F]{1,12}(?:[ \t]*;.*)?$/.test(line))
        throw new Failure('data-loss', 'NOT_HTTP', 'the host sent a chunk without a length');
      const size = Number.parseInt(line, 16);
      if (size === 0) break;
      yield* readExactly(input, size);
      if ((await input.line()) !== '')
        throw new Failure('data-loss', 'NOT_HTTP', 'the host sent a chunk of another length than it said');
    }
    while ((await input.line()) !== '') {
      // trailers: nothing in them is for us
    }
  } else if (length !== undefined) yield* readExactly(input, Number(length));
  else for (let chunk = await input.next(); chunk !== undefined; chunk = await input.next()) yield chunk;
}

async function* readExactly(input: SocketReader, size: number): AsyncGenerator<Buffer> {
  for (let left = size; left > 0; ) {
    const chunk = await input.upTo(left);
    if (chunk === undefined)
      throw new Failure('unavailable', 'HOST_LOST', 'the connection was closed in the middle of an answer');
    left -= chunk.length;
    yield chunk;
  }
}
