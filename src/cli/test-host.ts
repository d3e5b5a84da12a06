import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Endpoint, parseEndpoint } from './client/endpoint.ts';

/** A request that a test host received, with its body. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface TestHost extends AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly received: Received[];
}

export interface TestHostOptions {
  /** Answers by `METHOD /path` without version and query. A value is sent as JSON. */
  readonly routes: Readonly<Record<string, unknown | ((response: ServerResponse, request: Received) => void)>>;
  /** Takes over connections of upgrade requests. */
  readonly onUpgrade?: (url: string, socket: Socket, head: Buffer) => void;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A small HTTP server on a unix socket that plays a host. For tests. */
export async function startTestHost(options: TestHostOptions): Promise<TestHost> {
  const folder = mkdtempSync(join(tmpdir(), 'strake-test-host-'));
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = '', url = '', headers } = request;
    const seen = { method, url, headers, body: Buffer.concat(chunks) };
    for (const [name, value] of Object.entries({ 'Api-Version': '1.51', ...options.headers }))
      response.setHeader(name, value);
    if (url === '/_ping') return void response.end();
    received.push(seen);
    const path = url.replace(/^\/v[\d.]+/, '').replace(/\?.*/, '');
    const route = options.routes[`${method} ${path}`];
    if (typeof route === 'function') route(response, seen);
    else if (route !== undefined) response.end(JSON.stringify(route));
    else {
      response.statusCode = 404;
      response.end(JSON.stringify({ message: `no route ${method} ${path}` }));
    }
  });
  server.on('upgrade', (request, socket: Socket, head) => options.onUpgrade?.(request.url ?? '', socket, head));
  const path = join(folder, 'host.sock');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    endpoint: parseEndpoint(`unix://${path}`, {}),
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A frame of container output: 1 is stdout, 2 is stderr, 3 an error of the host. */
export function frame(stream: number, text: string): Buffer {
  const payload = Buffer.from(text);
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}
