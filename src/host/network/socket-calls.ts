import { bind, check } from '../libc.ts';

// Descriptors made here belong to the process, not to the worker thread that made them: they stay open until closed.

const open = bind<(path: string, flags: number) => number>('int open(const char *path, int flags)');
const close = bind<(fd: number) => number>('int close(int fd)');
const socket = bind<(family: number, type: number, protocol: number) => number>(
  'int socket(int family, int type, int protocol)',
);
const sendTo = bind<(fd: number, bytes: Buffer, length: number, flags: number) => number>(
  'int64_t send(int fd, const void *bytes, size_t length, int flags)',
);
const receiveFrom = bind<(fd: number, into: Buffer, length: number, flags: number) => number>(
  'int64_t recv(int fd, void *into, size_t length, int flags)',
);
const bindTo = bind<(fd: number, address: Buffer, length: number) => number>(
  'int bind(int fd, const void *address, uint32_t length)',
);
const getSocketName = bind<(fd: number, address: Buffer, length: Buffer) => number>(
  'int getsockname(int fd, void *address, void *length)',
);
const unshare = bind<(flags: number) => number>('int unshare(int flags)');
const setns = bind<(fd: number, type: number) => number>('int setns(int fd, int type)');

const O_CLOEXEC = 0o2000000;
const SOCK_CLOEXEC = O_CLOEXEC;
const CLONE_NEWNET = 0x40000000;
const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_ROUTE = 0;

export function closeDescriptor(fd: number): void {
  check(close(fd), 'close');
}

/** A routing socket of the calling thread's network namespace. */
export function openRouteSocket(): number {
  return check(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), 'socket');
}

export function send(fd: number, bytes: Buffer): void {
  check(sendTo(fd, bytes, bytes.length, 0), 'send');
}

/** Waits for a message and returns its length. */
export function receive(fd: number, into: Buffer): number {
  return check(receiveFrom(fd, into, into.length, 0), 'recv');
}

/** A socket of the calling thread's network namespace on this IPv4 address and this port, or a free one. */
export function bindLocal(kind: 'udp' | 'tcp', ipv4: number, port = 0): { descriptor: number; port: number } {
  const type = kind === 'udp' ? SOCK_DGRAM : SOCK_STREAM;
  const descriptor = check(socket(AF_INET, type | SOCK_CLOEXEC, 0), 'socket');
  try {
    const address = Buffer.alloc(16); // struct sockaddr_in
    address.writeUInt16LE(AF_INET, 0);
    address.writeUInt16BE(port, 2);
    address.writeUInt32BE(ipv4, 4);
    check(bindTo(descriptor, address, address.length), 'bind');
    const length = Buffer.alloc(4);
    length.writeUInt32LE(address.length);
    check(getSocketName(descriptor, address, length), 'getsockname');
    return { descriptor, port: address.readUInt16BE(2) };
  } catch (error) {
    closeDescriptor(descriptor);
    throw error;
  }
}

/** The calling thread's network namespace. */
export function openNamespace(): number {
  return check(open('/proc/thread-self/ns/net', O_CLOEXEC), 'open');
}

/**
 * Runs `work` with the calling thread in another network namespace, a new one when `target` is `new`, and brings the
 * thread back. `work` must not wait: the whole thread is away.
 */
export function inNamespace<T>(target: number | 'new', work: () => T): T {
  const home = openNamespace();
  try {
    if (target === 'new') check(unshare(CLONE_NEWNET), 'unshare');
    else check(setns(target, CLONE_NEWNET), 'setns');
    try {
      return work();
    } finally {
      check(setns(home, CLONE_NEWNET), 'setns');
    }
  } finally {
    closeDescriptor(home);
  }
}
