/**
 * Two nodes of `strake registry serve` with nothing of their own: blobs in a real object store (Ceph), all else in PostgreSQL. They
 * are killed, the network is bad, they do the same at once; nothing that was acknowledged is lost, and no garbage stays.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Client } from 'pg';
import { silentLog } from '../../src/lib/log.ts';
import { Scope } from '../../src/lib/scope.ts';
import { elements } from '../../src/registry/s3/answers.ts';
import { type Bucket, openBucket } from '../../src/registry/s3/bucket.ts';
import { bucketAddress } from '../../src/registry/s3/bucket-address.ts';
import { beginUpload, listObjects, listUploads, putObject, putPart } from '../../src/registry/s3/objects.ts';
import { startPostgres, type TestPostgres } from '../../src/registry/test-postgres.ts';
import { type Ceph, startCeph } from './ceph.ts';
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.ts';
import { freePort, importBusybox, run, STRAKE, startHost, type TestHost, until } from './harness.ts';
import { type StrakeRegistry, startStrakeRegistry } from './strake-registry.ts';

const MiB = 1 << 20;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

const scope = new Scope();
let ceph: Ceph;
let host: TestHost;
let proxy: CuttingProxy;
let bucket: Bucket;
let postgres: TestPostgres;
let database: string;
/** The first reaches the object store through the proxy; the second sends those who pull there. */
let nodes: readonly [StrakeRegistry, StrakeRegistry];

before(async () => {
  const starting = startCeph();
  postgres = scope.use(await startPostgres());
  database = await postgres.makeDatabase();
  host = scope.use(await startHost());
  await importBusybox(host);
  ceph = scope.use(await starting);
  proxy = scope.use(await startCuttingProxy(ceph.endpoint));
  bucket = scope.use(bucketAt('of/nodes'));
  await bucket.ask({ method: 'PUT' });
  nodes = [scope.use(await startNode(proxy.endpoint)), scope.use(await startNode(ceph.endpoint, '--s3-redirect'))];
});

after(async () => {
  await scope[Symbol.asyncDispose]();
});

function bucketAt(prefix: string): Bucket {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = ceph.env;
  const place = { bucket: 'blobs', prefix, endpoint: ceph.endpoint, region: undefined, redirect: false };
  return openBucket(bucketAddress(place, {}), {
    credentials: async () => ({ accessKeyId, secretAccessKey }),
    log: silentLog,
  });
}

function startNode(endpoint: string, ...more: readonly string[]): Promise<StrakeRegistry> {
  const stores = ['--s3-endpoint', endpoint, '--blobs', 's3://blobs/of/nodes', '--metadata', database];
  const flags = [...stores, '--grace', '0', '--collect-every', '0', ...more];
  return startStrakeRegistry(host.folder, { flags, env: ceph.env });
}

const digestOf = (bytes: string | Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

async function send(
  node: 0 | 1,
  method: string,
  path: string,
  body?: Buffer | string,
  headers = {},
): Promise<Response> {
  return await fetch(`http://${nodes[node].host}${path}`, { method, headers, ...(body !== undefined && { body }) });
}

async function answered(wanted: number, ...request: Parameters<typeof send>): Promise<Response> {
  const answer = await send(...request);
  const [node, method, path] = request;
  if (answer.status !== wanted)
    assert.fail(`${method} ${path}: ${answer.status} ${await answer.text()}\n${nodes[node].log().slice(-2000)}`);
  return answer;
}

async function begin(node: 0 | 1): Promise<string> {
  return (await answered(202, node, 'POST', '/v2/team/big/blobs/uploads/')).headers.get('location') ?? '';
}

async function bytesOf(node: 0 | 1, digest: string, range?: string): Promise<Buffer> {
  const headers = range === undefined ? {} : { range };
  const path = `/v2/team/big/blobs/${digest}`;
  const answer = await answered(range === undefined ? 200 : 206, node, 'GET', path, undefined, headers);
  return Buffer.from(await answer.arrayBuffer());
}

async function stored(of = bucket): Promise<{ objects: number; uploads: number }> {
  const found = { objects: 0, uploads: 0 };
  for await (const _ of listObjects(of, '')) found.objects++;
  for await (const _ of listUploads(of, '')) found.uploads++;
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

test('docker and strake: what one node got the other gives; a small blob is one object', async () => {
  const env = { DOCKER_CONFIG: join(host.folder, 'config'), HOME: host.folder };
  mkdirSync(env.DOCKER_CONFIG);
  await host.build('app', 'FROM busybox\nCOPY big /big\nCMD ["true"]', { big: randomBytes(17 * MiB) });
  const id = await host.inspect('app', '{{.Id}}');
  for (const [client, from, to] of [
    [host.strake, 0, 1],
    [host.docker, 1, 0],
  ] as const) {
    const [pushed, pulled] = [from, to].map((node) => `${nodes[node === 0 ? 0 : 1].host}/team/app:1`);
    for (const args of [
      ['tag', 'app', pushed ?? ''],
      ['push', pushed ?? ''],
      ['rmi', 'app', pushed ?? ''],
      ['pull', pulled ?? ''],
      ['tag', pulled ?? '', 'app'],
      ['rmi', pulled ?? ''],
    ]) {
      const { code, stderr } = await client(args, { env });
      assert.equal(code, 0, `${args.join(' ')}: ${stderr}\n${nodes.map((node) => node.log()).join('\n')}`);
    }
    assert.equal(await host.inspect('app', '{{.Id}}'), id);
  }
  assert.deepEqual(await stored(), { objects: 3, uploads: 0 }, 'two layers and a config, each stored once');
});

test('an upload goes on at the other node after its own was killed, from what was acknowledged', async () => {
  const content = randomBytes(21 * MiB + 5);
  const [place, digest] = [await begin(1), digestOf(content)];
  let at = 0;
  for (const [node, size] of [
    [0, 3 * MiB],
    [1, 9 * MiB + 1],
    [0, 1],
  ] as const) {
    const answer = await answered(202, node, 'PATCH', place, content.subarray(at, at + size));
    at += size;
    assert.equal(answer.headers.get('range'), `0-${at - 1}`);
  }
  const unfinished = await partsOf(place);
  // The kill comes when a part of the next chunk is there that nobody acknowledged.
  const cut = fetch(`http://${nodes[0].host}${place}`, {
    method: 'PATCH',
    duplex: 'half',
    body: new ReadableStream({
      async start(controller) {
        controller.enqueue(content.subarray(at, at + 8 * MiB));
        await until(async () => (await partsOf(place)) > unfinished);
        await nodes[0].stop('SIGKILL');
        controller.close();
      },
    }),
  });
  await assert.rejects(cut);
  const status = await answered(204, 1, 'GET', place);
  assert.equal(status.headers.get('range'), `0-${at - 1}`);
  const range = { 'content-range': `${at}-${content.length - 1}` };
  // The first node might live: who goes on waits until its claim has ended.
  const rest = answered(202, 1, 'PATCH', place, content.subarray(at), range);
  await endClaims();
  await rest;
  await nodes[0].restart();
  await answered(201, 0, 'PUT', `${place}?digest=${digest}`);
  for (const node of [0, 1] as const) {
    assert.ok((await bytesOf(node, digest)).equals(content));
    const part = await bytesOf(node, digest, `bytes=${9 * MiB}-${17 * MiB}`);
    assert.ok(part.equals(content.subarray(9 * MiB, 17 * MiB + 1)));
  }
  assert.equal((await stored()).uploads, 0);
});

async function partsOf(place: string): Promise<number> {
  let parts = 0;
  for await (const { name, id } of listUploads(bucket, place.split('/').at(-1) ?? '')) {
    const { text } = await bucket.ask({ method: 'GET', name, query: { uploadId: id } });
    parts += elements(text, 'Part').length;
  }
  return parts;
}

/** Lets the seconds pass for which a claim lasts that nobody renews. */
async function endClaims(): Promise<void> {
  const client = new Client({ connectionString: database });
  await client.connect();
  const { rowCount } = await client.query('UPDATE uploads SET claim_end = 0 WHERE holder IS NOT NULL');
  await client.end();
  assert.equal(rowCount, 1);
}

test('connections that are cut in a part or in an answer cost a part, not the upload or the pull', async () => {
  const content = randomBytes(20 * MiB);
  const digest = digestOf(content);
  const place = await begin(0);
  proxy.cuts = [5 * MiB, 9 * MiB];
  await answered(201, 0, 'PUT', `${place}?digest=${digest}`, content);
  assert.deepEqual(proxy.cuts, []);
  proxy.cuts = [3 * MiB, 11 * MiB];
  assert.ok((await bytesOf(0, digest)).equals(content));
  assert.deepEqual(proxy.cuts, []);
  assert.match(nodes[0].log(), /warn the object store does not answer well, trying again method="?PUT/);
});

test('a small blob costs one request to push and one to pull, a large one few more than its parts', async () => {
  const costs: number[] = [];
  for (const size of [1000, 40 * MiB]) {
    const content = randomBytes(size);
    const digest = digestOf(content);
    const steps = [
      async () => void (await answered(201, 0, 'PUT', `${await begin(0)}?digest=${digest}`, content)),
      async () => void (await bytesOf(0, digest)),
    ];
    for (const step of steps) {
      const before = await ceph.requests();
      await step();
      costs.push((await ceph.requests()) - before);
    }
  }
  const [push, pull, largePush = 0, largePull] = costs;
  assert.deepEqual([push, pull, largePull], [1, 1, 1]);
  assert.ok(largePush <= 5 + 6, `${largePush} requests for five parts`);
});

test('who pulls from a node that says so is sent to the object store', async () => {
  const digest = digestOf('sent elsewhere');
  await answered(201, 0, 'PUT', `${await begin(0)}?digest=${digest}`, 'sent elsewhere');
  const answer = await fetch(`http://${nodes[1].host}/v2/team/big/blobs/${digest}`, { redirect: 'manual' });
  assert.equal(answer.status, 307);
  const location = answer.headers.get('location') ?? '';
  assert.ok(location.startsWith(ceph.endpoint), location);
  assert.ok(!location.includes(ceph.env.AWS_SECRET_ACCESS_KEY));
  assert.equal(await (await fetch(location)).text(), 'sent elsewhere');
  assert.equal((await fetch(location.replace(/Signature=../, 'Signature=00'))).status, 403);
});

test('a token of one node holds at the other', async () => {
  const file = (name: string) => join(host.folder, name);
  writeFileSync(file('users'), 'me:$2b$04$QJ.R4pTP5eDkYqFkQoq2yOvDJ.ITXMQcuGuRfYnIbUPgPTd7.E0Fy\n'); // "secret"
  writeFileSync(file('rules'), 'me ** pull,push\n');
  writeFileSync(file('key'), randomBytes(32));
  const flags = ['--htpasswd', file('users'), '--rights', file('rules'), '--token-key', file('key')];
  await using first = await startNode(ceph.endpoint, ...flags);
  await using second = await startNode(ceph.endpoint, ...flags);
  const authorization = `Basic ${Buffer.from('me:secret').toString('base64')}`;
  const asked = `http://${first.host}/token?service=strake-registry&scope=repository:team/app:pull`;
  const { token } = JSON.parse(await (await fetch(asked, { headers: { authorization } })).text());
  const tags = `http://${second.host}/v2/team/app/tags/list`;
  assert.equal((await fetch(tags)).status, 401);
  const answer = await fetch(tags, { headers: { authorization: `Bearer ${token}` } });
  assert.deepEqual(await answer.json(), { name: 'team/app', tags: ['1'] });
});

test('a node whose container has a role asks for its credentials', async () => {
  let asked = 0;
  const service = createServer((request, response) => {
    asked++;
    const { AWS_ACCESS_KEY_ID: AccessKeyId, AWS_SECRET_ACCESS_KEY: SecretAccessKey } = ceph.env;
    const isKnown = request.headers.authorization === 'of the pod';
    const Expiration = new Date(Date.now() + 3_600_000);
    response.writeHead(isKnown ? 200 : 403).end(JSON.stringify({ AccessKeyId, SecretAccessKey, Expiration }));
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  using _ = { [Symbol.dispose]: () => service.close() };
  writeFileSync(join(host.folder, 'pod-token'), 'of the pod\n');
  const env = {
    HOME: host.folder,
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${(service.address() as AddressInfo).port}/`, // it listens
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: join(host.folder, 'pod-token'),
  };
  const flags = ['--blobs', 's3://blobs/of/pod', '--s3-endpoint', ceph.endpoint];
  await using node = await startStrakeRegistry(host.folder, { flags, env });
  const push = `http://${node.host}/v2/a/blobs/uploads/?digest=${digestOf('from a pod')}`;
  assert.equal((await fetch(push, { method: 'POST', body: 'from a pod' })).status, 201);
  assert.equal(asked, 1);
});

test('two mirrors that get the same blob at once both give it, and keep it once', async () => {
  const layer = randomBytes(9 * MiB);
  const config = { mediaType: 'a/b', digest: digestOf(layer), size: layer.length };
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [] });
  await answered(201, 0, 'PUT', `${await begin(0)}?digest=${config.digest}`, layer);
  await answered(201, 0, 'PUT', '/v2/team/big/manifests/mirrored', manifest, { 'content-type': MANIFEST });
  const own = ['--blobs', 's3://blobs/of/mirrors', '--metadata', await postgres.makeDatabase()];
  const flags = [...own, '--proxy', `http://${nodes[0].host}`];
  await using first = await startNode(ceph.endpoint, ...flags);
  await using second = await startNode(ceph.endpoint, ...flags);
  const pulls = [first, second, first, second].map(async ({ host }) => {
    const found = await fetch(`http://${host}/v2/team/big/manifests/mirrored`);
    assert.equal(await found.text(), manifest);
    const blob = await fetch(`http://${host}/v2/team/big/blobs/${config.digest}`);
    return Buffer.from(await blob.arrayBuffer());
  });
  for (const bytes of await Promise.all(pulls)) assert.ok(bytes.equals(layer));
  await using mirrored = bucketAt('of/mirrors');
  assert.deepEqual(await stored(mirrored), { objects: 1, uploads: 0 });
});

test('while the object store is away clients are told to come back, and nothing half-written is there', async () => {
  const content = randomBytes(100);
  const digest = digestOf(content);
  const place = await begin(0);
  proxy.isDown = true;
  const answer = await answered(503, 0, 'PUT', `${place}?digest=${digest}`, content);
  assert.equal(answer.headers.get('retry-after'), '5');
  assert.deepEqual(await answer.json(), { errors: [{ code: 'UNAVAILABLE', message: 'service unavailable' }] });
  assert.match(nodes[0].log(), /cannot reach bucket \\"blobs\\" at http/);
  for (const node of [0, 1] as const) await answered(404, node, 'HEAD', `/v2/team/big/blobs/${digest}`);
  proxy.isDown = false;
  await answered(201, 0, 'PUT', `${place}?digest=${digest}`, content);
  assert.ok((await bytesOf(1, digest)).equals(content));
});

test('check finds what is damaged, and repairs by removing what belongs to nothing', async () => {
  const stray = '00000000-0000-4000-8000-000000000000';
  await putObject(bucket, `${stray}.1`, [Buffer.from('x')]);
  await putPart(bucket, { name: stray, id: await beginUpload(bucket, stray) }, 1, [Buffer.from('x')]);
  await putObject(bucket, 'notes/of-somebody-else', [Buffer.from('x')]);
  const digest = digestOf('soon damaged');
  const place = await begin(0);
  await answered(201, 0, 'PUT', `${place}?digest=${digest}`, 'soon damaged');
  await putObject(bucket, place.split('/').at(-1) ?? '', [Buffer.from('soon wreckage')]);
  const { stdout } = await run(STRAKE, ['registry', 'check', '--repair', nodes[1].host]);
  assert.match(stdout, new RegExp(`blob ${digest} has 13 instead of 12 bytes`));
  assert.match(stdout, /files belonged to nothing/);
  await answered(404, 0, 'GET', `/v2/team/big/blobs/${digest}`);
  assert.equal((await stored()).uploads, 0);
  await bucket.ask({ method: 'DELETE', name: 'notes/of-somebody-else' });
});

test('what is deleted, and what was given up, leaves nothing in the bucket', async () => {
  await answered(202, 0, 'PATCH', await begin(1), randomBytes(9 * MiB));
  await answered(202, 1, 'PATCH', await begin(0), randomBytes(9));
  const config = { mediaType: 'a/b', digest: digestOf(''), size: 0 };
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [] });
  await answered(201, 0, 'PUT', `${await begin(1)}?digest=${digestOf('')}`);
  await answered(201, 1, 'PUT', '/v2/team/big/manifests/1', manifest, { 'content-type': MANIFEST });
  await answered(202, 0, 'DELETE', '/v2/team/app/');
  await answered(202, 1, 'DELETE', '/v2/team/big/');
  await Promise.all(([0, 1] as const).map((node) => answered(200, node, 'POST', '/_strake/gc/now')));
  assert.deepEqual(await stored(), { objects: 0, uploads: 0 });
});
