import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { allOf, startTestHost } from '../../test-host.ts';
import { serveGrpc } from '../grpc/server.ts';
import { connectedPair } from '../grpc/test-connection.ts';
import { Sessions } from './sessions.ts';

const never = new AbortController().signal;

function headers(id: string, ...methods: string[]): Record<string, string[]> {
  return {
    'x-docker-expose-session-uuid': [id],
    'x-docker-expose-session-name': ['folder'],
    'x-docker-expose-session-sharedkey': ['key'],
    'x-docker-expose-session-grpc-method': methods,
  };
}

test('sessions: one that is just being opened is waited for, called, and gone when its connection closes', async () => {
  await using pair = await connectedPair();
  const sessions = new Sessions();
  const finding = sessions.find('abc', { signal: never });
  const read = sessions.read(headers('abc', '/moby.filesync.v1.FileSync/DiffCopy', '/a.B/Echo'));
  const accepted = sessions.accept(pair.left, read, { signal: never });
  const served = serveGrpc(
    pair.right,
    new Map([
      [
        'a.B/Echo',
        async (call) => {
          for await (const one of call.received) await call.send(one);
        },
      ],
    ]),
    { signal: never },
  );
  const session = await finding;
  assert.deepEqual([session.id, session.name, session.sharedKey], ['abc', 'folder', 'key']);
  assert.ok(session.has('moby.filesync.v1.FileSync/diffcopy'));
  assert.ok(!session.has('moby.filesync.v1.FileSend/DiffCopy'));
  assert.equal((await session.grpc.call('a.B/Echo', Buffer.from('x'), { signal: never })).toString(), 'x');
  assert.throws(() => sessions.read(headers('abc')), { message: 'session abc already exists' });
  await using second = await connectedPair();
  await assert.rejects(sessions.accept(second.left, read, { signal: never }), { kind: 'conflict' });
  assert.equal(await sessions.find('abc', { signal: never }), session);
  pair.right.destroy();
  await accepted;
  await served;
  assert.ok(session.closed.aborted);
  assert.doesNotThrow(() => sessions.read(headers('abc')));
});

test('sessions: who waits for one stops waiting when told to', async () => {
  const control = new AbortController();
  const finding = new Sessions().find('abc', { signal: control.signal });
  control.abort(new Error('enough'));
  await assert.rejects(finding, /enough/);
});

for (const id of ['', 'a b', '../x', 'x'.repeat(200)]) {
  test(`sessions: the ID "${id.slice(0, 10)}" is refused`, () => {
    assert.throws(() => new Sessions().read(headers(id)), { kind: 'invalid' });
  });
}

test('POST /session: the connection becomes one of HTTP/2, on which the host is the client', async () => {
  await using host = await startTestHost({ build: {} });
  const open = (upgrade: string, id: string) =>
    host.raw(
      `POST /v1.40/session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\nX-Docker-Expose-Session-Uuid: ${id}\r\nX-Docker-Expose-Session-Grpc-Method: /a.B/C\r\nX-Docker-Expose-Session-Grpc-Method: /a.B/D\r\n\r\n`,
    );
  const refused = open('tcp', 'one');
  assert.match(await allOf(refused), /^HTTP\/1\.1 400 [\s\S]*this needs/);

  const session = open('h2c', 'one');
  let spoken = '';
  while (!spoken.includes('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')) {
    const [bytes] = await once(session, 'data');
    spoken += bytes.toString('latin1');
  }
  assert.match(spoken, /^HTTP\/1\.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n/);
  const again = await host.call('POST', '/session', { headers: { 'x-docker-expose-session-uuid': 'one' } });
  assert.equal(again.status, 409);
  session.destroy();
  while (host.server.idleMilliseconds() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
});
