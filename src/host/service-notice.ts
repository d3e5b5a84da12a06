import { closeSync } from 'node:fs';
import { bind, check } from './libc.ts';

const socket = bind<(family: number, type: number, protocol: number) => number>(
  'int socket(int family, int type, int protocol)',
);
const sendTo = bind<
  (fd: number, bytes: Buffer, length: number, flags: number, address: Buffer, addressLength: number) => number
>('int64_t sendto(int fd, const void *bytes, size_t length, int flags, const void *address, uint32_t addressLength)');

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;

export type ServiceState = 'READY=1' | 'STOPPING=1';

/**
 * How to tell the service manager that started this process what it does, by the protocol of systemd's `Type=notify`
 * (https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html). Without one, nothing is said. The address is
 * taken out of `env`: a runtime that finds it there hands it on to its container. Throws a system error when the manager
 * cannot be reached.
 */
export function serviceNotice(env: NodeJS.ProcessEnv): (state: ServiceState) => void {
  const path = env['NOTIFY_SOCKET'];
  delete env['NOTIFY_SOCKET'];
  if (!path) return () => {};
  // The name of an abstract socket begins with a NUL, which is written as an @.
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : path);
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), name]);
  return (state) => {
    const descriptor = check(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'socket');
    try {
      const message = Buffer.from(state);
      check(sendTo(descriptor, message, message.length, 0, address, address.length), 'sendto', path);
    } finally {
      closeSync(descriptor);
    }
  };
}
