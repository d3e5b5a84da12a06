/** What is collected and what is not, and that no order of push, collection and deletion leaves an image without its blobs. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeScratchFolder } from '../lib/scratch.ts';
import type { RegistryCheckLine } from '../wire/registry-admin.ts';
import { blobKey } from './blob-storage.ts';
import { check } from './check.ts';
import { collect } from './collect.ts';
import { parseContentDigest } from './content-digest.ts';
import { openSqliteMetadata } from './metadata/open-sqlite.ts';
import type { Registry } from './registry.ts';
import { openTestRegistry, type TestRegistry } from './test-registry.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const { signal } = new AbortController();
const LATER = Date.now() + 365 * 24 * 3_600_000;

const digestOf = (content: string) => `sha256:${createHash('sha256').update(content).digest('hex')}`;

const manifestOf = (...blobs: string[]) => {
  const [config = '', ...layers] = blobs.map((blob) => ({
    mediaType: 'application/x.blob',
    digest: digestOf(blob),
    size: blob.length,
  }));
  return JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers });
};

async function pushBlob({ send }: TestRegistry, repository: string, body: string): Promise<void> {
  const { status } = await send('POST', `/v2/${repository}/blobs/uploads/?digest=${digestOf(body)}`, { body });
  assert.equal(status, 201);
}

const putManifest = async ({ send }: TestRegistry, repository: string, tag: string, body: string) =>
  (await send('PUT', `/v2/${repository}/manifests/${tag}`, { headers: { 'content-type': MANIFEST }, body })).status;

async function pushImage(registry: TestRegistry, repository: string, tag: string, ...blobs: string[]): Promise<string> {
  for (const blob of blobs) await pushBlob(registry, repository, blob);
  const manifest = manifestOf(...blobs);
  assert.equal(await putManifest(registry, repository, tag, manifest), 201);
  return digestOf(manifest);
}

const statusOf = async ({ send }: TestRegistry, method: string, path: string) => (await send(method, path)).status;
const hasBlob = async (registry: TestRegistry, repository: string, blob: string) =>
  (await statusOf(registry, 'HEAD', `/v2/${repository}/blobs/${digestOf(blob)}`)) === 200;

const filesOf = (folder: string) =>
  readdirSync(join(folder, 'blobs'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;

async function problemsOf(registry: Registry, repair = false): Promise<RegistryCheckLine[]> {
  const lines: RegistryCheckLine[] = [];
  for await (const line of check(registry, { repair, signal })) lines.push(line);
  return lines;
}

test('upload, collect, put: the blobs are there, or the put is refused', async () => {
  await using registry = await openTestRegistry();
  await pushBlob(registry, 'a', 'config');
  await pushBlob(registry, 'a', 'layer');
  await collect(registry.registry, { signal });
  assert.equal(await putManifest(registry, 'a', 'kept', manifestOf('config', 'layer')), 201);
  await pushBlob(registry, 'a', 'late');
  await collect(registry.registry, { leaseTime: LATER, signal });
  assert.equal(await putManifest(registry, 'a', 'lost', manifestOf('config', 'late')), 404);
  assert.deepEqual([await hasBlob(registry, 'a', 'layer'), await hasBlob(registry, 'a', 'late')], [true, false]);
  assert.equal(filesOf(registry.folder), 2);
});

test('blobs go with the last image that has them, in every repository by itself', async () => {
  await using registry = await openTestRegistry();
  const first = await pushImage(registry, 'a', '1', 'config', 'shared', 'own');
  await pushImage(registry, 'a', '2', 'config', 'shared');
  await pushImage(registry, 'b', '1', 'config', 'own');
  assert.equal(await statusOf(registry, 'DELETE', `/v2/a/manifests/${first}`), 202);
  const report = await collect(registry.registry, { signal });
  assert.deepEqual([report.links, report.blobs], [1, 0]);
  assert.deepEqual([await hasBlob(registry, 'a', 'own'), await hasBlob(registry, 'b', 'own')], [false, true]);
  assert.equal(await hasBlob(registry, 'a', 'shared'), true);
  assert.equal(await statusOf(registry, 'DELETE', `/v2/b/manifests/${digestOf(manifestOf('config', 'own'))}`), 202);
  const second = await collect(registry.registry, { signal });
  assert.deepEqual([second.blobs, second.bytes, second.repositories], [1, 3, 1]);
  assert.deepEqual(JSON.parse((await registry.send('GET', '/v2/_catalog')).body.toString()), { repositories: ['a'] });
  assert.deepEqual(await problemsOf(registry.registry), [{ blobs: 2, manifests: 1, problems: 0, repaired: 0 }]);
});

test('the time after a deletion protects a push that saw the blobs before it', async () => {
  await using registry = await openTestRegistry({ policy: { grace: 60_000 } });
  const digest = await pushImage(registry, 'a', '1', 'config', 'layer');
  assert.equal(await hasBlob(registry, 'a', 'layer'), true);
  assert.equal(await statusOf(registry, 'DELETE', `/v2/a/manifests/${digest}`), 202);
  await collect(registry.registry, { signal });
  assert.equal(await putManifest(registry, 'a', '2', manifestOf('config', 'layer')), 201);
});

test('who is told that a blob is here has time to put a manifest that names it', async () => {
  await using registry = await openTestRegistry({ policy: { lease: 60_000, grace: 10 } });
  const digest = await pushImage(registry, 'a', '1', 'config', 'seen', 'unseen');
  assert.equal(await statusOf(registry, 'DELETE', `/v2/a/manifests/${digest}`), 202);
  assert.equal(await hasBlob(registry, 'a', 'seen'), true);
  await collect(registry.registry, { leaseTime: Date.now() + 1_000, signal });
  assert.deepEqual([await hasBlob(registry, 'a', 'seen'), await hasBlob(registry, 'a', 'unseen')], [true, false]);
});

test('a mount holds a blob whose first home loses it', async () => {
  await using registry = await openTestRegistry();
  const digest = await pushImage(registry, 'a', '1', 'config');
  assert.equal(await statusOf(registry, 'POST', `/v2/b/blobs/uploads/?mount=${digestOf('config')}&from=a`), 201);
  assert.equal(await statusOf(registry, 'DELETE', `/v2/a/manifests/${digest}`), 202);
  await collect(registry.registry, { signal });
  assert.deepEqual([await hasBlob(registry, 'a', 'config'), await hasBlob(registry, 'b', 'config')], [false, true]);
  assert.equal(await putManifest(registry, 'b', '1', manifestOf('config')), 201);
});

test('uploads that rest too long go, one that is written to stays', async () => {
  await using registry = await openTestRegistry();
  const begin = async () => (await registry.send('POST', '/v2/a/blobs/uploads/')).headers['location'] ?? '';
  const [resting, busy] = [await begin(), await begin()];
  await registry.send('PATCH', resting, { body: 'some', chunked: true });
  const id = busy.split('/').at(-1) ?? '';
  const now = Date.now();
  const claim = { holder: 'somebody', now, claimEnd: now + 60_000, leaseEnd: now };
  const [repository] = ['a' as Parameters<typeof registry.registry.metadata.claimUpload>[0]]; // a well-formed name
  assert.notEqual(await registry.registry.metadata.claimUpload(repository, id, claim), 'unknown');
  assert.equal((await collect(registry.registry, { leaseTime: LATER, signal })).uploads, 1);
  assert.equal(await statusOf(registry, 'GET', resting), 404);
  assert.equal(await statusOf(registry, 'GET', busy), 204);
  const other = registry.send('PATCH', busy, { body: 'x' });
  for (let renewal = 1; renewal < 50; renewal++) {
    await registry.registry.metadata.claimUpload(repository, id, { ...claim, claimEnd: claim.claimEnd + renewal });
    const answer = await Promise.race([other, sleep(100)]);
    if (answer) break;
  }
  assert.equal((await other).status, 409, 'its writer lives');
  assert.equal(filesOf(registry.folder), 0);
});

test('the same blob pushed by many at once is stored once', async () => {
  await using registry = await openTestRegistry();
  await Promise.all(Array.from({ length: 8 }, () => pushBlob(registry, 'a', 'x'.repeat(3_000_000))));
  assert.equal(filesOf(registry.folder), 1);
  assert.deepEqual(await problemsOf(registry.registry), [{ blobs: 1, manifests: 0, problems: 0, repaired: 0 }]);
});

test('what was pushed is there after a restart, and an upload goes on', async () => {
  await using scratch = makeScratchFolder(tmpdir(), 'strake-registry');
  const folder = scratch.path;
  await using first = await openTestRegistry({ folder });
  await pushImage(first, 'a', '1', 'config', 'layer');
  const upload = (await first.send('POST', '/v2/a/blobs/uploads/')).headers['location'] ?? '';
  await first.send('PATCH', upload, { body: 'first ', chunked: true });
  await first[Symbol.asyncDispose]();
  await using second = await openTestRegistry({ folder });
  assert.equal(await statusOf(second, 'GET', '/v2/a/manifests/1'), 200);
  const { headers } = await second.send('GET', upload);
  assert.equal(headers['range'], '0-5');
  await second.send('PATCH', upload, { body: 'second', headers: { 'content-range': '6-11' } });
  assert.equal((await second.send('PUT', `${upload}?digest=${digestOf('first second')}`)).status, 201);
});

test('a data folder is of one registry', async () => {
  await using scratch = makeScratchFolder(tmpdir(), 'strake-registry');
  await using metadata = await openSqliteMetadata(scratch.path);
  await assert.rejects(openSqliteMetadata(scratch.path), /is in use by another registry/);
  assert.equal(await metadata.findContent(parseContentDigest(digestOf(''))), undefined);
});

test('check finds what is damaged, repair makes room for the next push of it', async () => {
  await using registry = await openTestRegistry();
  await pushImage(registry, 'a', '1', 'config', 'changed', 'truncated', 'whole');
  for (const [content, change] of [
    ['changed', (path: string) => writeFileSync(path, 'CHANGED')],
    ['truncated', (path: string) => truncateSync(path, 4)],
  ] as const) {
    const found = await registry.registry.metadata.listContent('', 100);
    const key = found.find(({ digest }) => digest === digestOf(content))?.key ?? blobKey('');
    change(join(registry.folder, 'blobs', key.slice(0, 2), key));
  }
  writeFileSync(join(registry.folder, 'blobs/ab/ab-of-nobody'), 'stray');
  assert.deepEqual((await problemsOf(registry.registry)).length, 3);
  assert.equal(await statusOf(registry, 'GET', `/v2/a/blobs/${digestOf('truncated')}`), 500);
  const sum = (await problemsOf(registry.registry, true)).at(-1);
  assert.deepEqual(sum, { blobs: 4, manifests: 1, problems: 5, repaired: 3 });
  assert.equal(filesOf(registry.folder), 2);
  assert.deepEqual([await hasBlob(registry, 'a', 'changed'), await hasBlob(registry, 'a', 'whole')], [false, true]);
  await pushImage(registry, 'a', '1', 'config', 'changed', 'truncated', 'whole');
  assert.deepEqual(await problemsOf(registry.registry), [{ blobs: 4, manifests: 1, problems: 0, repaired: 0 }]);
  assert.ok(statSync(registry.folder).isDirectory());
});

test('a push brings a damaged blob back without a check', async () => {
  await using registry = await openTestRegistry();
  await pushBlob(registry, 'a', 'content');
  const [content] = await registry.registry.metadata.listContent('', 1);
  assert.ok(content);
  truncateSync(join(registry.folder, 'blobs', content.key.slice(0, 2), content.key), 3);
  await pushBlob(registry, 'a', 'content');
  assert.equal((await registry.send('GET', `/v2/a/blobs/${digestOf('content')}`)).body.toString(), 'content');
  assert.equal(filesOf(registry.folder), 1);
});

test('a client that leaves in the middle of a blob: what came counts, what is missing can follow', async () => {
  await using registry = await openTestRegistry();
  const location = (await registry.send('POST', '/v2/a/blobs/uploads/')).headers['location'] ?? '';
  const body = 'abc'.repeat(1_000_000);
  const { connect } = await import('node:net');
  const [host = '', port = ''] = registry.address.split(':');
  await new Promise<void>((resolve) => {
    const socket = connect(Number(port), host, () => {
      socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.write(body.slice(0, 1_500_000), () => socket.destroy());
    });
    socket.on('close', () => resolve());
  });
  let size = 0;
  for (const deadline = Date.now() + 10_000; ; ) {
    const { headers, status } = await registry.send('GET', location);
    assert.equal(status, 204);
    size = Number(headers['range']?.split('-')[1]) + 1;
    if (size > 1) break;
    assert.ok(Date.now() < deadline, 'nothing arrived');
  }
  const rest = await registry.send('PATCH', location, {
    body: body.slice(size),
    headers: { 'content-range': `${size}-${body.length - 1}` },
  });
  assert.equal(rest.status, 202);
  assert.equal((await registry.send('PUT', `${location}?digest=${digestOf(body)}`)).status, 201);
});
