import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../lib/error.ts';
import { chainIds, digestOf, type ImageId, parseImageId } from '../oci/digest.ts';
import { decodeConfig, encodeConfig } from '../oci/image-config.ts';
import { parseReference } from '../oci/reference.ts';
import { addImage, openTestStore, testDiffId } from './test-store.ts';

test('an image keeps the exact bytes of its config, fields that nobody knows included', async () => {
  await using store = await openTestStore();
  const bytes = Buffer.from(
    '{ "os":"linux",  "architecture":"amd64", "odd":[1.0], "rootfs":{"type":"layers","diff_ids":[]} }',
  );
  const { id } = store.images.put({ config: decodeConfig(bytes) });
  assert.equal(id, digestOf(bytes) as string);
  assert.deepEqual(store.images.demand(id).bytes, bytes);
});

test('size is the sum of the layers, each as often as it occurs; created comes from the config', async () => {
  await using store = await openTestStore();
  const image = addImage(store, ['a', 'b', 'a'], { created: '2020-01-01T00:00:01.5Z' });
  assert.equal(image.size, 3);
  assert.equal(image.created, Date.UTC(2020, 0, 1, 0, 0, 1, 500));
  const { created: _, ...timeless } = image.config;
  assert.equal(store.images.put({ config: encodeConfig(timeless) }).created, 0);
});

test('an image whose layer is missing is refused whole', async () => {
  await using store = await openTestStore();
  const config = encodeConfig({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [testDiffId('nowhere')] },
  });
  assert.throws(
    () => store.images.put({ config }),
    (error) => isFailure(error, 'not-found') && error.code === 'LAYER_MISSING',
  );
  assert.ok(!store.images.has(config.id));
});

test('adding an image again changes nothing but notes a parent that was not known', async () => {
  await using store = await openTestStore();
  const parent = addImage(store, ['a']);
  const child = addImage(store, ['a', 'b'], { author: 'x' });
  assert.equal(store.images.demand(child.id).parent, undefined);
  addImage(store, ['a', 'b'], { author: 'x', parent: parent.id, stepKey: 'step' });
  addImage(store, ['a', 'b'], { author: 'x' });
  assert.equal(store.images.demand(child.id).parent, parent.id);
  assert.equal(store.images.list().length, 2);
  assert.deepEqual(store.images.children(parent.id), [child.id]);
  assert.ok(store.images.isParent(parent.id));
  assert.ok(!store.images.isParent(child.id));
});

test('parents cannot form a circle', async () => {
  await using store = await openTestStore();
  const a = addImage(store, ['a']);
  const b = addImage(store, ['a'], { author: 'b', parent: a.id });
  const c = addImage(store, ['a'], { author: 'c', parent: b.id });
  assert.throws(
    () => store.images.put({ config: a, parent: c.id }),
    (error) => isFailure(error, 'invalid') && error.code === 'PARENT_CIRCLE',
  );
  assert.throws(() => store.images.put({ config: a, parent: a.id }), /cannot be the parent/);
});

test('childByStep finds the newest child that the step made', async () => {
  await using store = await openTestStore();
  const base = addImage(store, ['a']);
  const old = addImage(store, ['a'], { created: '2020-01-01T00:00:00Z', parent: base.id, stepKey: 'k' });
  const recent = addImage(store, ['a'], { created: '2021-01-01T00:00:00Z', parent: base.id, stepKey: 'k' });
  const rootless = addImage(store, [], { stepKey: 'k' });
  assert.equal(store.images.childByStep(base.id, 'k')?.id, recent.id);
  assert.equal(store.images.childByStep(base.id, 'other'), undefined);
  assert.equal(store.images.childByStep(old.id, 'k'), undefined);
  assert.equal(store.images.childByStep(undefined, 'k')?.id, rootless.id);
  store.images.delete(rootless.id);
  store.images.delete(base.id);
  assert.equal(store.images.childByStep(undefined, 'k'), undefined, 'orphans are not made from scratch');
});

test('list is newest first, equal times in the order of arrival', async () => {
  await using store = await openTestStore();
  const times = ['2020-01-01T00:00:00Z', '2022-01-01T00:00:00Z', '2021-01-01T00:00:00Z', '2021-01-01T00:00:00Z'];
  const ids = times.map((created, index) => addImage(store, [], { created, author: String(index) }).id);
  assert.deepEqual(
    store.images.list().map((image) => ids.indexOf(image.id)),
    [1, 3, 2, 0],
  );
});

test('what a text means', async () => {
  await using store = await openTestStore();
  const { names } = store.images;
  // Enough images that some first hex digit is shared: prefixes of one digit are ambiguous, of 64 never.
  const ids = Array.from({ length: 40 }, (_, index) => addImage(store, [], { author: String(index) }).id);
  const hex = (id: ImageId) => id.slice('sha256:'.length);
  const [first, second] = ids;
  assert.ok(first && second);
  names.tag(parseReference('debian'), first);
  names.tag(parseReference('localhost:5000/a/b:v1'), second);
  const manifest = digestOf('manifest');
  names.addDigest(parseReference('debian'), manifest, second);
  // A name that looks like the beginning of another image's ID wins over it.
  names.tag(parseReference(hex(second).slice(0, 12)), first);

  for (const [text, id] of [
    [first, first],
    [hex(first), first],
    [hex(first).slice(0, 12), first],
    [`sha256:${hex(first).slice(0, 12)}`, first],
    ['debian', first],
    ['debian:latest', first],
    ['docker.io/library/debian', first],
    ['localhost:5000/a/b:v1', second],
    [`debian@${manifest}`, second],
    [`debian:anything@${manifest}`, second],
    [hex(second).slice(0, 12), first],
    [hex(second).slice(0, 13), second],
  ] as const)
    assert.equal(store.images.resolve(text).id, id, text);

  const shared = Array.from('0123456789abcdef').find((digit) => ids.filter((id) => hex(id)[0] === digit).length > 1);
  for (const [text, kind, message] of [
    [shared ?? '', 'invalid', /is ambiguous/],
    ['debian:nope', 'not-found', /^No such image: debian:nope$/],
    ['nope', 'not-found', /^No such image: nope:latest$/],
    ['ffffffffffff', 'not-found', /^No such image: ffffffffffff:latest$/],
    [digestOf('no'), 'not-found', /^No such image: sha256:[0-9a-f]{64}$/],
    ['debian@sha256:12', 'invalid', /^invalid reference format$/],
    ['Debian', 'invalid', /must be lowercase$/],
    ['', 'invalid', /^invalid reference format$/],
  ] as const)
    assert.throws(
      () => store.images.resolve(text),
      (error) => isFailure(error, kind) && message.test(error.message),
      text,
    );
});

test('a tag has one holder; moving it tells the previous one', async () => {
  await using store = await openTestStore();
  const { names } = store.images;
  const [a, b] = ['a', 'b'].map((author) => addImage(store, [], { author }).id);
  assert.ok(a && b);
  const name = parseReference('app:1');
  assert.equal(store.images.demand(a).lastTagTime, undefined);
  assert.equal(names.tag(name, a), undefined);
  assert.equal(names.tag(name, a), undefined);
  assert.equal(names.tag(name, b), a);
  assert.deepEqual(names.of(a), []);
  assert.deepEqual(names.of(b), [name]);
  assert.ok(store.images.demand(a).lastTagTime);
  assert.ok(names.untag(name));
  assert.ok(!names.untag(name));
  assert.throws(() => names.tag(parseReference('scratch'), a), /'scratch' is a reserved name/);
  assert.throws(() => names.tag(parseReference(`app@${digestOf('m')}`), a), /digest/);
});

test('delete refuses a named image, orphans children, and tells which chains are gone', async () => {
  await using store = await openTestStore();
  const base = addImage(store, ['a', 'b']);
  const child = addImage(store, ['a', 'b', 'c', 'd'], { parent: base.id });
  store.images.names.tag(parseReference('base'), base.id);
  store.images.names.addDigest(parseReference('base'), digestOf('m'), base.id);
  assert.throws(
    () => store.images.delete(base.id),
    (error) => isFailure(error, 'conflict'),
  );
  store.images.names.untag(parseReference('base'));
  assert.deepEqual(store.images.delete(base.id), []);
  assert.equal(store.images.demand(child.id).parent, undefined);
  assert.equal(store.images.names.find(parseReference(`base@${digestOf('m')}`)), undefined);
  addImage(store, ['a', 'b', 'c'], { author: 'other' });
  // The layer b alone occurs in another image too, but not on the same chain.
  addImage(store, ['d'], { author: 'alone' });
  const chain = chainIds(child.config.rootfs.diff_ids);
  assert.deepEqual(store.images.delete(child.id), [chain[3]]);
  assert.deepEqual(store.images.delete(parseImageId(digestOf('unknown'))), []);
});

test('thousands of images: the store answers all of them right', async () => {
  await using store = await openTestStore();
  const base = addImage(store, ['a']);
  const ids = store.transaction(() =>
    Array.from(
      { length: 3000 },
      (_, index) => addImage(store, ['a'], { author: String(index), parent: base.id, stepKey: `step ${index}` }).id,
    ),
  );
  assert.equal(store.images.list().length, 3001);
  assert.equal(store.images.children(base.id).length, 3000);
  for (const [index, id] of ids.entries()) assert.equal(store.images.childByStep(base.id, `step ${index}`)?.id, id);
});
