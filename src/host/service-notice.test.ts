import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bind, check } from './libc.ts';
import { serviceNotice } from './service-notice.ts';

const socket = bind<(family: number, type: number, protocol: number) => number>(
  'int socket(int family, int type, int protocol)',
);
const bindSocket = bind<(fd: number, address: Buffer, length: number) => number>(
  'int bind(int fd, const void *address, uint32_t length)',
);
const receive = bind<(fd: number, into: Buffer, length: number, flags: number) => number>(
  'int64_t recv(int fd, void *into, size_t length, int flags)',
);
const [AF_UNIX, SOCK_DGRAM, MSG_DONTWAIT] = [1, 2, 0x40];

/** A service manager's socket; `next` is the message that waits there. */
function listenAt(name: string) {
  const descriptor = check(socket(AF_UNIX, SOCK_DGRAM, 0), 'socket');
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(name)]);
  check(bindSocket(descriptor, address, address.length), 'bind');
  return {
    next() {
      const into = Buffer.alloc(100);
      return into.toString('utf8', 0, check(receive(descriptor, into, into.length, MSG_DONTWAIT), 'recv'));
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  };
}

test('the service manager hears of each state, at a path and at an abstract address', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-notice-'));
  try {
    const path = join(folder, 'notify');
    for (const [name, address] of [
      [path, path],
      [`\0${path}`, `@${path}`],
    ] as const) {
      using manager = listenAt(name);
      const tell = serviceNotice({ NOTIFY_SOCKET: address });
      tell('READY=1');
      tell('STOPPING=1');
      assert.deepEqual([manager.next(), manager.next()], ['READY=1', 'STOPPING=1']);
      assert.throws(() => manager.next(), { code: 'EAGAIN' });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('runtimes do not find the address, and without one nothing happens', () => {
  const env = { NOTIFY_SOCKET: '/nowhere/notify', PATH: '/bin' };
  const tell = serviceNotice(env);
  assert.deepEqual(env, { PATH: '/bin' });
  assert.throws(() => tell('READY=1'), { code: 'ENOENT', path: '/nowhere/notify' });
  serviceNotice(env)('READY=1');
});
