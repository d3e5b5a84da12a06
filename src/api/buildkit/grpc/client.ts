/** The client's side of gRPC over one connection. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { cancelled, Failure, isFailure } from '../../../lib/error.ts';
import { drained } from '../../stream.ts';
import { frameMessages, MessageSplitter, readMessages } from './messages.ts';
import { failureIn } from './status.ts';
import { watchPeer } from './watch-peer.ts';

/** A call with messages in both directions. */
export interface GrpcStream {
  /** The peer's messages, to be read once; throws the Failure that the call ended with. */
  readonly received: AsyncIterable<Buffer>;
  /**
   * The same for a great many messages: each is given to `take` at once, without a promise of its own. Resolves at the end of the
   * call; what `take` throws leaves the call open and unread.
   */
  receive(take: (message: Buffer) => void): Promise<void>;
  /** Resolves when there is room for more. Throws when the call has ended. */
  send(...messages: readonly Uint8Array[]): Promise<void>;
  /** All is said; answers may still come. */
  end(): void;
  /** Gives the call up. */
  close(): void;
}

export interface GrpcCallOptions {
  readonly metadata?: Readonly<Record<string, string | readonly string[]>>;
  readonly signal: AbortSignal;
}

/** Bytes of a call's metadata. Servers of Go take more. */
export const METADATA_LIMIT = 1 << 20;

/** Bytes that the peer may send before it hears that they were read: on a call, and on all together. */
const STREAM_WINDOW = 1 << 20;
const CONNECTION_WINDOW = 4 << 20;

/** Calls the peer's methods (`package.Service/Method`). What a call ends with other than OK is a Failure of that kind. */
export class GrpcClient {
  /** Resolves when the connection is closed. */
  readonly closed: Promise<void>;
  readonly #session: ClientHttp2Session;

  /** `socket` is a connection on which the peer serves HTTP/2 without a handshake before it. */
  constructor(socket: Duplex) {
    this.#session = connect('http://localhost', {
      createConnection: () => socket,
      maxSessionMemory: 64,
      maxSendHeaderBlockLength: METADATA_LIMIT,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
    });
    this.#session.on('error', () => {}); // 'close' follows
    this.#session.on('connect', (session) => {
      if (!session.destroyed) session.setLocalWindowSize(CONNECTION_WINDOW);
    });
    this.closed = watchPeer(this.#session, socket);
  }

  /** Breaks the connection. */
  close(): void {
    this.#session.destroy();
  }

  /** A method with one message each way. */
  async call(method: string, request: Uint8Array, options: GrpcCallOptions): Promise<Buffer> {
    const stream = this.open(method, options);
    try {
      await stream.send(request);
      stream.end();
      let answer: Buffer | undefined;
      for await (const message of stream.received) {
        if (answer) throw new Failure('invalid', 'GRPC_MESSAGES', `${method} answered with more than one message`);
        answer = message;
      }
      if (!answer) throw new Failure('invalid', 'GRPC_MESSAGES', `${method} answered with no message`);
      return answer;
    } finally {
      stream.close();
    }
  }

  open(method: string, { metadata = {}, signal }: GrpcCallOptions): GrpcStream {
    if (signal.aborted) throw cancelled(signal);
    if (this.#session.closed || this.#session.destroyed) throw gone(method);
    const stream = this.#session.request({
      ':method': 'POST',
      ':path': `/${method}`,
      te: 'trailers',
      'content-type': 'application/grpc',
      ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, [value].flat()])),
    });
    return new OpenStream(stream, method, signal);
  }
}

class OpenStream implements GrpcStream {
  readonly received: AsyncIterable<Buffer>;
  readonly #stream: ClientHttp2Stream;
  readonly #method: string;
  readonly #signal: AbortSignal;
  /** Where the status is: in the head of an answer without messages, else in the trailers. */
  #last: IncomingHttpHeaders | undefined;

  constructor(stream: ClientHttp2Stream, method: string, signal: AbortSignal) {
    this.#stream = stream;
    this.#method = method;
    this.#signal = signal;
    const stop = () => this.close();
    signal.addEventListener('abort', stop, { once: true });
    stream
      .on('error', () => {}) // 'close' follows
      .on('close', () => signal.removeEventListener('abort', stop))
      .on('response', (headers) => {
        if (headers['grpc-status'] !== undefined || headers[':status'] !== 200) this.#last = headers;
      })
      .on('trailers', (trailers) => {
        this.#last = trailers;
      });
    this.received = { [Symbol.asyncIterator]: () => this.#receive() };
  }

  async receive(take: (message: Buffer) => void): Promise<void> {
    const stream = this.#stream;
    const splitter = new MessageSplitter();
    const ended = Promise.withResolvers<void>();
    const onData = (chunk: Buffer) => {
      try {
        for (const message of splitter.take(chunk)) take(message);
      } catch (error) {
        ended.reject(error);
        stream.off('data', onData).pause();
      }
    };
    const onClose = () => ended.reject(this.#failure() ?? gone(this.#method));
    stream.on('data', onData).on('end', ended.resolve).on('close', onClose);
    if (stream.destroyed) onClose();
    try {
      await ended.promise;
    } finally {
      stream.off('data', onData).off('end', ended.resolve).off('close', onClose);
    }
    splitter.end();
    const failure = this.#failure();
    this.close();
    if (failure) throw failure;
  }

  async send(...messages: readonly Uint8Array[]): Promise<void> {
    const stream = this.#stream;
    if (stream.closed || stream.destroyed || stream.writableEnded) throw this.#failure() ?? gone(this.#method);
    if (!stream.write(frameMessages(messages))) await drained(stream);
  }

  end(): void {
    if (!this.#stream.closed) this.#stream.end();
  }

  close(): void {
    if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  async *#receive(): AsyncGenerator<Buffer, void, undefined> {
    try {
      yield* readMessages(this.#stream.iterator({ destroyOnReturn: false }));
      const failure = this.#failure();
      if (failure) throw failure;
    } catch (error) {
      throw isFailure(error) ? error : (this.#failure() ?? error);
    } finally {
      this.close();
    }
  }

  /** How the call ended, which is not well without a status that says so. */
  #failure(): Failure | undefined {
    const last = this.#last;
    if (last)
      return last[':status'] === undefined || 'grpc-status' in last ? failureIn(last) : refused(this.#method, last);
    return this.#signal.aborted ? cancelled(this.#signal) : gone(this.#method);
  }
}

function gone(method: string): Failure {
  return new Failure('unavailable', 'CLIENT_GONE', `the client closed its session before the end of ${method}`);
}

function refused(method: string, headers: IncomingHttpHeaders): Failure {
  return new Failure(
    'unavailable',
    'GRPC_REFUSED',
    `the client answered ${method} with HTTP status ${headers[':status']}`,
  );
}
