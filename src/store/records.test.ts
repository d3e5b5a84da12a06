import assert from 'node:assert/strict';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFailure } from '../lib/error.ts';
import { newContainerId, parseContainerId } from './containers.ts';
import { addImage, addLayer, openTestStore, testDiffId } from './test-store.ts';
import { usage } from './usage.ts';

const noLayers = { image: undefined, record: {}, layers: [] };

test('cache: a record is found by key, and the latest of an instruction by its site', async (context) => {
  context.mock.timers.enable({ apis: ['Date'], now: 1000 });
  await using store = await openTestStore();
  const components = [{ name: 'file a.txt', value: 'sha256:1' }];
  store.cache.put({ key: 'k1', site: 'COPY . .', components, result: 'r1' });
  context.mock.timers.setTime(2000);
  store.cache.put({ key: 'k2', site: 'COPY . .', components: [], result: 'r2' });
  assert.equal(store.cache.alike('COPY . .', 1)[0]?.key, 'k2');
  context.mock.timers.setTime(3000);
  assert.deepEqual(store.cache.use('k1'), {
    key: 'k1',
    site: 'COPY . .',
    components,
    result: 'r1',
    layer: undefined,
    image: undefined,
    created: 1000,
    lastUsed: 3000,
    useCount: 1,
  });
  assert.equal(store.cache.alike('COPY . .', 9)[0]?.key, 'k1');
  assert.equal(store.cache.use('k3'), undefined);
  assert.deepEqual(store.cache.alike('RUN x', 9), []);
});

test('cache: a record goes with the image or the layer that it relies on', async () => {
  await using store = await openTestStore();
  const image = addImage(store, []);
  const { layer } = addLayer(store, 'a');
  store.cache.put({ key: 'image', site: 's', components: [], result: 'r', image: image.id });
  store.cache.put({ key: 'layer', site: 's', components: [], result: 'r', layer: layer.diffId });
  store.images.delete(image.id);
  store.layers.discard(layer.id);
  assert.deepEqual(store.cache.list(), []);
});

test('cache: what it takes is what no image or container that people have needs', async (context) => {
  context.mock.timers.enable({ apis: ['Date'], now: 0 });
  await using store = await openTestStore();
  const record = { site: 's', components: [], result: 'r' };
  for (const seed of ['base', 'own', 'stage', 'lost']) addLayer(store, seed, 100);
  store.cache.put({ ...record, key: 'own', layer: testDiffId('own') });
  context.mock.timers.setTime(1);
  store.cache.put({ ...record, key: 'stage', layer: testDiffId('stage') });
  store.cache.put({ ...record, key: 'nothing' });
  const base = addImage(store, ['base']);
  const step = addImage(store, ['base', 'own'], { parent: base.id, stepKey: '1' });
  const result = addImage(store, ['base', 'own'], { parent: step.id, stepKey: '2', author: 'a' });
  const stage = addImage(store, ['base', 'stage'], { parent: base.id, stepKey: '3' });
  const lost = addImage(store, ['base', 'stage', 'lost'], { parent: stage.id, stepKey: '4' });
  assert.equal(store.cacheSpace.bytes(), 300);
  store.cacheSpace.keepResult(result.id);
  assert.equal(store.cacheSpace.bytes(), 200);
  assert.deepEqual(
    store.cacheSpace.entries().map(({ key, size, isNeeded }) => [key, size, isNeeded]),
    [
      ['own', 100, true],
      [undefined, 100, false],
      ['nothing', 0, false],
      ['stage', 100, false],
    ],
  );
  assert.deepEqual(store.cacheSpace.stepImages(undefined), [lost.id, stage.id]);
  assert.deepEqual(store.cacheSpace.stepImages(testDiffId('lost')), [lost.id]);
  store.images.delete(result.id);
  assert.equal(store.cacheSpace.bytes(), 300);
});

test('containers: names are unique and case counts', async () => {
  await using store = await openTestStore();
  const [a, b] = [newContainerId(), newContainerId()];
  store.containers.create({ ...noLayers, id: a, name: 'web' });
  const taken = (error: unknown) =>
    isFailure(error, 'conflict') &&
    error.message ===
      `Conflict. The container name "/web" is already in use by container "${a}". You have to remove (or rename) that container to be able to reuse that name.`;
  assert.throws(() => store.containers.create({ ...noLayers, id: b, name: 'web' }), taken);
  store.containers.create({ ...noLayers, id: b, name: 'Web' });
  assert.throws(() => store.containers.rename(b, 'web'), taken);
  store.containers.rename(a, 'web');
  store.containers.rename(a, 'old');
  store.containers.rename(b, 'web');
  assert.equal(store.containers.byName('web')?.id, b);
  store.containers.delete(b);
  store.containers.rename(a, 'web');
  assert.deepEqual(
    store.containers.list().map(({ id, name }) => [id, name]),
    [[a, 'web']],
  );
});

test('containers: documents, users of an image, layers that stay', async () => {
  await using store = await openTestStore();
  const image = addImage(store, ['a', 'b']);
  const id = newContainerId();
  store.containers.create({
    id,
    name: 'c',
    image: image.id,
    record: { state: 'created' },
    layers: image.config.rootfs.diff_ids,
  });
  store.containers.update(id, { state: 'running', list: [1, null] });
  assert.deepEqual(store.containers.get(id)?.record, { state: 'running', list: [1, null] });
  assert.deepEqual(store.containers.usersOf(image.id), [id]);
  assert.deepEqual(store.images.delete(image.id), [], 'the container keeps the chains');
  assert.deepEqual(store.containers.layersOf(id), image.config.rootfs.diff_ids);
  assert.throws(
    () => store.containers.update(newContainerId(), {}),
    (error) => isFailure(error, 'not-found'),
  );
});

test('containers: what a text means', async () => {
  await using store = await openTestStore();
  const a = parseContainerId('aa'.repeat(32));
  const b = parseContainerId(`ab${'0'.repeat(62)}`);
  store.containers.create({ ...noLayers, id: a, name: 'web' });
  store.containers.create({ ...noLayers, id: b, name: 'aaa' });
  for (const [text, id] of [
    [a, a],
    ['web', a],
    ['/web', a],
    ['aaaa', a],
    ['aaa', b],
    ['ab', b],
  ] as const)
    assert.equal(store.containers.resolve(text).id, id, text);
  for (const [text, message] of [
    ['a', /^multiple IDs found with provided prefix: a$/],
    ['nope', /^No such container: nope$/],
    ['', /^No such container: $/],
    ['ac', /^No such container: ac$/],
  ] as const)
    assert.throws(() => store.containers.resolve(text), { message });
});

test('volumes: made once, kept while used, removed with their content', async () => {
  await using store = await openTestStore();
  const volume = { name: 'data', anonymous: false, labels: { a: 'b' }, options: {} };
  const made = store.volumes.create(volume);
  assert.deepEqual(store.volumes.create({ ...volume, labels: {} }), made);
  assert.equal(made.path, join(store.root, 'volumes/data/_data'));
  assert.equal(statSync(made.path).mode & 0o777, 0o755);
  writeFileSync(join(made.path, 'file'), '');
  const id = newContainerId();
  store.containers.create({ ...noLayers, id, name: 'c' });
  store.volumes.ref('data', id);
  store.volumes.ref('data', id);
  assert.deepEqual(store.volumes.usedBy(id), [made]);
  assert.throws(() => store.volumes.delete('data'), {
    kind: 'conflict',
    message: `remove data: volume is in use - [${id}]`,
  });
  store.containers.delete(id);
  store.volumes.delete('data');
  assert.ok(!existsSync(made.path));
  assert.throws(() => store.volumes.delete('data'), { kind: 'not-found', message: 'get data: no such volume' });
  for (const name of ['', '..', 'a/b', '-a', 'a b', '.hidden', 'x'.repeat(256)])
    assert.throws(() => store.volumes.create({ ...volume, name }), { code: 'VOLUME_NAME_INVALID' }, name);
});

test('usage: the naive sum is 720 MB, the real one 320 MB', async () => {
  await using store = await openTestStore();
  const MB = 1_000_000;
  addLayer(store, 'base', 100 * MB);
  // Five images of one 100 MB base; each adds its own files.
  for (const [name, size] of Object.entries({ a: 20, b: 30, c: 40, d: 50, e: 80 })) addLayer(store, name, size * MB);
  const base = addImage(store, ['base'], { author: 'base' });
  const images = ['a', 'b', 'c', 'd', 'e'].map((name) => addImage(store, ['base', name], { parent: base.id }));
  addLayer(store, 'kept by nothing', 7 * MB);
  const used = usage(store);
  // The parent has no name and has children: it is no image of the list.
  assert.deepEqual([used.naive, used.real, used.layers], [720 * MB, 320 * MB, 327 * MB]);
  assert.deepEqual(
    used.images.map(({ id, size, shared, unique }) => [id, size / MB, shared / MB, unique / MB]),
    [120, 130, 140, 150, 180].map((size, index) => [images[index]?.id, size, 100, size - 100]).reverse(),
  );
});
