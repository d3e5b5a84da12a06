import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AGENTS_HEADER, CONTEXTS_HEADER, SECRETS_HEADER } from '../wire/build-input.ts';
import type { BuildRequest } from './backend/build.ts';
import { startTestHost } from './test-host.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const json = (value: unknown) => base64(JSON.stringify(value));

test('what a client sends beside a context arrives, and only that', async () => {
  let seen: BuildRequest | undefined;
  await using host = await startTestHost({
    build: {
      build: async (request) => {
        seen = request;
        return { image: 'sha256:x' };
      },
    },
  });
  const send = (headers: Record<string, string>) => host.call('POST', '/build', { headers, body: Buffer.alloc(0) });
  await send({ [SECRETS_HEADER]: `a=${base64('one')},b%2Cc=${base64('two')}` });
  const { signal } = new AbortController();
  const secrets = ['a', 'b,c', 'd', 'toString'].map((id) => seen?.lent.secret(id, { signal }));
  assert.deepEqual(await Promise.all(secrets), [Buffer.from('one'), Buffer.from('two'), undefined, undefined]);
  assert.equal(await seen?.lent.agent('constructor', { signal }), undefined);
  const offer = { path: '/x', device: '1', inode: '2' };
  const named = { a: { kind: 'folder', offer }, b: { kind: 'image', reference: 'x' }, c: { kind: 'remote', url: 'u' } };
  await send({ [CONTEXTS_HEADER]: json({ named, packed: false }) });
  assert.deepEqual(Object.fromEntries(seen?.named ?? []), named);
  assert.deepEqual([seen?.context.kind, seen?.packed], ['tar', undefined]);
  await send({ [CONTEXTS_HEADER]: json({ named: { a: { kind: 'packed', folder: '1' } }, packed: true }) });
  assert.deepEqual(seen?.context, { kind: 'packed', folder: '0' });
  assert.ok(seen?.packed);
});

test('headers that are wrong are refused, without telling what was in them', async () => {
  await using host = await startTestHost({ build: { build: async () => ({ image: 'sha256:x' }) } });
  for (const [header, value, message] of [
    [SECRETS_HEADER, 'hunter2', /^invalid header strake-secrets: expected id=<base64>, joined by commas$/],
    [SECRETS_HEADER, `=${base64('hunter2')}`, /^invalid header strake-secrets/],
    [SECRETS_HEADER, `a=${Buffer.alloc((500 << 10) + 1).toString('base64')}`, /^secret a too big\. max size 512000$/],
    [CONTEXTS_HEADER, 'x', /^invalid header strake-contexts: expected base64 of JSON$/],
    [CONTEXTS_HEADER, json({ named: { a: { kind: 'folder' } } }), /expected a folder, packed, image or remote context/],
    [CONTEXTS_HEADER, json({ named: { a: { kind: 'packed', folder: '../1' } } }), /expected a folder, packed/],
    [AGENTS_HEADER, json({ default: 5 }), /expected a string/],
    // The test's host does not know who is at the other end.
    [AGENTS_HEADER, json({ default: '/x' }), /the client is not on the machine of the host/],
  ] as const) {
    const answer = await host.call('POST', '/build', { headers: { [header]: value }, body: Buffer.alloc(0) });
    assert.ok(answer.status >= 400, header);
    const { message: told } = answer.json as { message: string }; // errors have this form
    assert.match(told, message);
    assert.doesNotMatch(told, /hunter2/);
  }
});
