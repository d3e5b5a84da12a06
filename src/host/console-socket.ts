import { closeSync, unlinkSync } from 'node:fs';
import { cancelled, Failure } from '../lib/error.ts';
import { addressOf, bind, check, watchDescriptor } from './libc.ts';

const socket = bind<(family: number, type: number, protocol: number) => number>(
  'int socket(int family, int type, int protocol)',
);
const bindSocket = bind<(fd: number, address: Buffer, length: number) => number>(
  'int bind(int fd, const void *address, uint32_t length)',
);
const listen = bind<(fd: number, backlog: number) => number>('int listen(int fd, int backlog)');
const accept4 = bind<(fd: number, address: null, length: null, flags: number) => number>(
  'int accept4(int fd, void *address, void *length, int flags)',
);
const recvmsg = bind<(fd: number, message: Buffer, flags: number) => number>(
  'int64_t recvmsg(int fd, void *message, int flags)',
);

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const PATH_LIMIT = 107;

/** A socket on which an OCI runtime hands over the terminal it made (`--console-socket`). */
export interface ConsoleSocket extends Disposable {
  readonly path: string;
  /** Descriptor of the terminal, the receiver's own. After the runtime has ended without sending one, dispose instead of waiting. */
  readonly terminal: Promise<number>;
}

/** Listens at `path`, which must not exist. Disposing ends the wait and removes the socket; a terminal received stays. */
export function listenForTerminal(path: string, options: { readonly signal: AbortSignal }): ConsoleSocket {
  const bytes = Buffer.from(path);
  if (bytes.length > PATH_LIMIT)
    throw new Failure('invalid', 'SOCKET_PATH_LONG', `socket path "${path}" is longer than ${PATH_LIMIT} bytes`);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  promise.catch(() => {}); // who never asks for the terminal does not care that none came
  const open: Disposable[] = [];
  const end = () => {
    for (const resource of open.splice(0).reverse()) resource[Symbol.dispose]();
  };
  const watch = (fd: number, ready: () => void) => {
    const watcher = watchDescriptor(fd);
    watcher.start({ readable: true }, () => attempt(ready));
    open.push({ [Symbol.dispose]: () => closeSync(fd) }, watcher);
  };
  const attempt = (step: () => void) => {
    try {
      step();
    } catch (error) {
      end();
      reject(error);
    }
  };

  const listener = check(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), 'socket');
  open.push({ [Symbol.dispose]: () => closeSync(listener) });
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), bytes, Buffer.alloc(1)]);
  try {
    check(bindSocket(listener, address, address.length), 'bind', path);
    open.push({ [Symbol.dispose]: () => unlinkSync(path) });
    check(listen(listener, 1), 'listen', path);
  } catch (error) {
    end();
    throw error;
  }
  const listening = watchDescriptor(listener);
  open.push(listening);
  listening.start({ readable: true }, () =>
    attempt(() => {
      listening.stop();
      const connection = check(accept4(listener, null, null, SOCK_CLOEXEC), 'accept4');
      watch(connection, () => {
        const terminal = receiveDescriptor(connection);
        end();
        resolve(terminal);
      });
    }),
  );
  const onAbort = () =>
    attempt(() => {
      throw cancelled(options.signal);
    });
  options.signal.addEventListener('abort', onAbort, { once: true });
  open.push({ [Symbol.dispose]: () => options.signal.removeEventListener('abort', onAbort) });
  return {
    path,
    terminal: promise,
    [Symbol.dispose]: () => {
      end();
      reject(new Failure('internal', 'NO_TERMINAL', 'the runtime sent no terminal'));
    },
  };
}

/** Receives one descriptor. Layouts of msghdr and cmsghdr are those of 64-bit Linux. */
function receiveDescriptor(connection: number): number {
  const data = Buffer.alloc(4096);
  const control = Buffer.alloc(64);
  const part = Buffer.alloc(16);
  part.writeBigUInt64LE(addressOf(data), 0);
  part.writeBigUInt64LE(BigInt(data.length), 8);
  const message = Buffer.alloc(56);
  message.writeBigUInt64LE(addressOf(part), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(addressOf(control), 32);
  message.writeBigUInt64LE(BigInt(control.length), 40);
  check(recvmsg(connection, message, MSG_CMSG_CLOEXEC), 'recvmsg');
  const isDescriptor =
    message.readBigUInt64LE(40) >= 20n &&
    control.readInt32LE(8) === SOL_SOCKET &&
    control.readInt32LE(12) === SCM_RIGHTS;
  if (!isDescriptor) throw new Failure('internal', 'NO_TERMINAL', 'the runtime sent no terminal');
  return control.readInt32LE(16);
}
