import type { AddressInfo, Server } from 'node:net';
import { Failure, messageOf, systemCode } from '../../lib/error.ts';

/** Listens on TCP; the address, with the port that was chosen when 0 was asked for. */
export async function listenOn(server: Server, host: string, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenFailure(error, host, port)));
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo; // it listens on TCP
  return `${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}

function listenFailure(error: unknown, host: string, port: number): Failure {
  const why = systemCode(error) === 'EADDRINUSE' ? 'the address is in use' : messageOf(error);
  return new Failure('unavailable', 'LISTEN_FAILED', `cannot listen on ${host}:${port}: ${why}`, { cause: error });
}
