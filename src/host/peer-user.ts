import type { Duplex } from 'node:stream';
import { bind, check } from './libc.ts';

const getsockopt = bind<(fd: number, level: number, name: number, value: Buffer, length: Buffer) => number>(
  'int getsockopt(int fd, int level, int name, void *value, void *length)',
);

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const UCRED_SIZE = 12;

/** User ID of the process at the other end of a unix connection; undefined for a connection of another kind. */
export function peerUser(connection: Duplex): number | undefined {
  const fd = descriptorOf(connection);
  if (fd === undefined || !('remoteAddress' in connection) || connection.remoteAddress !== undefined) return undefined;
  const value = Buffer.alloc(UCRED_SIZE);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(UCRED_SIZE);
  check(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, length), 'getsockopt');
  return value.readUInt32LE(4); // pid, uid, gid
}

/** Node keeps the descriptor of a connection in its handle. */
function descriptorOf(connection: Duplex): number | undefined {
  const handle: unknown = '_handle' in connection ? connection._handle : undefined;
  if (typeof handle !== 'object' || handle === null || !('fd' in handle)) return undefined;
  return typeof handle.fd === 'number' && handle.fd >= 0 ? handle.fd : undefined;
}
