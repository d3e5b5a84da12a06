import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { Failure } from '../../../lib/error.ts';
import { parseDigest } from '../../../oci/digest.ts';
import { completeReference } from '../../../oci/reference.ts';
import type { ClientSession } from '../session/sessions.ts';
import type { StatusResponse } from '../shapes/status.ts';
import { type ExportBackend, exportResult, refuseExporters } from './export.ts';

const IMAGE = `sha256:${'1'.repeat(64)}`;
const result = {
  ref: 'r',
  images: [{ image: IMAGE, build: 'b', platform: 'linux/amd64', attestations: [] }],
  metadata: new Map(),
};
const { signal } = new AbortController();

function host(refused?: Failure) {
  const done: string[] = [];
  const backend: ExportBackend = {
    build: {
      keep: async ([first], names, form) => {
        const shape = form ? ` ${JSON.stringify(form)}` : '';
        done.push(`keep ${first?.image === IMAGE} ${names.map(completeReference)}${shape}`);
      },
    },
    registry: {
      push: async ({ reference, emit }) => {
        if (refused) throw refused;
        done.push(`push ${completeReference(reference)}`);
        await emit({ id: 'layer', progressDetail: { current: 1, total: 2 } });
        await emit({ progressDetail: {}, aux: { Tag: 'latest', Digest: 'sha256:pushed', Size: 1 } });
      },
    },
    archives: {
      output: async () => ({
        descriptor: { mediaType: 'm', digest: parseDigest(IMAGE), size: 1 },
        open: () => Readable.from(['tar']),
        [Symbol.dispose]() {},
      }),
      tree: async () => Readable.from(['tar']),
    },
    cacheTransfer: {
      push: async (builds, { mode, reference }) => {
        done.push(`cache of ${builds} ${mode} ${completeReference(reference)}`);
        return 'sha256:2';
      },
    },
    clientCaches: {
      blobs() {
        throw new Error('no client has a place for them');
      },
    },
  };
  return { backend, done };
}

async function exported(
  backend: ExportBackend,
  exporters: readonly { type: string; attrs?: Readonly<Record<string, string>> }[],
  cacheExports: readonly { type: string; attrs: ReadonlyMap<string, string> }[] = [],
) {
  const shown: string[] = [];
  const show = async ({ vertexes = [], statuses = [] }: Partial<StatusResponse>) => {
    for (const { name, completed, error } of vertexes)
      if (completed) shown.push(error === '' ? name : `${name}: ${error}`);
    for (const { id, completed } of statuses) if (completed) shown.push(`- ${id}`);
  };
  // A session whose client takes no files: nothing else of it is asked for here.
  const session = { id: 's', has: () => false, closed: signal } as unknown as ClientSession;
  const list = exporters.map(({ type, attrs = {} }) => ({ type, attrs: new Map(Object.entries(attrs)) }));
  const told = await exportResult(backend, result, { exporters: list, cacheExports, session, show, signal }).catch(
    (error: Error) => error,
  );
  return { told: told instanceof Map ? Object.fromEntries(told) : told, shown };
}

test('an image gets its names, and its client what it writes into files', async () => {
  const { backend, done } = host();
  const { told, shown } = await exported(backend, [
    { type: 'moby', attrs: { name: 'a,r.example/b:2', push: 'false' } },
  ]);
  assert.deepEqual(told, {
    'containerimage.config.digest': IMAGE,
    'containerimage.digest': IMAGE,
    'image.name': 'docker.io/library/a:latest,r.example/b:2',
  });
  assert.deepEqual(done, ['keep true docker.io/library/a:latest', 'keep true r.example/b:2']);
  assert.deepEqual(shown, [
    '- exporting layers',
    `- writing image ${IMAGE}`,
    '- naming to docker.io/library/a:latest',
    '- naming to r.example/b:2',
    'exporting to image',
  ]);
});

test('an image is pushed, and a cache goes to its registry', async () => {
  const { backend, done } = host();
  const attrs = new Map([
    ['ref', 'r.example/cache'],
    ['mode', 'max'],
  ]);
  const { told, shown } = await exported(
    backend,
    [{ type: 'moby', attrs: { name: 'r.example/b', push: 'true' } }],
    [
      { type: 'inline', attrs: new Map() },
      { type: 'registry', attrs },
    ],
  );
  assert.ok(!(told instanceof Error) && told['containerimage.digest'] === 'sha256:pushed');
  assert.deepEqual(done.slice(1), ['push r.example/b:latest', 'cache of b max r.example/cache:latest']);
  assert.deepEqual(shown.slice(-2), [
    '- writing cache manifest to r.example/cache:latest',
    'exporting cache to registry',
  ]);
});

test('what goes wrong is said in the vertex too', async () => {
  const { backend } = host(new Failure('denied', 'X', 'denied: no'));
  const { told, shown } = await exported(backend, [{ type: 'image', attrs: { name: 'a', push: 'true' } }]);
  assert.ok(told instanceof Failure && told.message === 'denied: no');
  assert.equal(shown.at(-1), 'exporting to image: denied: no');
  const files = await exported(host().backend, [{ type: 'tar' }]);
  assert.match(String(files.told), /the client of the session takes no files/);
});

const refused: readonly [type: string, attrs: Readonly<Record<string, string>>, message: RegExp][] = [
  ['cloud', {}, /exporter "cloud" could not be found/],
  ['constructor', {}, /exporter "constructor" could not be found/],
  ['image', { 'push-by-digest': 'true' }, /push-by-digest is not supported/],
  ['moby', { name: 'A' }, /invalid reference|repository name/],
  ['moby', { push: 'perhaps' }, /non-bool value specified for push: "perhaps"/],
  ['oci', { compression: 'estargz' }, /unsupported layer compression type estargz/],
  [
    'oci',
    { compression: 'gzip', 'compression-level': '10' },
    /invalid compression-level "10": expected 0 to 9 for gzip/,
  ],
  ['oci', { 'annotation-layer.a': 'b' }, /unrecognized annotation type layer/],
];
for (const [type, attrs, message] of refused) {
  test(`refused before the build: ${type} ${JSON.stringify(attrs)}`, () =>
    assert.throws(() => refuseExporters([{ type, attrs: new Map(Object.entries(attrs)) }]), { message }));
}

test('attributes of an output are the form in which the image is kept', async () => {
  const { backend, done } = host();
  const attrs = { name: 'a', compression: 'zstd', 'compression-level': '9', 'annotation.k': 'v' };
  await exported(backend, [{ type: 'moby', attrs }]);
  const form = {
    oci: false,
    annotations: [{ on: 'manifest', key: 'k', value: 'v' }],
    attestations: [],
    compression: { type: 'zstd', force: false, level: 9 },
  };
  assert.deepEqual(done, [`keep true docker.io/library/a:latest ${JSON.stringify(form)}`]);
});
