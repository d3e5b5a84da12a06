/** A mirror in front of another registry: what it gets, what it keeps, and what it does when the other one fails. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { check } from '../registry/check.ts';
import { Mirror } from '../registry/mirror.ts';
import { openTestRegistry, type TestRegistry } from '../registry/test-registry.ts';
import { openUpstream } from './registry-upstream.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const { signal } = new AbortController();
const digestOf = (content: string) => `sha256:${createHash('sha256').update(content).digest('hex')}`;
const config = '{"os":"linux"}';
const layer = 'layer '.repeat(700_000);
const descriptor = (content: string) => ({ mediaType: 'a/b', digest: digestOf(content), size: content.length });
const imageOf = (...layers: string[]) =>
  JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: descriptor(config), layers: layers.map(descriptor) });

async function pushImage({ send }: TestRegistry, tag: string, ...layers: string[]): Promise<string> {
  for (const body of [config, ...layers])
    assert.equal((await send('POST', `/v2/team/app/blobs/uploads/?digest=${digestOf(body)}`, { body })).status, 201);
  const body = imageOf(...layers);
  const put = await send('PUT', `/v2/team/app/manifests/${tag}`, { headers: { 'content-type': MANIFEST }, body });
  assert.equal(put.status, 201);
  return digestOf(body);
}

async function openMirror(address: string): Promise<TestRegistry> {
  const upstream = openUpstream({ registry: address, insecure: true, auth: undefined });
  return await openTestRegistry({ mirror: (registry) => new Mirror(registry, upstream, signal) });
}

const filesOf = ({ folder }: TestRegistry) =>
  readdirSync(join(folder, 'blobs'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;

test('what was got once is there without the upstream, and nothing can be pushed', async () => {
  await using upstream = await openTestRegistry();
  const digest = await pushImage(upstream, '1', layer);
  await using mirror = await openMirror(upstream.address);
  const manifest = await mirror.send('GET', '/v2/team/app/manifests/1');
  assert.deepEqual([manifest.status, manifest.headers['docker-content-digest']], [200, digest]);
  const head = await mirror.send('HEAD', `/v2/team/app/blobs/${digestOf(layer)}`);
  assert.deepEqual([head.status, head.headers['content-length']], [200, String(layer.length)]);
  assert.equal(filesOf(mirror), 0);
  const blob = `/v2/team/app/blobs/${digestOf(layer)}`;
  const [first, second, part] = await Promise.all([
    mirror.send('GET', blob),
    mirror.send('GET', blob),
    mirror.send('GET', blob, { headers: { range: 'bytes=4000000-' } }),
  ]);
  assert.ok(first.body.toString() === layer && second.body.toString() === layer);
  assert.ok(part.status === 206 && part.body.toString() === layer.slice(4_000_000));
  await upstream[Symbol.asyncDispose]();
  assert.equal((await mirror.send('GET', blob)).body.length, layer.length);
  assert.equal(filesOf(mirror), 1);
  assert.equal((await mirror.send('GET', '/v2/team/app/manifests/1')).status, 200);
  assert.equal((await mirror.send('GET', `/v2/team/app/manifests/${digest}`)).status, 200);
  const unreached = await mirror.send('GET', '/v2/team/app/manifests/2');
  assert.equal(unreached.status, 502, unreached.body.toString());
  assert.equal((await mirror.send('GET', `/v2/team/app/blobs/${digestOf(config)}`)).status, 502);
  const push = await mirror.send('POST', '/v2/team/app/blobs/uploads/');
  assert.match(push.body.toString(), /this is a mirror of 127\.0\.0\.1:\d+: push there/);
  assert.equal(push.status, 405);
  for await (const line of check(mirror.registry, { repair: false, signal }))
    assert.deepEqual(line, { blobs: 1, manifests: 1, problems: 0, repaired: 0 });
});

test('what the upstream has not is not there', async () => {
  await using upstream = await openTestRegistry();
  await pushImage(upstream, '1');
  await using mirror = await openMirror(upstream.address);
  assert.equal((await mirror.send('GET', '/v2/team/app/manifests/none')).status, 404);
  assert.equal((await mirror.send('GET', `/v2/team/app/manifests/${digestOf('none')}`)).status, 404);
  assert.equal((await mirror.send('GET', `/v2/team/app/blobs/${digestOf('none')}`)).status, 404);
  assert.equal((await mirror.send('GET', '/v2/no/where/manifests/1')).status, 404);
});

test('an upstream that breaks off or lies: the client sees it, nothing is kept', async () => {
  const manifest = imageOf(layer);
  const answers: Record<string, string> = { cut: layer.slice(0, 100_000), other: layer.replace('l', 'L') };
  for (const [kind, sent] of Object.entries(answers)) {
    const listener: RequestListener = ({ url = '' }, response) => {
      const body = url.includes('/manifests/') ? manifest : url.includes('/blobs/') ? sent : '{}';
      const length = url.includes('/blobs/') ? layer.length : body.length;
      response.writeHead(url.includes('range') ? 416 : 200, { 'content-type': MANIFEST, 'content-length': length });
      response.write(body, () => (body.length === length ? response.end() : response.destroy()));
    };
    const server = createServer(listener).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    assert.ok(address && typeof address === 'object');
    await using mirror = await openMirror(`127.0.0.1:${address.port}`);
    server.unref();
    assert.equal((await mirror.send('GET', '/v2/team/app/manifests/1')).status, 200);
    const got = await mirror.send('GET', `/v2/team/app/blobs/${digestOf(layer)}`).catch(() => undefined);
    assert.notEqual(got?.body.toString(), layer, kind);
    if (kind === 'cut') assert.ok(got === undefined || got.status === 502, 'a short answer looks whole');
    assert.equal(filesOf(mirror), 0, kind);
    server.closeAllConnections();
    server.close();
  }
});
