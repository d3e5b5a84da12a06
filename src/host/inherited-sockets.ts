import { fstatSync } from 'node:fs';
import { Failure } from '../lib/error.ts';

const FIRST = 3;
const MOST = 64;

/**
 * Descriptors of the sockets on which systemd listens for this process (a `.socket` unit). Throws `invalid`
 * NO_INHERITED_SOCKET when there is none. What says so is taken out of `env`: a runtime that finds it there hands these
 * descriptors to its container. https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
 */
export function inheritedSockets(env: NodeJS.ProcessEnv, pid = process.pid): number[] {
  const isOurs = env['LISTEN_PID'] === String(pid);
  const count = Math.trunc(Number(env['LISTEN_FDS'])) || 0;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
  const descriptors = Array.from({ length: isOurs && count <= MOST ? count : 0 }, (_, index) => FIRST + index);
  if (descriptors.length === 0 || !descriptors.every(isSocket))
    throw new Failure(
      'invalid',
      'NO_INHERITED_SOCKET',
      'cannot listen on "fd://": no socket was handed to this process',
      { hint: 'it is for a service of systemd as in docs/strake.service; elsewhere write unix:///path' },
    );
  return descriptors;
}

function isSocket(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isSocket();
  } catch {
    return false;
  }
}
