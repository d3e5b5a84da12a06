import { createServer } from 'node:http';
import type { Metrics } from '../metrics.ts';
import { listenOn } from './listen.ts';

/** Serves `/metrics` at an address of its own, where no password is asked for. */
export async function serveMetrics(
  metrics: Metrics,
  host: string,
  port: number,
): Promise<AsyncDisposable & { address: string }> {
  const server = createServer((request, response) => {
    const isThere = request.url === '/metrics' && request.method === 'GET';
    response.writeHead(isThere ? 200 : 404, { 'Content-Type': 'text/plain; version=0.0.4' });
    response.end(isThere ? metrics.render() : '');
  });
  const address = await listenOn(server, host, port);
  return {
    address,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
