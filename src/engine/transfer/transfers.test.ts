import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { Failure, isFailure } from '../../lib/error.ts';
import { Scope } from '../../lib/scope.ts';
import { WorkerPool } from '../../lib/worker-pool.ts';
import { digestOf, parseDiffId } from '../../oci/digest.ts';
import { encodeConfig } from '../../oci/image-config.ts';
import { encodeManifest, type LayerDescriptor } from '../../oci/manifest.ts';
import { MediaType } from '../../oci/media-type.ts';
import { parsePlatform } from '../../oci/platform.ts';
import { parseReference } from '../../oci/reference.ts';
import { TestRegistry, testRegistries } from '../../remote/test-registry.ts';
import { Snapshots } from '../../snapshot/snapshots.ts';
import { checkStore } from '../../store/check.ts';
import { collect } from '../../store/collect.ts';
import { gather, openTestStore } from '../../store/test-store.ts';
import { rawTar } from '../../tar/tar-fixture.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import { Transfers } from './transfers.ts';

const skip = process.getuid?.() !== 0 && 'unpacks layers: needs root';
const signal = new AbortController().signal;

/** A host with a store of its own, and a registry. */
async function open() {
  const scope = new Scope();
  const registry = scope.use(await TestRegistry.start());
  const store = scope.use(await openTestStore());
  const url = new URL('../../snapshot/layer-tasks.test-worker.ts', import.meta.url);
  const pool = scope.use(new WorkerPool(url, 3));
  const snapshots = new Snapshots({
    layers: store.layers,
    active: join(store.root, 'active'),
    pool,
    trash: store.trash,
  });
  const events: string[] = [];
  const transfers = new Transfers({
    store,
    registries: scope.use(testRegistries()),
    receiveLayer: snapshots.receive.bind(snapshots),
    compressLayer: snapshots.compress.bind(snapshots),
    emit: ({ action, id }) => events.push(`${action} ${id}`),
  });
  const reference = (name: string) => parseReference(`${registry.host}/${name}`);
  const request = (name: string, lines: ProgressLine[]) => ({
    reference: reference(name),
    platform: undefined,
    auth: undefined,
    emit: async (line: ProgressLine) => void lines.push(line),
    signal,
  });
  async function run(action: 'pull' | 'push', name: string, more: object = {}): Promise<string[]> {
    const lines: ProgressLine[] = [];
    await transfers[action]({ ...request(name, lines), ...more });
    return lines
      .filter(({ progressDetail }) => progressDetail?.current === undefined)
      .map(({ id, status, aux }) => `${id === undefined ? '' : `${id}: `}${status ?? JSON.stringify(aux)}`);
  }
  return {
    registry,
    store,
    transfers,
    events,
    reference,
    request,
    run,
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

type Host = Awaited<ReturnType<typeof open>>;

const tars = ['one', 'two', 'three', 'four'].map((name) =>
  rawTar({ name: './', flag: '5', mode: 0o755 }, { name, content: name.repeat(5000) }),
);
const compressions: readonly (readonly [string, (tar: Buffer) => Buffer])[] = [
  [MediaType.dockerLayerGzip, (tar) => gzipSync(tar)],
  [MediaType.ociLayerZstd, (tar) => zstdCompressSync(tar)],
  [MediaType.ociLayer, (tar) => tar],
  [MediaType.ociLayerGzip, (tar) => gzipSync(tar, { level: 1 })],
];

/** Puts an image of the four layers, each in another compression, into the registry. */
function publish(registry: TestRegistry, name: string, architecture = 'amd64') {
  const layers = tars.map((tar, index): LayerDescriptor => {
    const [mediaType, compress] = compressions[index] ?? [MediaType.ociLayer, (bytes: Buffer) => bytes];
    return { mediaType, ...registry.addBlob(compress(tar)) };
  });
  const diffIds = tars.map((tar) => parseDiffId(digestOf(tar)));
  const config = encodeConfig({ architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } });
  const manifest = encodeManifest(registry.addBlob(config.bytes), layers);
  registry.addManifest(name, manifest);
  return { manifest, config, layers };
}

/** Nothing half-made: the store is sound and has just what the images need. */
async function checkClean({ store }: Host, layers: number): Promise<void> {
  assert.deepEqual(await gather(checkStore(store, { signal })), []);
  assert.equal(store.layers.folders().length, layers);
  assert.deepEqual(readdirSync(store.scratch), []);
}

test('pull: lines, names, what is stored; again: up to date; as another tag: layers exist', { skip }, async () => {
  await using host = await open();
  const { registry, store } = host;
  const { manifest, config, layers } = publish(registry, 'ns/x:1');
  const ids = layers.map(({ digest }) => digest.slice(7, 19));
  const lines = await host.run('pull', 'ns/x:1');
  assert.equal(lines[0], '1: Pulling from ns/x');
  assert.deepEqual(lines.slice(1, 6), [...ids.map((id) => `${id}: Pulling fs layer`), `${ids[3]}: Waiting`]);
  for (const id of ids)
    assert.deepEqual(
      lines.slice(6).filter((line) => line.startsWith(`${id}: `)),
      [`${id}: Verifying Checksum`, `${id}: Download complete`, `${id}: Pull complete`],
    );
  assert.deepEqual(lines.slice(-2), [
    `Digest: ${manifest.digest}`,
    `Status: Downloaded newer image for ${registry.host}/ns/x:1`,
  ]);
  const image = store.images.resolve(`${registry.host}/ns/x:1`);
  assert.equal(image.id, config.id);
  assert.deepEqual(
    store.images.names.digestsOf(image.id).map(({ digest }) => digest),
    [manifest.digest],
  );
  assert.deepEqual(host.events, [`pull ${registry.host}/ns/x:1`]);

  registry.log.length = 0;
  assert.deepEqual((await host.run('pull', 'ns/x:1')).slice(-1), [
    `Status: Image is up to date for ${registry.host}/ns/x:1`,
  ]);
  assert.deepEqual(registry.log, ['HEAD /v2/ns/x/manifests/1']);

  store.images.names.untag(host.reference('ns/x:1'));
  store.images.delete(image.id);
  const again = await host.run('pull', 'ns/x:1');
  assert.deepEqual(
    again.slice(1, 5),
    ids.map((id) => `${id}: Already exists`),
  );
  await checkClean(host, 4);
});

test('pull of all tags, and of an index', { skip }, async () => {
  await using host = await open();
  const { registry, store } = host;
  const { manifest } = publish(registry, 'x:one');
  const other = publish(registry, 'x:two', 'arm64');
  const entry = ({ mediaType, digest, size }: typeof manifest, architecture: string) => ({
    mediaType,
    digest,
    size,
    platform: { os: 'linux', architecture },
  });
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.ociIndex,
      manifests: [entry(other.manifest, 'arm64'), entry(manifest, 'amd64')],
    }),
  );
  const index = registry.addManifest('x:three', { mediaType: MediaType.ociIndex, bytes });
  const lines = await host.run('pull', 'x');
  assert.deepEqual(
    lines.filter((line) => line.startsWith('Digest')),
    [manifest.digest, other.manifest.digest, index].map((digest) => `Digest: ${digest}`),
  );
  assert.equal(lines.at(-1), `Status: Downloaded newer image for ${registry.host}/x`);
  const platform = process.arch === 'arm64' ? other.manifest : manifest;
  assert.equal(store.images.resolve(`${registry.host}/x:three`).id, platform.config.digest);
  await host.run('pull', 'x:three', { platform: parsePlatform('linux/arm64') });
  assert.equal(store.images.resolve(`${registry.host}/x:three`).id, other.config.id);
  await assert.rejects(host.run('pull', 'x:three', { platform: parsePlatform('linux/s390x') }), {
    message: 'no matching manifest for linux/s390x in the manifest list entries',
  });
  await assert.rejects(
    host.run('pull', 'x:one', { platform: parsePlatform('linux/s390x') }),
    /does not match the specified platform: wanted linux\/s390x, actual: linux\/amd64/,
  );
});

test('an image pulled by digest is pushed under that digest, also to another repository', { skip }, async () => {
  await using host = await open();
  const { registry, store } = host;
  const { manifest, config } = publish(registry, 'src:1');
  await host.run('pull', `src@${manifest.digest}`);
  const image = store.images.resolve(`${registry.host}/src@${manifest.digest}`);
  assert.equal(image.id, config.id);
  registry.blobs.clear();
  registry.manifests.clear();
  collect(store);
  store.images.names.tag(host.reference('dst:2'), image.id);
  const lines = await host.run('push', 'dst:2');
  assert.equal(lines.filter((line) => line.endsWith(': Pushed')).length, 4);
  assert.deepEqual(lines.slice(-2), [
    `2: digest: ${manifest.digest} size: ${manifest.size}`,
    JSON.stringify({ Tag: '2', Digest: manifest.digest, Size: manifest.size }),
  ]);
  assert.deepEqual(registry.manifests.get('dst:2')?.bytes, manifest.bytes);
});

test('push: what is compressed once is kept, found again and mounted', { skip }, async () => {
  await using host = await open();
  const { registry, store } = host;
  publish(registry, 'src:1');
  await host.run('pull', 'src:1');
  const { id } = store.images.resolve(`${registry.host}/src:1`);
  registry.blobs.clear();
  for (const name of ['a:1', 'a:2', 'b:1']) store.images.names.tag(host.reference(name), id);

  const first = await host.run('push', 'a:1');
  assert.equal(first[0], `The push refers to repository [${registry.host}/a]`);
  const top = [...tars].reverse().map((tar) => digestOf(tar).slice(7, 19));
  assert.deepEqual(
    first.slice(1, 5),
    top.map((layer) => `${layer}: Preparing`),
  );
  assert.deepEqual(first.slice(5, 9).sort(), top.map((layer) => `${layer}: Pushed`).sort());
  const stored = registry.manifests.get('a:1');
  assert.equal(stored?.type, MediaType.dockerManifest);
  const { layers } = JSON.parse(stored.bytes.toString());
  assert.deepEqual(
    layers.map(({ digest }: LayerDescriptor) => gunzipSync(registry.blobs.get(digest) ?? '')),
    tars,
  );

  assert.equal((await host.run('push', 'a:2')).filter((line) => line.endsWith('Layer already exists')).length, 4);
  assert.deepEqual(registry.manifests.get('a:2')?.bytes, stored.bytes);
  registry.misbehave = (request, response) => {
    // Blobs are seen only where they were pushed.
    if (request.method !== 'HEAD' || !request.url?.startsWith('/v2/b/blobs/')) return false;
    response.writeHead(404).end();
    return true;
  };
  const mounted = await host.run('push', 'b:1');
  assert.equal(mounted.filter((line) => line.endsWith(': Mounted from a')).length, 4);
  assert.deepEqual(registry.manifests.get('b:1')?.bytes, stored.bytes);
  assert.deepEqual(
    store.images.names.digestsOf(id).map(({ path }) => path),
    ['a', 'b', 'src'],
  );
  await checkClean(host, 4);
});

test('push: the form of a tag decides on compression, annotations and what is stated', { skip }, async () => {
  await using host = await open();
  const { registry, store } = host;
  publish(registry, 'src:1');
  await host.run('pull', 'src:1');
  const { id } = store.images.resolve(`${registry.host}/src:1`);
  const formsOf = async (tag: string, force: boolean) => {
    store.images.names.tag(host.reference(`a:${tag}`), id);
    store.images.forms.set(host.reference(`a:${tag}`), {
      oci: false,
      compression: { type: 'zstd', force },
      annotations: [{ on: 'manifest', key: 'k', value: 'v' }],
      attestations: [{ platform: 'linux/amd64', predicateType: 'p', predicate: {} }],
    });
    await host.run('push', `a:${tag}`);
    const index = JSON.parse(registry.manifests.get(`a:${tag}`)?.bytes.toString() ?? '');
    const [manifest, statement] = index.manifests.map(({ digest }: { digest: string }) =>
      JSON.parse(registry.manifests.get(digest)?.bytes.toString() ?? ''),
    );
    assert.deepEqual(manifest.annotations, { k: 'v' });
    assert.ok(registry.blobs.has(statement.layers[0].digest) && registry.blobs.has(statement.config.digest));
    const layers: readonly LayerDescriptor[] = manifest.layers;
    return layers.map(({ mediaType, digest }) => [mediaType, registry.blobs.get(digest)] as const);
  };
  const kept = await formsOf('1', false);
  assert.deepEqual(
    kept.map(([mediaType]) => mediaType),
    [MediaType.ociLayerGzip, MediaType.ociLayerZstd, MediaType.ociLayer, MediaType.ociLayerGzip],
  );
  const forced = await formsOf('2', true);
  assert.deepEqual(
    forced.map(([mediaType, bytes]) => [mediaType, zstdDecompressSync(bytes ?? '')]),
    tars.map((tar) => [MediaType.ociLayerZstd, tar]),
  );
  await checkClean(host, 4);
});

test('a layer that was never compared with its blob is not shipped as that blob', { skip }, async () => {
  await using host = await open();
  const { registry, store } = host;
  const honest = publish(registry, 'honest:1');
  await host.run('pull', 'honest:1');
  // The same config, but the layers are others; nothing is downloaded, all of it seems to be there.
  const evil = encodeManifest(
    honest.manifest.config,
    tars.map(() => ({ mediaType: MediaType.dockerLayerGzip, ...registry.addBlob(Buffer.from('evil')) })),
  );
  registry.addManifest('evil:1', evil);
  await host.run('pull', 'evil:1');
  const { id } = store.images.resolve(`${registry.host}/evil:1`);
  store.images.names.tag(host.reference('good:1'), id);
  await host.run('push', 'good:1');
  assert.deepEqual(registry.manifests.get('good:1')?.bytes, honest.manifest.bytes);
});

test('push of what does not exist, of a digest; pull of scratch', { skip }, async () => {
  await using host = await open();
  const { registry } = host;
  await assert.rejects(host.run('push', 'none:1'), {
    message: `An image does not exist locally with the tag: ${registry.host}/none`,
  });
  await assert.rejects(host.run('push', `none@${digestOf('x')}`), { message: 'cannot push a digest reference' });
  await assert.rejects(host.run('pull', 'none:1', { reference: parseReference('scratch') }), {
    message: "'scratch' is a reserved name",
  });
});

for (const [what, spoil, expected] of [
  [
    'a layer that is missing',
    (registry, { layers }) => void registry.blobs.delete(layers[1]?.digest ?? ''),
    /^blob unknown/,
  ],
  [
    'a layer of other bytes',
    (registry, { layers }) => void registry.blobs.set(layers[2]?.digest ?? '', Buffer.alloc(layers[2]?.size ?? 0)),
    /^filesystem layer verification failed for digest sha256:/,
  ],
  [
    'a layer that is not the one of the config',
    (registry, { manifest, layers }) => {
      const wrong = { ...registry.addBlob(gzipSync(tars[1] ?? '')), mediaType: MediaType.dockerLayerGzip };
      registry.addManifest('x:1', encodeManifest(manifest.config, [wrong, ...layers.slice(1)]));
    },
    /^wrong diff id calculated on extraction/,
  ],
  [
    'fewer layers than the config names',
    (registry, { manifest, layers }) =>
      void registry.addManifest('x:1', encodeManifest(manifest.config, layers.slice(1))),
    /has 3 layers, its config 4/,
  ],
  [
    'a config that is none',
    (registry, { layers }) =>
      void registry.addManifest('x:1', encodeManifest(registry.addBlob(Buffer.from('[]')), layers)),
    /has 4 layers, its config 0/,
  ],
  [
    'no manifest',
    (registry) => registry.manifests.clear(),
    /^manifest for 127.*\/x:1 not found: manifest unknown: manifest unknown$/,
  ],
  [
    'no right to read',
    (registry) => {
      registry.misbehave = (request, response) => {
        if (request.url === '/v2/') return false;
        response.writeHead(403).end();
        return true;
      };
    },
    /^pull access denied for 127.*\/x, repository does not exist or may require 'docker login': denied: requested access/,
  ],
] as readonly (readonly [string, (registry: TestRegistry, image: ReturnType<typeof publish>) => void, RegExp])[])
  test(`pull of an image with ${what} leaves nothing`, { skip }, async () => {
    await using host = await open();
    spoil(host.registry, publish(host.registry, 'x:1'));
    await assert.rejects(host.run('pull', 'x:1'), (error) => isFailure(error) && expected.test(error.message));
    assert.deepEqual(host.store.images.list(), []);
    await checkClean(host, 0);
  });

test('a pull that its client leaves stops and leaves nothing', { skip }, async () => {
  await using host = await open();
  const { registry } = host;
  const { layers } = publish(registry, 'x:1');
  const abort = new AbortController();
  registry.misbehave = (request, response) => {
    if (!request.url?.endsWith(layers[0]?.digest ?? '')) return false;
    response.writeHead(200, { 'content-length': layers[0]?.size ?? 0 });
    response.write('x', () => abort.abort(new Failure('cancelled', 'CLIENT_GONE', 'gone')));
    return true;
  };
  await assert.rejects(host.run('pull', 'x:1', { signal: abort.signal }), (error) => isFailure(error, 'cancelled'));
  await checkClean(host, 0);
});

test('a push that fails leaves no record of itself, and the next one succeeds', { skip }, async () => {
  await using host = await open();
  const { registry, store } = host;
  publish(registry, 'src:1');
  await host.run('pull', 'src:1');
  const { id } = store.images.resolve(`${registry.host}/src:1`);
  registry.blobs.clear();
  store.images.names.tag(host.reference('dst:1'), id);
  registry.misbehave = (request, response) => {
    if (request.method !== 'POST') return false;
    response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://127.0.0.1:1/"' }).end();
    return true;
  };
  await assert.rejects(host.run('push', 'dst:1'), (error) => isFailure(error, 'unavailable'));
  assert.deepEqual(
    store.images.names.digestsOf(id).map(({ path }) => path),
    ['src'],
  );
  registry.misbehave = undefined;
  await host.run('push', 'dst:1');
  assert.ok(registry.manifests.has('dst:1'));
  await checkClean(host, 4);
});

test('pulls of the same repository at once bring it once', { skip }, async () => {
  await using host = await open();
  publish(host.registry, 'x:1');
  await Promise.all([host.run('pull', 'x:1'), host.run('pull', 'x:1'), host.run('pull', 'x:1')]);
  assert.equal(host.registry.log.filter((line) => line.startsWith('GET') && line.includes('/blobs/')).length, 5);
  await checkClean(host, 4);
});

test('what a registry has under a name, without a pull', { skip }, async () => {
  await using host = await open();
  const { manifest } = publish(host.registry, 'x:1');
  const { mediaType, digest, size } = manifest;
  assert.deepEqual(await host.transfers.distribution(host.reference('x:1'), { auth: undefined, signal }), {
    Descriptor: { mediaType, digest, size },
    Platforms: [{ architecture: 'amd64', os: 'linux' }],
  });
  await checkClean(host, 0);
});
