import { connect, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Endpoint } from './endpoint.ts';
import { SshConnection } from './ssh-connection.ts';

/** Both directions of a connection to a host. Each ends on its own. */
export type HostConnection = Duplex & { ref(): unknown; unref(): unknown };

/** Opens a connection; that it cannot be opened comes as the stream's error. */
export function connectTo(endpoint: Endpoint): HostConnection {
  if (endpoint.kind === 'ssh') return new SshConnection(endpoint);
  if (endpoint.kind === 'unix') return connect(endpoint.path);
  const { host, port, tls } = endpoint;
  if (!tls) return connect(port, host);
  const { ca, cert, key, verify } = tls;
  const secrets = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  const servername = isIP(host) === 0 ? host : '';
  return process
    .getBuiltinModule('node:tls')
    .connect({ host, port, servername, ...secrets, rejectUnauthorized: verify });
}
