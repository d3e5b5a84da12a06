import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { createConnection, createServer, type Socket } from 'node:net';

export interface ProxyTarget {
  readonly host: string;
  readonly port: number;
}

/** A bound port of the host whose connections or datagrams go to a container; disposing closes all of them. */
export interface PortProxy extends AsyncDisposable {
  readonly port: number;
}

/** How long a UDP client may be silent before its replies are no longer passed back, in milliseconds. */
const UDP_PATIENCE = 90_000;
/** UDP clients of one port; the longest silent one makes room. */
const UDP_CLIENTS = 1024;

/**
 * Listens on a TCP address of the host, port 0 for any, and passes each connection on, half-closes included. Serves
 * what packet rules cannot reach: loopback, IPv6, and containers that use the host's address. Rejects with the system
 * error (EADDRINUSE, EACCES, EADDRNOTAVAIL) when the address cannot be had.
 */
export async function proxyTcp(host: string, port: number, target: ProxyTarget): Promise<PortProxy> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = createConnection({ ...target, allowHalfOpen: true, noDelay: true });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        open.delete(from);
        if (from.errored || !from.readableEnded) to.destroy();
      });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, ipv6Only: true, exclusive: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', () => {}); // accept(2) short of descriptors: that client is refused, the port stays
  const address = server.address();
  return {
    port: address !== null && typeof address === 'object' ? address.port : port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

/** The same for UDP: every client address gets a socket of its own towards the container. */
export async function proxyUdp(host: string, port: number, target: ProxyTarget): Promise<PortProxy> {
  const listener = host.includes(':') ? createSocket({ type: 'udp6', ipv6Only: true }) : createSocket('udp4');
  const clients = new Map<string, { socket: DatagramSocket; timer: NodeJS.Timeout }>();
  const forget = (key: string) => {
    const client = clients.get(key);
    if (!client) return;
    clients.delete(key);
    clearTimeout(client.timer);
    client.socket.close();
  };
  const admit = (key: string, address: string, clientPort: number) => {
    const oldest = clients.keys().next();
    if (clients.size >= UDP_CLIENTS && !oldest.done) forget(oldest.value);
    const socket = createSocket('udp4');
    socket.on('error', () => forget(key));
    socket.on('message', (message, from) => {
      if (from.address === target.host && from.port === target.port) listener.send(message, clientPort, address);
    });
    return { socket, timer: setTimeout(forget, UDP_PATIENCE, key).unref() };
  };
  listener.on('message', (message, from) => {
    const key = `${from.address} ${from.port}`;
    const client = clients.get(key) ?? admit(key, from.address, from.port);
    clients.delete(key);
    clients.set(key, client); // now the last one to be forgotten
    client.timer.refresh();
    client.socket.send(message, target.port, target.host);
  });
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.bind({ address: host, port, exclusive: true }, () => {
      listener.off('error', reject);
      resolve();
    });
  });
  listener.on('error', () => {}); // a client that cannot be answered
  return {
    port: listener.address().port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        for (const key of [...clients.keys()]) forget(key);
        listener.close(() => resolve());
      }),
  };
}
