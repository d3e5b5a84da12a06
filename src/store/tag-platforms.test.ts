import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePlatform } from '../oci/platform.ts';
import { parseReference } from '../oci/reference.ts';
import { addImage, openTestStore } from './test-store.ts';

const name = { ...parseReference('r.example/a'), tag: '1' };
const [amd64, arm64, armv7] = [
  parsePlatform('linux/amd64'),
  parsePlatform('linux/arm64'),
  parsePlatform('linux/arm/v7'),
];

async function openIndex() {
  const store = await openTestStore();
  const own = addImage(store, ['a'], { stepKey: 'own' }).id;
  const other = addImage(store, ['b'], { architecture: 'arm64', stepKey: 'other' }).id;
  store.images.names.tag(name, own);
  const members = [
    { platform: amd64, image: own },
    { platform: arm64, image: other },
  ];
  store.images.platforms.setIndex(name, members);
  return { store, own, other, members };
}

test('a tag is an index, in the order in which it was given', async () => {
  const { store, other, members } = await openIndex();
  await using _ = store;
  assert.deepEqual(store.images.platforms.indexOf(name), members);
  assert.equal(store.images.platforms.find(name, arm64), other);
  assert.equal(store.images.platforms.find(name, armv7), undefined);
  store.images.platforms.setIndex(name, members.toReversed());
  assert.deepEqual(store.images.platforms.indexOf(name), members.toReversed());
});

test('what stands behind a tag is not the build cache', async () => {
  const { store, other } = await openIndex();
  await using _ = store;
  assert.ok(store.images.platforms.has(other));
  assert.deepEqual(store.cacheSpace.stepImages(undefined), []);
  store.images.names.untag(name);
  assert.ok(!store.images.platforms.has(other));
  assert.ok(store.cacheSpace.stepImages(undefined).includes(other));
});

test('a tag that means another image has nothing behind it', async () => {
  const { store, other } = await openIndex();
  await using _ = store;
  store.images.names.tag(name, addImage(store, ['c']).id);
  assert.deepEqual(store.images.platforms.indexOf(name), []);
  assert.ok(!store.images.platforms.has(other));
});

test('an image that is removed is no part of the index', async () => {
  const { store, own, other } = await openIndex();
  await using _ = store;
  store.images.delete(other);
  assert.deepEqual(store.images.platforms.indexOf(name), [{ platform: amd64, image: own }]);
});

test('what a tag means for another platform makes it no index', async () => {
  await using store = await openTestStore();
  store.images.names.tag(name, addImage(store, ['a']).id);
  const other = addImage(store, ['b'], { architecture: 'arm64' }).id;
  store.images.platforms.add(name, { platform: arm64, image: other });
  assert.equal(store.images.platforms.find(name, arm64), other);
  assert.deepEqual(store.images.platforms.indexOf(name), []);
});

test('nothing stands behind a tag that is not there', async () => {
  await using store = await openTestStore();
  const image = addImage(store, ['a']).id;
  assert.throws(() => store.images.platforms.add(name, { platform: amd64, image }), /FOREIGN KEY/);
});
