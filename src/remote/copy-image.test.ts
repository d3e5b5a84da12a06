import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { isFailure } from '../lib/error.ts';
import { digestOf } from '../oci/digest.ts';
import { encodeManifest } from '../oci/manifest.ts';
import { MediaType } from '../oci/media-type.ts';
import { parsePlatform } from '../oci/platform.ts';
import { parseReference } from '../oci/reference.ts';
import type { ProgressLine } from '../wire/progress.ts';
import { type CopyRequest, copyImage } from './copy-image.ts';
import { TestRegistry, testRegistries } from './test-registry.ts';

const signal = AbortSignal.timeout(60_000);
const registries = testRegistries();
after(() => registries[Symbol.dispose]());

const shared = randomBytes(300_000);

/** An image of one platform: a layer of its own, and one that all have. */
function addImage(registry: TestRegistry, architecture: string) {
  const layers = [shared, Buffer.from(`layer of ${architecture}`)].map((bytes) => ({
    mediaType: MediaType.dockerLayerGzip,
    ...registry.addBlob(bytes),
  }));
  const config = {
    architecture,
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
  };
  const manifest = encodeManifest(registry.addBlob(Buffer.from(JSON.stringify(config))), layers);
  registry.addManifest(`a/${architecture}:1`, manifest);
  return manifest;
}

/** `a/b:1`, an index of two platforms. */
function addIndex(registry: TestRegistry) {
  const manifests = ['amd64', 'arm64'].map((architecture) => {
    const { mediaType, digest, size } = addImage(registry, architecture);
    return { mediaType, digest, size, platform: { os: 'linux', architecture } };
  });
  return addList(registry, 'a/b:1', manifests);
}

function addList(registry: TestRegistry, name: string, manifests: readonly object[]) {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests }));
  registry.addManifest(name, { mediaType: MediaType.ociIndex, bytes });
  return { mediaType: MediaType.ociIndex, bytes, digest: digestOf(bytes) };
}

async function copy(from: TestRegistry, to: TestRegistry, more: Partial<CopyRequest> & { path?: string } = {}) {
  const lines: ProgressLine[] = [];
  const { path = 'x/y', ...request } = more;
  const source = request.source ?? parseReference(`${from.host}/a/b:1`);
  const target = await registries.openForPush({ registry: to.host, path }, { auth: undefined, signal });
  const emit = async (line: ProgressLine) => void lines.push(line);
  const copied = await registries.readFrom(source, { auth: undefined, signal }, (repository) =>
    copyImage({
      ...{ from: repository, to: target, sameRegistry: from === to, source, tag: '2', platform: undefined },
      ...{ referrers: false, emit, signal, ...request },
    }),
  );
  return { digest: copied.digest, lines: lines.map(({ status }) => status) };
}

const namesOf = (registry: TestRegistry) => [...registry.manifests.keys()].filter((name) => !name.includes('sha256:'));

test('an index with all its images: the same digests, each blob once, the tag at the end', async () => {
  await using from = await TestRegistry.start();
  await using to = await TestRegistry.start();
  const index = addIndex(from);
  const { digest, lines } = await copy(from, to);
  assert.equal(digest, index.digest);
  assert.deepEqual(to.manifests.get('x/y:2')?.bytes, index.bytes);
  assert.deepEqual([...to.blobs.keys()].sort(), [...from.blobs.keys()].sort());
  assert.equal(from.log.filter((line) => line.includes(digestOf(shared))).length, 1);
  assert.equal(to.log.at(-1), 'PUT /v2/x/y/manifests/2');
  assert.equal(lines.at(-1), `2: digest: ${index.digest} size: ${index.bytes.length}`);
  assert.ok(lines.includes('Copied linux/arm64') && lines.includes('Already exists'));
  assert.equal(to.openUploads, 0);
});

test('one platform of an index, and one that is not there', async () => {
  await using from = await TestRegistry.start();
  await using to = await TestRegistry.start();
  addIndex(from);
  const { digest } = await copy(from, to, { platform: parsePlatform('arm64') });
  assert.deepEqual(to.manifests.get('x/y:2')?.bytes, from.manifests.get('a/arm64:1')?.bytes);
  assert.deepEqual(namesOf(to), ['x/y:2']);
  assert.ok(to.manifests.has(digest));
  await assert.rejects(copy(from, to, { platform: parsePlatform('s390x') }), {
    message: 'no matching manifest for linux/s390x in the manifest list entries',
  });
  const source = parseReference(`${from.host}/a/amd64:1`);
  await copy(from, to, { source, platform: parsePlatform('amd64'), tag: '3' });
  await assert.rejects(
    copy(from, to, { source, platform: parsePlatform('arm64') }),
    /wanted linux\/arm64, actual: linux\/amd64$/,
  );
});

test('within one registry blobs are mounted: none is read', async () => {
  await using registry = await TestRegistry.start();
  addIndex(registry);
  registry.misbehave = (request, response) => {
    if (request.method !== 'HEAD' || !request.url?.startsWith('/v2/x/y/blobs')) return false;
    response.writeHead(404).end();
    return true;
  };
  const { lines } = await copy(registry, registry);
  assert.ok(lines.includes('Mounted from a/b'));
  assert.deepEqual(
    registry.log.filter((line) => /^(GET|PUT|PATCH) .*blobs/.test(line)),
    [],
  );
});

test('a layer that is had elsewhere is left out', async () => {
  await using from = await TestRegistry.start();
  await using to = await TestRegistry.start();
  const foreign = {
    mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    digest: digestOf('no'),
    size: 2,
  };
  const manifest = encodeManifest(from.addBlob(Buffer.from('{}')), [
    { ...foreign, urls: ['https://elsewhere.test/x'] },
  ]);
  from.addManifest('a/b:1', manifest);
  assert.ok((await copy(from, to)).lines.includes('Skipped foreign layer'));
  assert.equal(to.manifests.get('x/y:2')?.bytes.equals(manifest.bytes), true);
});

/** What goes wrong, and the code of the failure, or undefined when the copy succeeds. */
const troubles: readonly (readonly [
  what: string,
  break_: (registries: { from: TestRegistry; to: TestRegistry }) => void,
  code: string | undefined,
  words?: RegExp,
])[] = [
  [
    'the source breaks off amid a blob',
    ({ from }) => {
      from.misbehave = (request, response) => {
        if (!request.url?.includes(digestOf(shared)) || request.headers.range) return false;
        response.writeHead(200, { 'content-length': shared.length });
        response.write(shared.subarray(0, 100_000), () => response.destroy());
        return true;
      };
    },
    undefined,
  ],
  [
    'the target breaks off amid a blob',
    ({ to }) => {
      let isFirst = true;
      to.misbehave = (request, response) => {
        if (!isFirst || request.method !== 'PUT' || Number(request.headers['content-length']) < 300_000) return false;
        isFirst = false;
        request.once('data', () => response.destroy());
        return true;
      };
    },
    undefined,
  ],
  [
    'the source has another blob than it says',
    ({ from }) => from.blobs.set(digestOf(shared), Buffer.alloc(shared.length)),
    'BLOB_DIGEST',
    /^filesystem layer verification failed for digest sha256:/,
  ],
  ['the source lost a blob', ({ from }) => from.blobs.delete(digestOf(shared)), 'BLOB_UNKNOWN', /^blob unknown: /],
  [
    'the target is full',
    ({ to }) => {
      to.misbehave = (request, response) => {
        if (request.method !== 'PUT' && request.method !== 'PATCH') return false;
        response.writeHead(507).end();
        return true;
      };
    },
    'REGISTRY_BUSY',
    /^received unexpected HTTP status: 507 from http/,
  ],
  [
    'nothing may be written to the target',
    ({ to }) => {
      to.misbehave = (request, response) => {
        if (request.method !== 'POST') return false;
        response.writeHead(403).end();
        return true;
      };
    },
    'DENIED',
    /^denied: requested access to the resource is denied$/,
  ],
  [
    'the source has no such image',
    ({ from }) => from.manifests.clear(),
    'MANIFEST_UNKNOWN',
    /^manifest for 127.*\/a\/b:1 not found: manifest unknown: manifest unknown$/,
  ],
];
for (const [what, break_, code, words = /./] of troubles)
  test(`${what}: ${code ?? 'the copy goes on'}`, async () => {
    await using from = await TestRegistry.start();
    await using to = await TestRegistry.start();
    const index = addIndex(from);
    break_({ from, to });
    if (code === undefined) {
      await copy(from, to);
      assert.deepEqual(to.blobs.get(digestOf(shared)), shared);
      assert.deepEqual(to.manifests.get('x/y:2')?.bytes, index.bytes);
    } else {
      await assert.rejects(copy(from, to), (error) => {
        assert.ok(isFailure(error), String(error));
        assert.equal(error.code, code, error.message);
        assert.match(error.message, words);
        return true;
      });
      assert.deepEqual(namesOf(to), []);
    }
    assert.equal(to.openUploads, 0);
  });

test('referrers come along; a target that keeps no lists of them gets one under a tag', async () => {
  await using from = await TestRegistry.start();
  await using to = await TestRegistry.start();
  const index = addIndex(from);
  const { digest, size } = addImage(from, 'signature');
  const entry = { mediaType: MediaType.dockerManifest, digest, size, artifactType: 'a/b', annotations: { by: 'me' } };
  const tag = index.digest.replace(':', '-');
  addList(from, `a/b:${tag}`, [entry]);
  await copy(from, to);
  assert.equal(to.manifests.has(digest), false);
  for (let times = 0; times < 2; times++) {
    await copy(from, to, { referrers: true });
    assert.ok(to.manifests.has(digest));
    assert.deepEqual(JSON.parse(to.manifests.get(`x/y:${tag}`)?.bytes.toString() ?? '').manifests, [entry]);
  }
});

test('indexes in indexes without end', async () => {
  await using from = await TestRegistry.start();
  await using to = await TestRegistry.start();
  let { digest, bytes } = addIndex(from);
  for (let depth = 0; depth < 8; depth++)
    ({ digest, bytes } = addList(from, 'a/b:1', [{ mediaType: MediaType.ociIndex, digest, size: bytes.length }]));
  await assert.rejects(copy(from, to), { code: 'MANIFEST_INVALID' });
  assert.deepEqual(namesOf(to), []);
});
