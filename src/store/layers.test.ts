import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFailure } from '../lib/error.ts';
import { silentLog } from '../lib/log.ts';
import { openStore } from './open-store.ts';
import { addImage, addLayer, openTestStore, testDiffId } from './test-store.ts';

test('ids are short, in sequence, and never given twice', async () => {
  await using store = await openTestStore();
  const ids = Array.from({ length: 40 }, () => store.layers.allot().id as string);
  assert.deepEqual(ids.slice(0, 11), ['1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b']);
  assert.equal(ids[35], '10');
  assert.equal(new Set(ids).size, 40);
});

test('a second tree of a diff ID is a duplicate of the first record', async () => {
  await using store = await openTestStore();
  const first = addLayer(store, 'same');
  const second = addLayer(store, 'same');
  assert.ok(!first.duplicate && second.duplicate);
  assert.deepEqual(second.layer, first.layer);
  assert.deepEqual(store.layers.list(), [first.layer]);
  assert.deepEqual(store.layers.duplicates(), [{ id: '2', diffId: testDiffId('same') }]);
  assert.ok(existsSync(join(store.layers.root, '2', 'diff', 'file')));
});

test('a layer is sealed once', async () => {
  await using store = await openTestStore();
  const { layer } = addLayer(store, 'a');
  assert.throws(
    () => store.layers.seal(layer.id, { ...layer, diffId: testDiffId('b') }),
    (error) => isFailure(error, 'conflict') && error.code === 'LAYER_SEALED',
  );
});

test('discard takes layers of any state, but not one that an image uses', async () => {
  await using store = await openTestStore();
  const { layer } = addLayer(store, 'a');
  const image = addImage(store, ['a']);
  assert.deepEqual(store.layers.use(layer.diffId), { images: 1, containers: 0, cache: 0 });
  assert.throws(
    () => store.layers.discard(layer.id),
    (error) => isFailure(error, 'conflict') && error.code === 'LAYER_USED',
  );
  assert.ok(existsSync(store.layers.folder(layer.id)));
  store.images.delete(image.id);
  store.layers.discard(layer.id);
  store.layers.discard(store.layers.allot().id);
  store.layers.discard(layer.id);
  assert.deepEqual([store.layers.list(), store.layers.folders()], [[], []]);
  assert.throws(() => store.layers.chain([layer.diffId]), /is not in the store/);
});

test('layers of an earlier boot that were never synced are suspects until verified', async () => {
  await using store = await openTestStore();
  const [synced, lost] = [addLayer(store, 'synced').layer, addLayer(store, 'lost').layer];
  assert.deepEqual(
    store.layers.notDurable().map(({ id }) => id),
    [synced.id, lost.id],
  );
  store.layers.markDurable([synced.id]);
  assert.deepEqual(store.layers.suspects(), []);
  store.database.run("UPDATE layers SET boot_id = 'an earlier boot'");
  assert.deepEqual(store.layers.suspects(), [lost]);
  store.layers.markDurable([lost.id]);
  assert.deepEqual(store.layers.suspects(), []);
  assert.ok(store.layers.get(lost.id)?.durable);
});

test('opening again keeps sealed layers and removes the others', async () => {
  await using outer = await openTestStore();
  const inner = join(outer.root, 'inner');
  {
    await using store = await openStore(inner, { log: silentLog });
    addLayer(store, 'kept');
    addLayer(store, 'kept');
    store.layers.allot();
    await store.trash.emptied();
  }
  await using store = await openStore(inner, { log: silentLog });
  assert.deepEqual(store.layers.folders().sort(), ['1', '2']);
  assert.equal(store.layers.allot().id as string, '4');
});
