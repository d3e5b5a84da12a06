import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Failure } from '../../lib/error.ts';
import { isFileRange } from '../../lib/file-range.ts';
import type { RunConfig } from '../../oci/image-config.ts';
import { hostPlatform, parsePlatform } from '../../oci/platform.ts';
import { parseReference } from '../../oci/reference.ts';
import type { Store } from '../../store/open-store.ts';
import { addImage, addLayer, openTestStore, testDiffId } from '../../store/test-store.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import type { EventSubject } from '../event-log.ts';
import { Images } from './images.ts';
import type { ImportRequest } from './import-image.ts';

const signal = new AbortController().signal;

function makeImages(store: Store): { images: Images; events: EventSubject[] } {
  const events: EventSubject[] = [];
  const images = new Images({
    store,
    emit: (event) => events.push(event),
    containersOf: () => [],
    receiveLayer: async (source) => {
      assert.ok(!isFileRange(source));
      let text = '';
      for await (const chunk of source) text += Buffer.from(chunk); // valid until the next one is asked for
      if (text === 'no tar') throw new Failure('invalid', 'TAR_INVALID', 'this is no tar');
      return addLayer(store, text, text.length).layer;
    },
    applyChanges: (config: RunConfig, changes) => {
      if (changes.includes('RUN x'))
        throw new Failure('invalid', 'CHANGE_INVALID', 'RUN is not a valid change command');
      return changes.length === 0 ? config : { ...config, Labels: { changes: changes.join('|') } };
    },
  });
  return { images, events };
}

function importRequest(more: Partial<ImportRequest> = {}): ImportRequest {
  async function* body() {
    yield Buffer.from('tar');
  }
  return {
    source: { kind: 'tar', body: body() },
    target: undefined,
    message: '',
    changes: [],
    platform: undefined,
    emit: async () => {},
    signal,
    ...more,
  };
}

test('import: config, history, name and events', async () => {
  await using store = await openTestStore();
  const { images, events } = makeImages(store);
  const target = parseReference('team/base');
  const { image } = await images.importTar(importRequest({ target, changes: ['CMD x', 'ENV a=b'] }));
  const { config, bytes } = store.images.resolve('team/base:latest');
  const { created } = config;
  assert.ok(Math.abs(Date.now() - Date.parse(created ?? '')) < 60_000);
  assert.deepEqual(JSON.parse(bytes.toString()), {
    ...hostPlatform(),
    comment: 'Imported from -',
    config: { Labels: { changes: 'CMD x|ENV a=b' } },
    created,
    history: [{ created, comment: 'Imported from -' }],
    rootfs: { type: 'layers', diff_ids: [testDiffId('tar')] },
  });
  const labels = { changes: 'CMD x|ENV a=b' };
  assert.deepEqual(events, [
    { type: 'image', action: 'tag', id: image, attributes: { ...labels, name: 'team/base:latest' } },
    { type: 'image', action: 'import', id: image, attributes: { ...labels, name: image } },
  ]);
  const [row] = await images.history(image);
  assert.deepEqual([row?.Id, row?.CreatedBy, row?.Comment, row?.Size], [image, '', 'Imported from -', 3]);
});

test('import: message and platform', async () => {
  await using store = await openTestStore();
  const { images } = makeImages(store);
  const platform = { os: 'linux', architecture: 'arm', variant: 'v7' };
  const { image } = await images.importTar(importRequest({ message: 'mine', platform }));
  const shown = await images.inspect(image);
  assert.deepEqual([shown.Comment, shown.Os, shown.Architecture, shown.Variant], ['mine', 'linux', 'arm', 'v7']);
  assert.deepEqual([shown.RepoTags, shown.RepoDigests, shown.Parent], [[], [], '']);
});

for (const [name, more, message] of [
  ['the name scratch', { target: parseReference('scratch') }, "'scratch' is a reserved name"],
  [
    'a digest as name',
    { target: parseReference(`a@${testDiffId('x')}`) },
    'refusing to create a tag with a digest reference',
  ],
  ['a change that is none', { changes: ['RUN x'] }, 'RUN is not a valid change command'],
  [
    'a scheme that is not for this',
    { source: { kind: 'url', url: 'file:///etc/shadow' } },
    'cannot import from "file:///etc/shadow"',
  ],
  ['no URL', { source: { kind: 'url', url: 'http://' } }, 'cannot import from "http://"'],
  [
    'a host that does not answer',
    { source: { kind: 'url', url: '127.0.0.1:1/x.tar' } },
    /^cannot download http:\/\/127.0.0.1:1\/x.tar/,
  ],
] as readonly (readonly [string, Partial<ImportRequest>, string | RegExp])[]) {
  test(`import refuses ${name}, and reads nothing`, async () => {
    await using store = await openTestStore();
    const { images, events } = makeImages(store);
    let read = false;
    async function* body() {
      read = true;
      yield Buffer.from('tar');
    }
    await assert.rejects(images.importTar(importRequest({ source: { kind: 'tar', body: body() }, ...more })), {
      message,
    });
    assert.ok(!read);
    assert.deepEqual([store.images.list(), store.layers.list(), events], [[], [], []]);
  });
}

test('import of what is no tar adds no image and keeps the old holder of the name', async () => {
  await using store = await openTestStore();
  const { images } = makeImages(store);
  const target = parseReference('base:1');
  const { image } = await images.importTar(importRequest({ target }));
  async function* body() {
    yield Buffer.from('no tar');
  }
  await assert.rejects(images.importTar(importRequest({ target, source: { kind: 'tar', body: body() } })), {
    message: 'this is no tar',
  });
  assert.equal(store.images.resolve('base:1').id, image);
  assert.equal(store.images.list().length, 1);
});

test('import from a URL tells its progress and keeps the password out of the image', async () => {
  await using store = await openTestStore();
  const { images } = makeImages(store);
  const content = 'x'.repeat(1 << 20);
  const server = createServer((request, response) => {
    if (request.url !== '/root.tar') return response.writeHead(404, 'Not Found').end();
    return response.writeHead(200, { 'content-length': content.length }).end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo; // it listens on TCP
    const lines: ProgressLine[] = [];
    const emit = async (line: ProgressLine) => void lines.push(line);
    const url = `http://127.0.0.1:${port}/root.tar`;
    const { image } = await images.importTar(importRequest({ source: { kind: 'url', url }, emit }));
    assert.equal((await images.inspect(image)).Comment, `Imported from ${url}`);
    assert.deepEqual(lines[0], { status: `Downloading from ${url}` });
    assert.deepEqual(lines.at(-1), {
      status: 'Importing',
      progressDetail: { current: content.length, total: content.length },
    });
    const missing = { kind: 'url', url: `http://127.0.0.1:${port}/none` } as const;
    await assert.rejects(images.importTar(importRequest({ source: missing })), /status 404 Not Found$/);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('inspect: every field', async () => {
  await using store = await openTestStore();
  const { images } = makeImages(store);
  const parent = addImage(store, ['a']);
  const image = addImage(store, ['a', 'b'], {
    author: 'me',
    docker_version: '20.10.24',
    parent: parent.id,
    config: { Cmd: ['x'], Labels: { a: 'b' } },
    history: [{ comment: 'first' }, { comment: 'last' }],
  });
  store.images.names.tag(parseReference('b'), image.id);
  store.images.names.tag(parseReference('a:1'), image.id);
  const manifest = testDiffId('m');
  const withDigest = parseReference(`a@${manifest}`);
  assert.ok(withDigest.digest);
  store.images.names.addDigest(withDigest, withDigest.digest, image.id);
  const { Metadata, ...shown } = await images.inspect('b');
  assert.ok(Math.abs(Date.parse(Metadata.LastTagTime) - Date.now()) < 60_000);
  assert.deepEqual(shown, {
    Id: image.id,
    RepoTags: ['a:1', 'b:latest'],
    RepoDigests: [`a@${manifest}`],
    Parent: parent.id,
    Comment: 'last',
    Created: '2026-01-02T03:04:05.678901234Z',
    Container: '',
    DockerVersion: '20.10.24',
    Author: 'me',
    Config: { Cmd: ['x'], Labels: { a: 'b' } },
    Architecture: 'amd64',
    Os: 'linux',
    Size: 2,
    GraphDriver: {
      Name: 'overlay2',
      Data: { LowerDir: `${store.layers.root}/1/diff`, UpperDir: `${store.layers.root}/2/diff` },
    },
    RootFS: { Type: 'layers', Layers: [testDiffId('a'), testDiffId('b')] },
  });
});

test('inspect and history of an image that says nothing: zero times, no layers', async () => {
  await using store = await openTestStore();
  const { images } = makeImages(store);
  const { id } = addImage(store, [], { created: '', history: [{ empty_layer: true }] });
  const shown = await images.inspect(id);
  assert.deepEqual(
    [shown.Created, shown.Metadata.LastTagTime, shown.RootFS, shown.GraphDriver.Data],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z', { Type: 'layers' }, {}],
  );
  assert.deepEqual(
    (await images.history(id)).map(({ Created }) => Created),
    [-62135596800],
  );
  assert.deepEqual(
    (await images.list({ all: true, filters: {}, sharedSize: false, manifests: false })).map(({ Created, Labels }) => [
      Created,
      Labels,
    ]),
    [[-62135596800, null]],
  );
});

test('history: sizes by layer, IDs as far as parents are known', async () => {
  await using store = await openTestStore();
  const { images } = makeImages(store);
  addLayer(store, 'a', 10);
  addLayer(store, 'b', 20);
  const history = [
    { created_by: 'first' },
    { created_by: 'second', empty_layer: true },
    { created_by: 'third', created: '1970-01-01T00:00:09Z' },
  ];
  const middle = addImage(store, ['a'], { history: history.slice(0, 2) });
  const top = addImage(store, ['a', 'b'], { history, parent: middle.id });
  store.images.names.tag(parseReference('top'), top.id);
  const rows = await images.history('top');
  assert.deepEqual(
    rows.map(({ Id, CreatedBy, Size, Tags }) => [Id, CreatedBy, Size, Tags]),
    [
      [top.id, 'third', 20, ['top:latest']],
      [middle.id, 'second', 0, null],
      ['<missing>', 'first', 10, null],
    ],
  );
  assert.equal(rows[0]?.Created, 9);
});

test('list: sizes, shared sizes, time filters', async () => {
  await using store = await openTestStore();
  const { images } = makeImages(store);
  addLayer(store, 'base', 100);
  addLayer(store, 'a', 5);
  addImage(store, ['base'], { created: '2020-01-01T00:00:00Z' });
  addImage(store, ['base', 'a'], { created: '2021-01-01T00:00:00Z' });
  const sizes = async (filters: Record<string, string[]>, sharedSize = true) =>
    (await images.list({ all: false, filters, sharedSize, manifests: false })).map((row) => [row.Size, row.SharedSize]);
  assert.deepEqual(await sizes({}), [
    [105, 100],
    [100, 100],
  ]);
  assert.deepEqual(await sizes({}, false), [
    [105, -1],
    [100, -1],
  ]);
  for (const until of ['2020-06-01', '2020-06-01T00:00:00Z', '1590969600', '1590969600.5'])
    assert.deepEqual(await sizes({ until: [until] }), [[100, 100]], until);
  assert.equal((await sizes({ until: ['1h30m'] })).length, 2);
  assert.equal((await sizes({ until: ['2020-06-01', '2019-01-01'] })).length, 0);
  for (const [filters, message] of [
    [{ until: ['soon'] }, 'failed to parse value as time or duration: "soon"'],
    [{ dangling: ['maybe'] }, "invalid filter 'dangling=[maybe]'"],
    [{ reference: ['[a'] }, "invalid filter 'reference=[a': syntax error in pattern"],
  ] as const)
    await assert.rejects(images.list({ all: false, filters, sharedSize: false, manifests: false }), {
      kind: 'invalid',
      message,
    });
});

test('removing an image frees its layers and forgets the cache of its steps, other layers stay', async () => {
  await using store = await openTestStore();
  const { images, events } = makeImages(store);
  const kept = addImage(store, ['base'], { author: 'kept' });
  const step = addImage(store, ['base', 'a'], { config: { Labels: { a: 'b' } } });
  store.images.names.tag(parseReference('app'), step.id);
  for (const seed of ['base', 'a'])
    store.cache.put({ key: seed, site: 's', components: [], result: 'r', layer: testDiffId(seed) });
  await images.remove('app', { force: false, prune: true });
  assert.deepEqual(
    store.layers.list().map(({ diffId }) => diffId),
    kept.config.rootfs.diff_ids,
  );
  assert.deepEqual(
    store.cache.list().map(({ key }) => key),
    ['base'],
  );
  assert.deepEqual(events, [
    { type: 'image', action: 'untag', id: step.id, attributes: { a: 'b', name: step.id } },
    { type: 'image', action: 'delete', id: step.id, attributes: { name: step.id } },
  ]);
});

test('prune tells the bytes that came back', async () => {
  await using store = await openTestStore();
  const { images, events } = makeImages(store);
  addLayer(store, 'shared', 100);
  addLayer(store, 'own', 7);
  const named = addImage(store, ['shared']);
  store.images.names.tag(parseReference('named'), named.id);
  const dangling = addImage(store, ['shared', 'own']);
  const old = { filters: { until: ['2000-01-01'] }, signal };
  assert.deepEqual(await images.prune(old), { ImagesDeleted: null, SpaceReclaimed: 0 });
  const pruned = await images.prune({ filters: {}, signal });
  assert.equal(pruned.SpaceReclaimed, 7);
  assert.deepEqual(pruned.ImagesDeleted?.[0], { Deleted: dangling.id });
  assert.deepEqual(events.at(-1), { type: 'image', action: 'prune', id: '', attributes: { reclaimed: '7' } });
});

test('what running work uses is not removed: names go by force only, records stay until it ends', async () => {
  await using store = await openTestStore();
  const { images } = makeImages(store);
  const base = addImage(store, ['a']);
  const step = addImage(store, ['a', 'b'], { parent: base.id });
  await images.tag(base.id, parseReference('base:1'));
  const held = store.leases.hold({ images: [base.id, step.id] });
  const remove = (name: string, force: boolean) => images.remove(name, { force, prune: true });
  const inUse = { code: 'IMAGE_IN_USE', message: /running build or pull/ };
  await assert.rejects(remove('base:1', false), inUse);
  await assert.rejects(remove(step.id, true), inUse);
  const pruned = await images.prune({ filters: { dangling: ['false'] }, signal });
  assert.equal(pruned.ImagesDeleted, null);
  assert.deepEqual(await remove('base:1', true), [{ Untagged: 'base:1' }]);
  assert.ok(store.images.has(base.id));
  held[Symbol.dispose]();
  await images.prune({ filters: {}, signal });
  assert.deepEqual(store.images.list(), []);
});

test('tag: a tag of a tag is the same index in the same form, one of an ID is the image alone', async () => {
  await using store = await openTestStore();
  const { images } = makeImages(store);
  const own = addImage(store, ['a'], {});
  const other = addImage(store, ['b'], { architecture: 'arm64' });
  const [from, to] = [parseReference('a:1'), parseReference('b:1')];
  store.images.names.tag(from, own.id);
  const members = [own, other].map(({ id }, index) => ({
    platform: parsePlatform(['amd64', 'arm64'][index] ?? ''),
    image: id,
  }));
  store.images.platforms.setIndex(from, members);
  const form = { oci: true, annotations: [], attestations: [] };
  store.images.forms.set(from, form);
  await images.tag('a:1', to);
  assert.deepEqual([store.images.platforms.indexOf(to), store.images.forms.of(to)], [members, form]);
  await images.tag(own.id, to);
  assert.deepEqual([store.images.platforms.indexOf(to), store.images.forms.of(to)], [[], undefined]);
});
