import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { newContainerId } from '../../store/containers.ts';
import type { Store } from '../../store/open-store.ts';
import { addImage, addLayer, openTestStore } from '../../store/test-store.ts';
import type { DiskUsagePart } from '../../wire/disk-usage.ts';
import { diskUsage } from './disk-usage.ts';

function usageOf(store: Store, ...parts: DiskUsagePart[]) {
  const needs = {
    store,
    emit: () => {},
    containersOf: () => [],
    receiveLayer: () => assert.fail('nothing is received'),
    applyChanges: () => assert.fail('nothing changes'),
    containers: { list: async () => [] },
    buildCache: { records: () => [] },
  };
  return diskUsage(needs, new Set(parts));
}

test('images: 720 MB of sizes are 320 MB on disk, and each image says what it shares', async () => {
  await using store = await openTestStore();
  const own = { a: 20, b: 30, c: 40, d: 50, e: 80 };
  addLayer(store, 'base', 100);
  for (const [seed, size] of Object.entries(own)) {
    addLayer(store, seed, size);
    addImage(store, ['base', seed]);
  }
  const { LayersSize, Images = [] } = await usageOf(store, 'image');
  const naive = Images.reduce((sum, { Size }) => sum + Size, 0);
  assert.deepEqual([naive, LayersSize], [720, 320]);
  assert.deepEqual(
    Images.map(({ Size, SharedSize }) => [SharedSize, Size - SharedSize]).sort(),
    Object.values(own).map((size) => [100, size]),
  );
});

test('volumes: bytes and how many containers use them; parts that nobody asked for are absent', async () => {
  await using store = await openTestStore();
  const { path } = store.volumes.create({ name: 'data', anonymous: false, labels: { a: 'b' }, options: {} });
  writeFileSync(join(path, 'file'), '12345');
  const id = newContainerId();
  store.containers.create({ id, name: 'c', image: undefined, record: {}, layers: [] });
  store.volumes.ref('data', id);
  const answer = await usageOf(store, 'volume');
  assert.deepEqual(Object.keys(answer), ['Volumes']);
  assert.deepEqual(answer.Volumes?.[0]?.UsageData, { Size: 5, RefCount: 1 });
});
