/** A door on a socket of its own over parts of a host that a test makes up, and clients for it. */
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type Log, makeLog } from '../lib/log.ts';
import { makeScratchFolder } from '../lib/scratch.ts';
import type { BuildBackend } from './backend/build.ts';
import type { ContainerBackend } from './backend/containers.ts';
import type { ImageBackend } from './backend/images.ts';
import type { SystemBackend } from './backend/system.ts';
import type { Backends } from './backend.ts';
import { ApiServer } from './server.ts';

export interface TestHost extends AsyncDisposable {
  readonly socket: string;
  readonly server: ApiServer;
  /** Lines of the host's log. */
  readonly logged: string[];
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Resolves at the head of the answer; the rest is the test's to read or to leave. */
  open(method: string, path: string, options?: CallOptions): Promise<IncomingMessage>;
  /** A bare connection, with `head` sent. */
  raw(head: string): Socket;
}

export interface CallOptions {
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: unknown;
}

/** The parts that a test needs, with the methods that it needs. */
export interface TestParts extends Omit<Backends, 'system' | 'images' | 'containers' | 'build'> {
  readonly system?: Partial<SystemBackend>;
  readonly images?: Partial<ImageBackend>;
  readonly containers?: Partial<ContainerBackend>;
  readonly build?: Partial<BuildBackend>;
}

export async function startTestHost(parts: TestParts = {}): Promise<TestHost> {
  const folder = makeScratchFolder(tmpdir(), 'strake-api');
  const socket = join(folder.path, 'host.sock');
  const logged: string[] = [];
  const log: Log = makeLog((line) => logged.push(line));
  // A method that a test leaves out and calls all the same is a TypeError, which fails that test.
  const backends = { ...parts, system: { expectRequest() {}, ...parts.system } } as Backends;
  const server = new ApiServer({ backends, version: '0.0.0-test', log });
  await server.listen({ kind: 'unix', path: socket });
  const open = (method: string, path: string, options: CallOptions = {}) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const body = options.body;
      const type = typeof body === 'string' ? { 'Content-Type': 'application/json' } : {};
      const sent = request({
        socketPath: socket,
        method,
        path,
        headers: { ...type, ...options.headers },
        agent: false,
      });
      sent.on('response', resolve).on('error', reject);
      sent.end(body);
    });
  return {
    socket,
    server,
    logged,
    open,
    call: async (method, path, options) => {
      const answer = await open(method, path, options);
      const text = (await buffer(answer)).toString('utf8');
      const isDocument = answer.headers['content-type'] === 'application/json' && !text.trim().includes('\n');
      return {
        status: answer.statusCode ?? 0,
        headers: answer.headers,
        text,
        json: isDocument && text !== '' ? JSON.parse(text) : undefined,
      };
    },
    raw: (head) => {
      const client = connect({ path: socket, allowHalfOpen: true });
      client.write(head);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Everything that a connection says until it ends. */
export async function allOf(socket: Socket): Promise<string> {
  return (await buffer(socket)).toString('latin1');
}

/** A frame of a process's output without a terminal. */
export function frame(stream: 1 | 2, text: string): Buffer {
  const payload = Buffer.from(text);
  const head = Buffer.alloc(8);
  head[0] = stream;
  head.writeUInt32BE(payload.length, 4);
  return Buffer.concat([head, payload]);
}

/** Waits until something is true, looking every few milliseconds. */
export async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries++) {
    if (tries > 400) throw new Error('it did not become true in 2 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
