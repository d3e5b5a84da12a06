/** A TCP proxy that cuts connections as a bad network does. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface CuttingProxy extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string;
  /** Connections that are cut after this many bytes more in either direction, each once. */
  cuts: number[];
  /** While true, every connection ends at once. */
  isDown: boolean;
}

export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const proxy: CuttingProxy = {
    endpoint: '',
    cuts: [],
    isDown: false,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const pair = [client, upstream];
    const end = () => {
      for (const socket of pair) socket.destroy();
    };
    for (const [from, to] of [pair, [upstream, client]] as const) {
      if (!from || !to) continue;
      sockets.add(from);
      from.on('close', () => {
        sockets.delete(from);
        end();
      });
      from.on('error', end);
      from.on('data', (chunk) => {
        const [left] = proxy.cuts;
        if (left !== undefined) proxy.cuts[0] = left - chunk.length;
        if (proxy.isDown || (left !== undefined && left < chunk.length)) {
          proxy.cuts.shift();
          end();
        } else if (!to.write(chunk)) {
          from.pause();
          to.once('drain', () => from.resume());
        }
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const own = typeof address === 'object' && address ? address.port : 0;
  return Object.assign(proxy, { endpoint: `http://127.0.0.1:${own}` });
}
