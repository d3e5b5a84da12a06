/** `strake registry serve` with its blobs in a real object store (Ceph): nodes that come and go, a bad network, and nothing that stays. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLog } from '../../src/lib/log.ts';
import { Scope } from '../../src/lib/scope.ts';
import { type Bucket, openBucket } from '../../src/registry/s3/bucket.ts';
import { bucketAddress } from '../../src/registry/s3/bucket-address.ts';
import { beginUpload, listObjects, listUploads, putObject, putPart } from '../../src/registry/s3/objects.ts';
import { type Ceph, startCeph } from './ceph.ts';
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.ts';
import { freePort, importBusybox, run, STRAKE, startHost, type TestHost } from './harness.ts';
import { type StrakeRegistry, startStrakeRegistry } from './strake-registry.ts';

const MiB = 1 << 20;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

const scope = new Scope();
let ceph: Ceph;
let host: TestHost;
let proxy: CuttingProxy;
let bucket: Bucket;
let node: StrakeRegistry;

before(async () => {
  ceph = scope.use(await startCeph());
  host = scope.use(await startHost());
  proxy = scope.use(await startCuttingProxy(ceph.endpoint));
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = ceph.env;
  const place = { bucket: 'blobs', prefix: 'of/nodes', endpoint: ceph.endpoint, region: undefined, redirect: false };
  const credentials = () => ({ accessKeyId, secretAccessKey });
  bucket = scope.use(openBucket(bucketAddress(place, {}), { credentials, log: silentLog }));
  await bucket.ask({ method: 'PUT' });
  node = scope.use(await startNode());
  await importBusybox(host);
});

after(async () => {
  await scope[Symbol.asyncDispose]();
});

function startNode(): Promise<StrakeRegistry> {
  const store = ['--blobs', 's3://blobs/of/nodes', '--s3-endpoint', proxy.endpoint];
  const flags = [...store, '--grace', '0', '--collect-every', '0'];
  return startStrakeRegistry(host.folder, { flags, env: ceph.env });
}

const digestOf = (bytes: string | Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

async function send(method: string, path: string, body?: Buffer | string, headers = {}): Promise<Response> {
  return await fetch(`http://${node.host}${path}`, { method, headers, ...(body !== undefined && { body }) });
}

async function answered(wanted: number, ...request: Parameters<typeof send>): Promise<Response> {
  const answer = await send(...request);
  assert.equal(
    answer.status,
    wanted,
    `${request[0]} ${request[1]}: ${await answer.clone().text()}\n${node.log().slice(-2000)}`,
  );
  return answer;
}

async function begin(): Promise<string> {
  return (await answered(202, 'POST', '/v2/team/big/blobs/uploads/')).headers.get('location') ?? '';
}

async function bytesOf(digest: string, range?: string): Promise<Buffer> {
  const headers = range === undefined ? {} : { range };
  const answer = await answered(
    range === undefined ? 200 : 206,
    'GET',
    `/v2/team/big/blobs/${digest}`,
    undefined,
    headers,
  );
  return Buffer.from(await answer.arrayBuffer());
}

async function stored(): Promise<{ objects: number; uploads: number }> {
  const found = { objects: 0, uploads: 0 };
  for await (const _ of listObjects(bucket, '')) found.objects++;
  for await (const _ of listUploads(bucket, '')) found.uploads++;
  return found;
}

test('a bucket that cannot be used is told at the start, with the way out', async () => {
  const unused = await freePort();
  const [wrong, none] = [{ AWS_SECRET_ACCESS_KEY: 'wrong' }, { AWS_ACCESS_KEY_ID: '', HOME: host.folder }];
  for (const [place, endpoint, env, message] of [
    [
      's3://blobs',
      ceph.endpoint,
      wrong,
      /the credentials do not hold for bucket "blobs" at \S+: .*SignatureDoesNotMatch\nAWS_/,
    ],
    ['s3://blobs', ceph.endpoint, none, /one is missing\nset AWS_ACCESS_KEY_ID/],
    ['s3://none', ceph.endpoint, {}, /there is no bucket "none" at \S+\nmake the bucket first/],
    [
      's3://blobs',
      `http://127.0.0.1:${unused}`,
      {},
      /cannot reach bucket "blobs" at \S+: connect ECONNREFUSED.*\ncheck --s3-endpoint/,
    ],
    ['s3://Wrong_', ceph.endpoint, {}, /invalid --blobs "s3:\/\/Wrong_"/],
  ] as const) {
    const args = ['registry', 'serve', '--listen', '127.0.0.1:0', '--data', join(host.folder, 'unused')];
    const options = { env: { ...ceph.env, ...env } };
    const { code, stderr } = await run(STRAKE, [...args, '--blobs', place, '--s3-endpoint', endpoint], options);
    assert.notEqual(code, 0);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, new RegExp(`${ceph.env.AWS_SECRET_ACCESS_KEY}|at file:`));
  }
});

test('docker and strake: push, remove, pull; a small blob is one object', async () => {
  const env = { DOCKER_CONFIG: join(host.folder, 'config'), HOME: host.folder };
  mkdirSync(env.DOCKER_CONFIG);
  writeFileSync(join(host.folder, 'big'), randomBytes(17 * MiB));
  await host.build('app', 'FROM busybox\nCOPY big /big\nCMD ["true"]', { big: randomBytes(17 * MiB) });
  const name = `${node.host}/team/app:1`;
  const id = await host.inspect('app', '{{.Id}}');
  for (const client of [host.strake, host.docker]) {
    await client(['tag', 'app', name], { env });
    for (const args of [
      ['push', name],
      ['rmi', name],
      ['pull', name],
    ]) {
      const { code, stderr } = await client(args, { env });
      assert.equal(code, 0, `${args.join(' ')}: ${stderr}\n${node.log()}`);
    }
    assert.equal(await host.inspect(name, '{{.Id}}'), id);
  }
  assert.deepEqual(await stored(), { objects: 3, uploads: 0 }, 'two layers and a config, each pushed once');
});

test('an upload goes on after its node was killed, from what was acknowledged', async () => {
  const content = randomBytes(21 * MiB + 5);
  const [place, digest] = [await begin(), digestOf(content)];
  let at = 0;
  for (const size of [3 * MiB, 9 * MiB + 1, 1]) {
    const answer = await answered(202, 'PATCH', place, content.subarray(at, at + size));
    at += size;
    assert.equal(answer.headers.get('range'), `0-${at - 1}`);
  }
  // The kill comes when some parts of the next chunk are there.
  const cut = fetch(`http://${node.host}${place}`, {
    method: 'PATCH',
    duplex: 'half',
    body: new ReadableStream({
      async start(controller) {
        controller.enqueue(content.subarray(at, at + 8 * MiB));
        while ((await stored()).uploads === 0);
        await node.stop('SIGKILL');
        controller.close();
      },
    }),
  });
  await assert.rejects(cut);
  await node.restart();
  const status = await answered(204, 'GET', place);
  assert.equal(status.headers.get('range'), `0-${at - 1}`);
  await answered(202, 'PATCH', place, content.subarray(at), { 'content-range': `${at}-${content.length - 1}` });
  await answered(201, 'PUT', `${place}?digest=${digest}`);
  assert.ok((await bytesOf(digest)).equals(content));
  assert.ok((await bytesOf(digest, `bytes=${9 * MiB}-${17 * MiB}`)).equals(content.subarray(9 * MiB, 17 * MiB + 1)));
  assert.deepEqual((await stored()).uploads, 0);
});

test('connections that are cut in a part or in an answer cost a part, not the upload or the pull', async () => {
  const content = randomBytes(20 * MiB);
  const digest = digestOf(content);
  proxy.cuts = [5 * MiB, 9 * MiB];
  const place = await begin();
  await answered(201, 'PUT', `${place}?digest=${digest}`, content);
  assert.deepEqual(proxy.cuts, []);
  proxy.cuts = [3 * MiB, 11 * MiB];
  assert.ok((await bytesOf(digest)).equals(content));
  assert.deepEqual(proxy.cuts, []);
  assert.match(node.log(), /warn the object store does not answer well, trying again method="?PUT/);
});

test('while the object store is away clients are told to come back, and nothing half-written is there', async () => {
  const content = randomBytes(100);
  const place = await begin();
  proxy.isDown = true;
  const answer = await answered(503, 'PUT', `${place}?digest=${digestOf(content)}`, content);
  assert.equal(answer.headers.get('retry-after'), '5');
  assert.deepEqual(await answer.json(), { errors: [{ code: 'UNAVAILABLE', message: 'service unavailable' }] });
  assert.match(node.log(), /cannot reach bucket \\"blobs\\" at http/);
  await answered(404, 'HEAD', `/v2/team/big/blobs/${digestOf(content)}`);
  proxy.isDown = false;
  await answered(201, 'PUT', `${place}?digest=${digestOf(content)}`, content);
  assert.ok((await bytesOf(digestOf(content))).equals(content));
});

test('check finds what is damaged, and repairs by removing what belongs to nothing', async () => {
  const stray = '00000000-0000-4000-8000-000000000000';
  await putObject(bucket, `${stray}.1`, [Buffer.from('x')]);
  await putPart(bucket, { name: stray, id: await beginUpload(bucket, stray) }, 1, [Buffer.from('x')]);
  await putObject(bucket, 'notes/of-somebody-else', [Buffer.from('x')]);
  const content = Buffer.from('soon damaged');
  const place = await begin();
  await answered(201, 'PUT', `${place}?digest=${digestOf(content)}`, content);
  await putObject(bucket, place.split('/').at(-1) ?? '', [Buffer.from('soon wreckage')]);
  const { stdout } = await run(STRAKE, ['registry', 'check', '--repair', node.host]);
  assert.match(stdout, new RegExp(`blob ${digestOf(content)} has 13 instead of 12 bytes`));
  assert.match(stdout, /files belonged to nothing/);
  await answered(404, 'GET', `/v2/team/big/blobs/${digestOf(content)}`);
  assert.equal((await stored()).uploads, 0);
  await bucket.ask({ method: 'DELETE', name: 'notes/of-somebody-else' });
});

test('what is deleted, and what was given up, leaves nothing in the bucket', async () => {
  await answered(202, 'PATCH', await begin(), randomBytes(9 * MiB));
  await answered(202, 'PATCH', await begin(), randomBytes(9));
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: 'a/b', digest: digestOf(''), size: 0 },
    layers: [],
  });
  await answered(201, 'PUT', `${await begin()}?digest=${digestOf('')}`);
  await answered(201, 'PUT', '/v2/team/big/manifests/1', manifest, { 'content-type': MANIFEST });
  for (const repository of ['team/app', 'team/big']) await answered(202, 'DELETE', `/v2/${repository}/`);
  await answered(200, 'POST', '/_strake/gc/now');
  assert.deepEqual(await stored(), { objects: 0, uploads: 0 });
});
