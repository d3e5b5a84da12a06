import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openOwnedSocket } from './owned-socket.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-socket-'));
const user = process.getuid?.() ?? 0;
const path = join(folder, 's');
const server = createServer((connection) => connection.end('here'));
server.listen(path);
await once(server, 'listening');
after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

test('the place of a socket stays the socket that was looked at', async () => {
  using socket = openOwnedSocket(path, user);
  renameSync(path, `${path}-moved`);
  writeFileSync(path, '');
  const connection = connect(socket.path);
  const [answer] = await once(connection, 'data');
  assert.equal(String(answer), 'here');
  renameSync(`${path}-moved`, path);
});

test('a socket of another user is refused, unless root asks', () => {
  assert.throws(() => openOwnedSocket(path, user + 1), {
    code: 'SOCKET_FOREIGN',
    message: `the socket ${path} does not belong to user ${user + 1}, who asks for it`,
  });
  openOwnedSocket(path, 0)[Symbol.dispose]();
});

test('links, other files and nothing are refused', () => {
  symlinkSync(path, join(folder, 'link'));
  writeFileSync(join(folder, 'file'), '');
  assert.throws(() => openOwnedSocket(join(folder, 'link'), user), { code: 'NOT_A_SOCKET' });
  assert.throws(() => openOwnedSocket(join(folder, 'file'), user), { code: 'NOT_A_SOCKET' });
  assert.throws(() => openOwnedSocket(join(folder, 'none'), user), { code: 'SOCKET_MISSING' });
});
