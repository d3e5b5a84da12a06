import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { Failure } from '../../../lib/error.ts';
import { bytes, message, string } from '../../../lib/protobuf.ts';
import { type GrpcHandler, unary } from '../grpc/server.ts';
import { BytesMessage } from '../shapes/fsutil.ts';
import { credentialsOf } from './credentials.ts';
import { lentBy } from './lent.ts';
import { testSession } from './test-session.ts';
import { isUpload, pullUpload } from './upload.ts';

const signal = new AbortController().signal;
const id = message({ id: string(1) });
const nothing = message({});

const secrets: GrpcHandler = unary(id, message({ data: bytes(1) }), ({ id: asked }) => {
  if (asked === 'large') return { data: Buffer.alloc((500 << 10) + 1) };
  if (asked !== 'token') throw new Failure('not-found', 'X', `secret ${asked} not found`);
  return { data: Buffer.from('s3cret') };
});

test('a secret is asked for by its ID', async () => {
  await using client = await testSession({ 'moby.buildkit.secrets.v1.Secrets/GetSecret': secrets });
  const lent = lentBy(client.session);
  assert.equal((await lent.secret('token', { signal }))?.toString(), 's3cret');
  assert.equal(await lent.secret('other', { signal }), undefined);
  await assert.rejects(lent.secret('large', { signal }), /secret large too big\. max size 512000/);
  await using none = await testSession({});
  assert.equal(await lentBy(none.session).secret('token', { signal }), undefined);
  assert.equal(await lentBy(none.session).agent('default', { signal }), undefined);
});

test('an agent is a stream to the one of that ID', async () => {
  await using client = await testSession({
    'moby.sshforward.v1.SSH/CheckAgent': unary(id, nothing, ({ id: asked }) => {
      if (asked !== 'default') throw new Error(`unset ssh forward key ${asked}`);
      return {};
    }),
    'moby.sshforward.v1.SSH/ForwardAgent': async (call) => {
      await call.send(BytesMessage.encode({ data: Buffer.from(`${call.metadata.get('buildkit.ssh.id')}: `) }));
      for await (const one of call.received) await call.send(one);
    },
  });
  const lent = lentBy(client.session);
  assert.equal(await lent.agent('other', { signal }), undefined);
  const agent = await lent.agent('default', { signal });
  assert.ok(agent?.kind === 'stream');
  const stream = agent.connect();
  const large = Buffer.alloc(3 << 20, 'y');
  stream.write('hello ');
  stream.end(large);
  assert.equal((await buffer(stream)).toString(), `default: hello ${large}`);
});

test('credentials are asked for by host, once', async () => {
  const asked: string[] = [];
  await using client = await testSession({
    'moby.filesync.v1.Auth/Credentials': unary(id, message({ user: string(1), secret: string(2) }), ({ id: host }) => {
      asked.push(host);
      if (host === 'plain:5000') return { user: 'me', secret: 'pw' };
      return host === 'registry-1.docker.io' ? { secret: 'refresh' } : {};
    }),
  });
  const auth = credentialsOf(client.session);
  assert.deepEqual(await auth('plain:5000', { signal }), { username: 'me', password: 'pw' });
  assert.deepEqual(await auth('plain:5000', { signal }), { username: 'me', password: 'pw' });
  assert.deepEqual(await auth('docker.io', { signal }), { identitytoken: 'refresh' });
  assert.equal(await auth('other', { signal }), undefined);
  assert.deepEqual(asked, ['plain:5000', 'registry-1.docker.io', 'other']);
});

test('an upload is read from the client that has it', async () => {
  await using client = await testSession({
    'moby.upload.v1.Upload/Pull': async (call) => {
      for (const part of [call.metadata.get('urlpath')?.[0] ?? '', 'rest'])
        await call.send(BytesMessage.encode({ data: Buffer.from(part) }));
    },
  });
  const url = 'http://buildkit-session/abc';
  assert.deepEqual([isUpload(url), isUpload('http://example.com/x')], [true, false]);
  assert.equal((await buffer(pullUpload(client.session, url, { signal }))).toString(), '/abcrest');
  await using none = await testSession({});
  assert.throws(() => pullUpload(none.session, url, { signal }), /does not give/);
});
