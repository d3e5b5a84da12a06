import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { silentLog } from '../lib/log.ts';
import { openTestRegistry } from './test-registry.ts';
import { openWebhook } from './webhooks.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const digestOf = (content: string) => `sha256:${createHash('sha256').update(content).digest('hex')}`;

test('pushes and deletions are told in order, signed, and again when they were not taken', async () => {
  const secret = Buffer.from('between us');
  const bodies: string[] = [];
  const complete = Promise.withResolvers<void>();
  let refusals = 2;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
    const isRight = request.headers['x-strake-signature'] === signature;
    const isTaken = isRight && refusals-- <= 0;
    if (isTaken) bodies.push(body);
    response.writeHead(isTaken ? 200 : 503).end();
    if (bodies.length === 3) complete.resolve();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  assert.ok(address && typeof address === 'object');
  const url = `http://127.0.0.1:${address.port}/events`;
  await using webhook = openWebhook({ url, secret, log: silentLog, firstPause: 1 });
  await using registry = await openTestRegistry({ tell: webhook.tell });

  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: 'a/b', digest: digestOf('config'), size: 6 },
    layers: [],
  });
  await registry.send('POST', `/v2/a/blobs/uploads/?digest=${digestOf('config')}`, { body: 'config' });
  await registry.send('PUT', '/v2/a/manifests/1', { headers: { 'content-type': MANIFEST }, body });
  await registry.send('PUT', '/v2/a/manifests/bad', { headers: { 'content-type': MANIFEST }, body: '{}' });
  await registry.send('DELETE', '/v2/a/manifests/1');
  await registry.send('DELETE', `/v2/a/manifests/${digestOf(body)}`);
  await complete.promise;
  server.closeAllConnections();
  server.close();
  const events = bodies.map((text) => JSON.parse(text).events[0]);
  assert.deepEqual(
    events.map(({ action, target }) => [action, target.repository, target.tag, target.digest]),
    [
      ['push', 'a', '1', digestOf(body)],
      ['delete', 'a', '1', undefined],
      ['delete', 'a', undefined, digestOf(body)],
    ],
  );
  assert.equal(events[0].target.size, body.length);
});
