/** Nodes without a state of their own: one store of metadata, and blobs in an object storage that lets nothing be read before its end. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { silentLog } from '../lib/log.ts';
import { Scope } from '../lib/scope.ts';
import { makeScratchFolder } from '../lib/scratch.ts';
import { openAccess } from './access.ts';
import { type BlobKey, type BlobStorage, blobKey } from './blob-storage.ts';
import { check } from './check.ts';
import { collect, sweep } from './collect.ts';
import { parseContentDigest } from './content-digest.ts';
import { RegistryServer } from './http/server.ts';
import { limitsOf } from './limits.ts';
import type { MetadataStore } from './metadata-store.ts';
import { parseRepositoryName } from './names.ts';
import type { Registry } from './registry.ts';
import { openTestMetadata, sendTo, type TestAnswer, type TestRequest } from './test-registry.ts';
import { UploadDigests } from './upload-digests.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const { signal } = new AbortController();
const repository = parseRepositoryName('team/app');
const digestOf = (content: string) => `sha256:${createHash('sha256').update(content).digest('hex')}`;

const scope = new Scope();
/** Objects and parts of unfinished ones, by key and number. */
const objects = new Map<BlobKey, Buffer>();
const parts = new Map<string, Buffer>();
let nodes: readonly Node[];

interface Node {
  readonly registry: Registry;
  send(method: string, path: string, options?: TestRequest): Promise<TestAnswer>;
}

before(async () => {
  const folder = scope.use(makeScratchFolder(tmpdir(), 'strake-nodes')).path;
  nodes = await Promise.all((await openTestMetadata(folder, 3)).map((metadata) => startNode(scope.use(metadata))));
});

after(async () => {
  await scope[Symbol.asyncDispose]();
});

async function startNode(metadata: MetadataStore): Promise<Node> {
  const policy = { lease: 3_600_000, grace: 0, ...limitsOf([], []) };
  const registry = { metadata, blobs: objectStorage(), digests: new UploadDigests(), policy, log: silentLog };
  const server = scope.use(new RegistryServer({ registry, access: openAccess, tls: undefined }));
  const address = await server.listen('127.0.0.1', 0);
  return { registry, send: (method, path, options) => sendTo(address, method, path, options) };
}

/** In the manner of S3: parts that are numbered, objects that are there when their parts are put together, no appending. */
function objectStorage(): BlobStorage {
  const numbers = (resume: string): number[] => (resume === '' ? [] : JSON.parse(resume));
  return {
    async write(key, { size, resume }) {
      const own = numbers(resume);
      let chunks: Buffer[] = [];
      let written = size;
      return {
        write(chunk) {
          chunks.push(Buffer.from(chunk));
          return undefined;
        },
        async close() {
          const part = Buffer.concat(chunks);
          chunks = [];
          if (part.length === 0) return { size, resume };
          own.push(next++);
          parts.set(`${key}/${own.at(-1)}`, part);
          written += part.length;
          return { size: written, resume: JSON.stringify(own) };
        },
      };
    },
    async finish(key, { resume }) {
      if (objects.has(key)) return false;
      const found = numbers(resume).map((number) => parts.get(`${key}/${number}`) ?? assert.fail('a part is gone'));
      objects.set(key, Buffer.concat(found));
      dropParts(key);
      return true;
    },
    async open(key) {
      const bytes = objects.get(key);
      return (
        bytes && {
          size: bytes.length,
          read: async (buffer, offset, length) => bytes.copy(buffer, 0, offset, offset + length),
          async [Symbol.asyncDispose]() {},
        }
      );
    },
    async delete(key) {
      objects.delete(key);
      dropParts(key);
    },
    async *list() {
      yield* objects.keys();
      for (const part of parts.keys()) yield blobKey(part.slice(0, part.indexOf('/')));
    },
  };
}

let next = 1;

function dropParts(key: BlobKey): void {
  for (const part of parts.keys()) if (part.startsWith(`${key}/`)) parts.delete(part);
}

const on = (node: number) => nodes[node] ?? assert.fail();
const begin = async (node: number) =>
  (await on(node).send('POST', '/v2/team/app/blobs/uploads/')).headers['location'] ?? assert.fail();

test('an upload goes from node to node, and what it was is there on all of them', async () => {
  const place = await begin(0);
  for (const [node, body] of [
    [1, 'one '],
    [0, 'two '],
    [0, 'three '],
    [1, 'four'],
  ] as const)
    assert.equal((await on(node).send('PATCH', place, { body })).status, 202);
  const status = await on(0).send('GET', place);
  assert.deepEqual([status.status, status.headers['range']], [204, '0-17']);
  const digest = digestOf('one two three four');
  assert.equal((await on(0).send('PUT', `${place}?digest=${digest}`)).status, 201);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: 'a/b', digest, size: 18 },
    layers: [],
  });
  const headers = { 'content-type': MANIFEST };
  assert.equal((await on(1).send('PUT', '/v2/team/app/manifests/v1', { headers, body: manifest })).status, 201);
  const range = { headers: { range: 'bytes=4-6' } };
  for (const node of [0, 1]) {
    assert.equal((await on(node).send('GET', '/v2/team/app/manifests/v1')).body.toString(), manifest);
    const blob = `/v2/team/app/blobs/${digest}`;
    assert.equal((await on(node).send('GET', blob)).body.toString(), 'one two three four');
    assert.equal((await on(node).send('GET', blob, range)).body.toString(), 'two');
  }
});

test('a digest that is wrong is found by the node that saw none of the bytes', async () => {
  const place = await begin(0);
  await on(0).send('PATCH', place, { body: 'some bytes' });
  const wrong = await on(1).send('PUT', `${place}?digest=${digestOf('others')}`);
  assert.equal(wrong.status, 400);
  assert.match(wrong.body.toString(), /DIGEST_INVALID/);
  assert.equal((await on(0).send('GET', place)).status, 404);
});

test('who goes on with an upload of a node that died waits until it is free, and goes on where the record ends', async () => {
  const { metadata } = on(0).registry;
  const place = await begin(0);
  assert.equal((await on(0).send('PATCH', place, { body: 'before ' })).status, 202);
  const id = place.slice(place.lastIndexOf('/') + 1);
  const now = Date.now();
  const claim = { holder: 'a node that died', now, leaseEnd: now + 60_000 };
  const upload = await metadata.claimUpload(repository, id, { ...claim, claimEnd: now + 1_000 });
  assert.ok(typeof upload === 'object' && 'key' in upload);
  const writer = await on(0).registry.blobs.write(upload.key, upload);
  writer.write(Buffer.from('never recorded'));
  await writer.close();
  assert.equal((await on(1).send('PATCH', place, { body: 'after' })).status, 202);
  assert.ok(Date.now() >= now + 1_000);
  const digest = digestOf('before after');
  assert.equal((await on(0).send('PUT', `${place}?digest=${digest}`)).status, 201);
  assert.equal((await on(1).send('GET', `/v2/team/app/blobs/${digest}`)).body.toString(), 'before after');
});

test('who lost the claim does not make the blob', async () => {
  const { metadata } = on(1).registry;
  const place = await begin(0);
  const id = place.split('/').at(-1) ?? '';
  const now = Date.now();
  const claim = { now, claimEnd: now - 1, leaseEnd: now + 60_000 };
  for (const holder of ['stalled', 'next']) await metadata.claimUpload(repository, id, { ...claim, holder });
  const blob = { digest: parseContentDigest(digestOf('')), size: 0, damaged: undefined };
  const terms = { leaseEnd: now + 60_000, quota: undefined };
  const late = metadata.commitUpload({ id, holder: 'stalled' }, blob, terms);
  await assert.rejects(late, { code: 'BLOB_UPLOAD_UNKNOWN' });
  await metadata.releaseUpload(id, 'next', { size: 0, resume: '' });
  assert.equal((await on(0).send('DELETE', place)).status, 204);
});

test('all collect and sweep at once, and the checks of all find everything whole', async () => {
  await begin(1);
  const all = { leaseTime: Number.MAX_SAFE_INTEGER, signal };
  await Promise.all(nodes.map(({ registry }) => collect(registry, all)));
  await Promise.all(nodes.map(({ registry }) => sweep(registry, signal)));
  assert.deepEqual([objects.size, parts.size], [1, 0]);
  for (const { registry } of nodes) {
    for await (const line of check(registry, { repair: false, signal }))
      assert.deepEqual(line, { blobs: 1, manifests: 1, problems: 0, repaired: 0 });
  }
});

test('whatever nodes do at once, no image lacks a blob, and nothing is left that nobody holds', async () => {
  const contents = ['one', 'two', 'three', 'four', 'five'];
  const repositories = ['storm/a', 'storm/b', 'storm/c'];
  const put = new Set<string>();
  const all = { leaseTime: Number.MAX_SAFE_INTEGER, signal };
  const headers = { 'content-type': MANIFEST };
  const worker = async (seed: number) => {
    let state = seed;
    // https://en.wikipedia.org/wiki/Linear_congruential_generator
    const below = (limit: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return (state >> 8) % limit;
    };
    const one = <T>(values: readonly T[]) => values[below(values.length)] ?? assert.fail();
    for (let step = 0; step < 60; step++) {
      const { send, registry } = one(nodes);
      const path = `/v2/${one(repositories)}`;
      const body = one(contents);
      const manifest = imageOf(...contents.slice(below(3), 3 + below(3)));
      const action = below(12);
      if (action === 0) await collect(registry, below(8) === 0 ? all : { signal });
      else if (action === 1) await sweep(registry, signal);
      else {
        const request: [string, string, TestRequest?] =
          action < 6
            ? ['POST', `${path}/blobs/uploads/?digest=${digestOf(body)}`, { body }]
            : action === 6
              ? ['POST', `${path}/blobs/uploads/?mount=${digestOf(body)}&from=${one(repositories)}`]
              : action < 10
                ? ['PUT', `${path}/manifests/${one(['x', 'y'])}`, { headers, body: manifest }]
                : action === 10
                  ? ['DELETE', `${path}/manifests/${digestOf(manifest)}`]
                  : ['DELETE', `${path}/blobs/${digestOf(body)}`];
        const { status, body: answer } = await send(...request);
        assert.ok(status < 500, `${request[0]} ${request[1]}: ${status} ${answer}`);
        if (request[0] === 'PUT' && status === 201) put.add(manifest);
      }
    }
  };
  await Promise.all([1, 2, 3, 4, 5, 6].map(worker));
  assert.ok(put.size > 1, 'no image was pushed');
  for (const { registry, send } of nodes) {
    await collect(registry, all);
    for await (const line of check(registry, { repair: false, signal }))
      assert.ok('problems' in line && line.problems === 0, JSON.stringify(line));
    for (const { repository: name, bytes } of await registry.metadata.listManifests(0, 1_000))
      for (const { digest } of JSON.parse(Buffer.from(bytes).toString()).layers)
        assert.equal((await send('GET', `/v2/${name}/blobs/${digest}`)).status, 200, `${name} ${digest}`);
    assert.deepEqual(await registry.metadata.unknownKeys([...objects.keys()]), []);
  }
  assert.equal(parts.size, 0);
});

function imageOf(...contents: string[]): string {
  const layers = contents.map((content) => ({ mediaType: 'a/b', digest: digestOf(content), size: content.length }));
  return JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: layers[0], layers });
}
