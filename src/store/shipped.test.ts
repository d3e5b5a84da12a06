import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../oci/digest.ts';
import { parseReference } from '../oci/reference.ts';
import { addImage, addLayer, openTestStore, testDiffId } from './test-store.ts';

test('the blobs of a layer, newest first, with the repositories that had them', async () => {
  await using store = await openTestStore();
  addLayer(store, 'a');
  const blob = (seed: string) => ({ mediaType: `type/${seed}`, digest: digestOf(seed), size: seed.length });
  store.shipped.addBlob(testDiffId('a'), blob('one'), parseReference('debian'));
  store.shipped.addBlob(testDiffId('a'), blob('second'));
  store.shipped.addBlob(testDiffId('a'), blob('one'), parseReference('localhost:5000/x/y:1'));
  store.shipped.addBlob(testDiffId('a'), blob('one'), parseReference('debian:2'));
  assert.deepEqual(store.shipped.blobsOf(testDiffId('a')), [
    { ...blob('second'), repositories: [] },
    { ...blob('one'), repositories: ['docker.io/library/debian', 'localhost:5000/x/y'] },
  ]);
  assert.deepEqual(store.shipped.blobsOf(testDiffId('b')), []);
});

test('a layer that is not stored has no blobs', async () => {
  await using store = await openTestStore();
  assert.throws(() => store.shipped.addBlob(testDiffId('a'), { mediaType: 't', digest: digestOf('x'), size: 1 }));
});

test('the manifests of an image, the one noted last first, go with the image', async () => {
  await using store = await openTestStore();
  const { id } = addImage(store, ['a']);
  for (const seed of ['one', 'two', 'one']) store.shipped.addManifest(id, digestOf(seed));
  assert.deepEqual(store.shipped.manifestsOf(id), [digestOf('one'), digestOf('two')]);
  assert.ok(store.shipped.names(digestOf('two')));
  store.images.delete(id);
  assert.deepEqual(store.shipped.manifestsOf(id), []);
  assert.ok(!store.shipped.names(digestOf('two')));
});
