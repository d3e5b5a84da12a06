/** The server's side of gRPC over one connection. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
import { type IncomingHttpHeaders, performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { cancelled, Failure } from '../../../lib/error.ts';
import type { Message } from '../../../lib/protobuf.ts';
import { drained } from '../../stream.ts';
import { frameMessages, readMessages } from './messages.ts';
import { type GrpcStatus, OK, statusOf, statusTrailers } from './status.ts';
import { watchPeer } from './watch-peer.ts';

export interface GrpcCall {
  /** `package.Service/Method` */
  readonly method: string;
  readonly metadata: ReadonlyMap<string, readonly string[]>;
  /** The client's messages, until it has said all; to be read once. */
  readonly received: AsyncIterable<Buffer>;
  /** Resolves when there is room for more. */
  send(message: Uint8Array): Promise<void>;
  /** Aborts when the client gives the call up or is gone. */
  readonly signal: AbortSignal;
}

/** Answers a call; its end is the end of the call, what it throws is the call's status. */
export type GrpcHandler = (call: GrpcCall) => Promise<void>;

export interface GrpcServerOptions {
  /** Breaks the connection. */
  readonly signal: AbortSignal;
}

/** Calls at a time on one connection. A build has three or four, and `bake` many builds. */
const CALLS = 1000;

/**
 * Speaks HTTP/2 on the connection, without a handshake before it, and answers calls by method (`package.Service/Method`)
 * until it closes and all handlers have ended.
 */
export async function serveGrpc(
  socket: Duplex,
  handlers: ReadonlyMap<string, GrpcHandler>,
  { signal }: GrpcServerOptions,
): Promise<void> {
  const session = performServerHandshake(socket, {
    maxSessionMemory: 64,
    settings: { maxConcurrentStreams: CALLS, initialWindowSize: 1 << 20 },
  });
  session.on('error', () => {}); // 'close' follows
  const calls = new Set<Promise<void>>();
  session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const call = answer(stream, headers, handlers).finally(() => calls.delete(call));
    calls.add(call);
  });
  const stop = () => session.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) stop();
    await watchPeer(session, socket);
    await Promise.all(calls);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** The handler of a method that has one message each way. */
export function unary<Asked, Told>(
  asked: Message<Asked>,
  told: Message<Told>,
  handle: (request: Asked, call: GrpcCall) => Promise<Partial<Told>> | Partial<Told>,
): GrpcHandler {
  return async (call) => {
    await call.send(told.encode(await handle(asked.decode(await onlyMessage(call)), call)));
  };
}

/** The one message of a call that has no more. */
export async function onlyMessage(call: GrpcCall): Promise<Buffer> {
  let only: Buffer | undefined;
  for await (const message of call.received) {
    if (only) throw new Failure('invalid', 'GRPC_MESSAGES', `${call.method} takes one message`);
    only = message;
  }
  if (!only) throw new Failure('invalid', 'GRPC_MESSAGES', `${call.method} needs a message`);
  return only;
}

async function answer(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  handlers: ReadonlyMap<string, GrpcHandler>,
): Promise<void> {
  const gone = new AbortController();
  stream.on('error', () => {}); // 'close' follows
  const closed = new Promise<void>((resolve) => stream.on('close', resolve));
  stream.on('close', () => gone.abort(new Failure('cancelled', 'CLIENT_GONE', 'the client gave the call up')));
  const method = (headers[':path'] ?? '').slice(1);
  let status: GrpcStatus = { code: OK, message: '' };
  try {
    const handler = handlers.get(method);
    expectGrpc(headers);
    if (!handler)
      throw new Failure(
        'unsupported',
        'GRPC_METHOD',
        `unknown method ${method.slice(0, 200)} of this host's build service`,
      );
    await handler(callOn(stream, method, headers, gone.signal));
  } catch (error) {
    status = statusOf(error);
  }
  if (stream.closed || stream.destroyed) return;
  finish(stream, status);
  await closed;
}

function callOn(
  stream: ServerHttp2Stream,
  method: string,
  headers: IncomingHttpHeaders,
  signal: AbortSignal,
): GrpcCall {
  return {
    method,
    metadata: metadataOf(headers),
    received: {
      async *[Symbol.asyncIterator]() {
        try {
          yield* readMessages(stream.iterator({ destroyOnReturn: false }));
        } catch (error) {
          throw signal.aborted || stream.destroyed ? cancelled(signal) : error;
        }
        if (stream.aborted) throw cancelled(signal);
      },
    },
    send: async (message) => {
      if (stream.closed || stream.destroyed) throw cancelled(signal);
      begin(stream);
      if (!stream.write(frameMessages([message]))) await drained(stream);
    },
    signal,
  };
}

function begin(stream: ServerHttp2Stream): void {
  if (!stream.headersSent)
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
}

/** Says how the call ended. What the client may still send is thrown away until it knows. */
function finish(stream: ServerHttp2Stream, status: GrpcStatus): void {
  begin(stream);
  stream.on('wantTrailers', () => stream.sendTrailers(statusTrailers(status)));
  stream.end();
  stream.resume();
}

function expectGrpc(headers: IncomingHttpHeaders): void {
  const type = headers['content-type'] ?? '';
  if (headers[':method'] !== 'POST' || !/^application\/grpc(\+proto)?(;|$)/.test(type))
    throw new Failure(
      'invalid',
      'GRPC_REQUEST',
      `a gRPC call is a POST of application/grpc, not of "${type.slice(0, 100)}"`,
    );
}

function metadataOf(headers: IncomingHttpHeaders): ReadonlyMap<string, readonly string[]> {
  const metadata = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':') || value === undefined) continue;
    metadata.set(name, Array.isArray(value) ? value : value.split(', '));
  }
  return metadata;
}
