import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { Failure, systemCode } from '../lib/error.ts';

const O_PATH = 0o10000000;

/**
 * Opens the place of a unix socket for a user who names it: `path` of the result names that very socket until it is
 * disposed, whatever happens to its name. A socket that is not the user's own is refused, unless the user is root: whoever
 * asks a mightier process to connect must be able to do it himself.
 */
export function openOwnedSocket(path: string, user: number): { readonly path: string } & Disposable {
  let fd: number;
  try {
    fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    throw new Failure('not-found', 'SOCKET_MISSING', `cannot find the socket ${path}: ${systemCode(error)}`);
  }
  const stat = fstatSync(fd);
  const isOwn = user === 0 || stat.uid === user;
  if (stat.isSocket() && isOwn) return { path: `/proc/self/fd/${fd}`, [Symbol.dispose]: () => closeSync(fd) };
  closeSync(fd);
  if (!stat.isSocket()) throw new Failure('invalid', 'NOT_A_SOCKET', `${path} is not a socket`);
  throw new Failure('denied', 'SOCKET_FOREIGN', `the socket ${path} does not belong to user ${user}, who asks for it`);
}
