import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Digest, digestOf } from '../oci/digest.ts';
import { collect } from './collect.ts';
import { newContainerId } from './containers.ts';
import type { Store } from './open-store.ts';
import { addImage, addLayer, openTestStore, testDiffId } from './test-store.ts';

const options = { limit: 1 << 20, signal: new AbortController().signal };
const layerBlob = (digest: Digest) => ({ mediaType: 'application/x', digest, size: 4 });
const cacheRecord = { key: 'k', site: 's', components: [], result: 'r' };

async function withContent(work: (store: Store, blob: Digest) => void): Promise<void> {
  await using store = await openTestStore();
  addLayer(store, 'a', 10);
  const { digest } = await store.content.write(Buffer.from('blob'), options);
  work(store, digest);
}

for (const [root, make, keepsLayer, keepsBlob] of [
  ['nothing', () => {}, false, false],
  ['an image without a name', (store) => void addImage(store, ['a']), true, false],
  [
    'a container',
    (store) =>
      store.containers.create({
        id: newContainerId(),
        name: 'c',
        image: undefined,
        record: {},
        layers: [testDiffId('a')],
      }),
    true,
    false,
  ],
  ['a cache record', (store) => store.cache.put({ ...cacheRecord, layer: testDiffId('a') }), true, false],
  [
    'a cache record that was pruned',
    (store) => {
      store.cache.put({ ...cacheRecord, layer: testDiffId('a') });
      for (const { key } of store.cache.list()) store.cache.delete(key);
    },
    false,
    false,
  ],
  ['the manifest of an image', (store, blob) => store.shipped.addManifest(addImage(store, []).id, blob), false, true],
  [
    'the blob of a layer that an image has',
    (store, blob) => {
      store.shipped.addBlob(testDiffId('a'), layerBlob(blob));
      addImage(store, ['a']);
    },
    true,
    true,
  ],
  [
    'the blob of a layer that goes',
    (store, blob) => store.shipped.addBlob(testDiffId('a'), layerBlob(blob)),
    false,
    false,
  ],
  [
    'a lease on both',
    (store, blob) => void store.leases.hold({ diffIds: [testDiffId('a')], blobs: [blob] }),
    true,
    true,
  ],
  [
    'a lease that ended',
    (store, blob) => store.leases.hold({ diffIds: [testDiffId('a')], blobs: [blob] })[Symbol.dispose](),
    false,
    false,
  ],
  ['a session that began later', (store) => void store.leases.begin(), false, false],
] as readonly (readonly [string, (store: Store, blob: Digest) => void, boolean, boolean])[]) {
  test(`collection with ${root}`, async () => {
    await withContent((store, blob) => {
      make(store, blob);
      const collected = collect(store);
      assert.equal(store.layers.list().length === 1, keepsLayer);
      assert.equal(store.content.has(blob), keepsBlob);
      assert.equal(collected.bytes, (keepsLayer ? 0 : 10) + (keepsBlob ? 0 : 4));
      assert.deepEqual(collect(store), { layers: [], duplicates: [], blobs: [], bytes: 0 });
    });
  });
}

test('a session keeps what was written, sealed or found again while it is held', async () => {
  await withContent((store) => {
    store.cache.put({ ...cacheRecord, layer: addLayer(store, 'cached').layer.diffId });
    {
      using session = store.leases.begin();
      addLayer(store, 'new');
      const again = addLayer(store, 'a');
      assert.ok(again.duplicate);
      assert.ok(store.cache.use('k'));
      store.cache.delete('k');
      session.keep({ blobs: [digestOf('blob')] });
      assert.deepEqual(collect(store), { layers: [], duplicates: [], blobs: [], bytes: 0 });
    }
    const collected = collect(store);
    assert.deepEqual(
      new Set(collected.layers.map(({ diffId }) => diffId)),
      new Set(['a', 'cached', 'new'].map(testDiffId)),
    );
    assert.equal(collected.duplicates.length, 1);
    assert.deepEqual(collected.blobs, [digestOf('blob')]);
    assert.deepEqual(store.layers.folders(), []);
  });
});

test('a second tree goes as soon as no lease holds it, the layer stays', async () => {
  await withContent((store) => {
    addImage(store, ['a']);
    const lease = store.leases.hold();
    addLayer(store, 'a');
    const [second] = store.layers.duplicates();
    assert.ok(second);
    lease.keep({ layers: [second.id] });
    assert.deepEqual(collect(store).duplicates, []);
    lease[Symbol.dispose]();
    assert.deepEqual(collect(store).duplicates, [second.id]);
    assert.deepEqual(store.layers.folders(), ['1']);
  });
});
