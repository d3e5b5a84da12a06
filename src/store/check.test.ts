import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Failure } from '../lib/error.ts';
import { digestOf, hexOf } from '../oci/digest.ts';
import { type CheckOptions, checkStore } from './check.ts';
import type { Store } from './open-store.ts';
import { addImage, addLayer, gather, openTestStore } from './test-store.ts';

const signal = new AbortController().signal;
const blob = digestOf('blob');

async function soundStore(): Promise<Store> {
  const store = await openTestStore();
  addImage(store, ['a', 'b']);
  addLayer(store, 'unused');
  addLayer(store, 'unused');
  await store.content.write(Buffer.from('blob'), { limit: 10, signal });
  store.volumes.create({ name: 'data', anonymous: false, labels: {}, options: {} });
  return store;
}

const find = (store: Store, options: Partial<CheckOptions> = {}) => gather(checkStore(store, { signal, ...options }));

test('a sound store has no problem', async () => {
  await using store = await soundStore();
  assert.deepEqual(await find(store), []);
});

for (const [code, damage, repairable] of [
  [
    'BLOB_DAMAGED',
    (store) => writeFileSync(join(store.root, 'content/sha256', hexOf(blob).slice(0, 2), hexOf(blob)), 'blog'),
    true,
  ],
  ['IMAGE_DAMAGED', (store) => store.database.run("UPDATE images SET config = CAST(config || ' ' AS BLOB)"), false],
  ['IMAGE_DAMAGED', (store) => store.database.run("UPDATE images SET config = x'00'"), false],
  ['IMAGE_DAMAGED', (store) => store.database.run('DELETE FROM image_layers WHERE position = 1'), false],
  ['LAYER_INCOMPLETE', (store) => rmSync(join(store.layers.root, '1', 'index')), false],
  ['LAYER_INCOMPLETE', (store) => rmSync(join(store.layers.root, '3'), { recursive: true }), true],
  ['LAYER_UNRECORDED', (store) => mkdirSync(join(store.layers.root, 'zz')), true],
  ['LAYER_UNRECORDED', (store) => mkdirSync(join(store.layers.root, 'Not an ID')), true],
  ['VOLUME_INCOMPLETE', (store) => rmSync(join(store.root, 'volumes/data'), { recursive: true }), true],
  ['VOLUME_UNRECORDED', (store) => mkdirSync(join(store.root, 'volumes/lost/_data'), { recursive: true }), true],
  [
    'DATABASE_DAMAGED',
    (store) => {
      store.database.exec('PRAGMA foreign_keys = OFF');
      store.database.run("INSERT INTO tags VALUES ('docker.io/library/x', 'latest', 'sha256:no')");
    },
    false,
  ],
] as readonly (readonly [string, (store: Store) => void, boolean])[]) {
  test(`${code} is found${repairable ? ' and repaired' : ''}: ${damage.toString().split('\n').join(' ').slice(11, 80)}`, async () => {
    await using store = await soundStore();
    damage(store);
    const found = await find(store);
    assert.deepEqual(
      found.map((problem) => problem.code),
      [code],
      found.map((problem) => problem.message).join('\n'),
    );
    assert.equal(found[0]?.repair !== undefined, repairable);
    found[0]?.repair?.();
    assert.equal((await find(store)).length, repairable ? 0 : 1);
  });
}

test('trees are verified by the function that is given', async () => {
  await using store = await soundStore();
  const looked: string[] = [];
  const found = await find(store, {
    verifyLayer: async (layer) => {
      looked.push(layer.id);
      if (layer.id === '2') throw new Failure('data-loss', 'TREE_DAMAGED', 'file /x differs');
    },
  });
  assert.deepEqual(looked, ['1', '2', '3']);
  assert.deepEqual(
    found.map(({ code, message }) => [code, message]),
    [['LAYER_DAMAGED', 'file /x differs']],
  );
});

test('the folder of a layer that is being made is no problem', async () => {
  await using store = await soundStore();
  using _session = store.leases.begin();
  store.layers.allot();
  assert.deepEqual(await find(store), []);
});
