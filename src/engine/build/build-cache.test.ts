import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { cacheMountLocks } from '../../build/mounts/cache-mount-lock.ts';
import { isFailure } from '../../lib/error.ts';
import { silentLog } from '../../lib/log.ts';
import { WorkerPool } from '../../lib/worker-pool.ts';
import type { Store } from '../../store/open-store.ts';
import { addImage, addLayer, openTestStore, testDiffId } from '../../store/test-store.ts';
import type { Filters } from '../../wire/filters.ts';
import { BuildCache, type PruneQuery } from './build-cache.ts';

const HOUR = 3_600_000;

/** Steps used at 1, 2, ... hours: `old` and `recent` are the cache's, `image` is an image's, `empty` has no files. */
async function filledStore(context: TestContext): Promise<Store> {
  context.mock.timers.enable({ apis: ['Date'], now: 0 });
  const store = await openTestStore();
  for (const [index, name] of ['old', 'image', 'empty', 'recent', 'twin'].entries()) {
    context.mock.timers.setTime((index + 1) * HOUR);
    const seed = name === 'twin' ? 'recent' : name;
    if (name !== 'empty' && name !== 'twin') addLayer(store, seed, 100);
    const layer = name === 'empty' ? undefined : testDiffId(seed);
    store.cache.put({ key: name, site: `RUN ${name}`, components: [], result: '{}', layer });
  }
  addImage(store, ['image']);
  addImage(store, ['old'], { stepKey: 'step of a stage' });
  context.mock.timers.setTime(6 * HOUR);
  store.cacheMounts.use({ name: 'm1', id: '/root/.npm', target: '/root/.npm', sharing: 'shared' }, {});
  mkdirSync(join(store.cacheMounts.folder('m1'), 'sub'));
  writeFileSync(join(store.cacheMounts.folder('m1'), 'sub/file'), 'x'.repeat(50));
  store.cacheMounts.measured('m1', 50);
  return store;
}

function cacheOf(store: Store, limit?: number): BuildCache {
  const workers = new WorkerPool(new URL('file:///none'), 1);
  return new BuildCache({ store, workers, limit, isBuilding: () => false, log: silentLog });
}

const query = (changes: Partial<PruneQuery> = {}): PruneQuery => ({
  all: false,
  filters: {},
  reservedSpace: 0,
  maxUsedSpace: 0,
  minFreeSpace: 0,
  ...changes,
});

const prunes: readonly (readonly [name: string, query: PruneQuery, deleted: readonly string[], reclaimed: number])[] = [
  ['what no image has', query(), ['old', 'recent', 'twin', 'm1'], 250],
  ['all', query({ all: true }), ['old', 'image', 'empty', 'recent', 'twin', 'm1'], 250],
  ['until, a time', query({ filters: { until: ['1970-01-01T02:30:00Z'] } }), ['old'], 100],
  ['until, a duration', query({ all: true, filters: { until: ['2h30m'] } }), ['old', 'image', 'empty'], 100],
  ['only cache mounts', query({ filters: { type: ['exec.cachemount'] } }), ['m1'], 50],
  ['by description', query({ all: true, filters: { description: ['RUN image'] } }), ['image'], 0],
  ['by a label, which none has', query({ all: true, filters: { label: ['a'] } }), [], 0],
  ['by ID', query({ filters: { id: ['rec'] } }), ['recent'], 0],
  ['shared ones', query({ all: true, filters: { shared: ['true'], type: ['regular'] } }), ['image', 'recent'], 0],
  ['down to a size', query({ reservedSpace: 150 }), ['old'], 100],
  [
    'down to a size that both records of a layer are in the way of',
    query({ maxUsedSpace: 60 }),
    ['old', 'recent', 'twin'],
    200,
  ],
  ['nothing above the size', query({ maxUsedSpace: 250 }), [], 0],
  ['nothing while the disk has room', query({ minFreeSpace: 1 }), [], 0],
  [
    'all for a disk that can never have so much room',
    query({ minFreeSpace: 2 ** 50 }),
    ['old', 'recent', 'twin', 'm1'],
    250,
  ],
];
for (const [name, asked, deleted, reclaimed] of prunes)
  test(`prune: ${name}`, async (context) => {
    await using store = await filledStore(context);
    const answer = await cacheOf(store).prune(asked);
    assert.deepEqual(answer, { CachesDeleted: deleted.length > 0 ? deleted : null, SpaceReclaimed: reclaimed });
  });

test('prune: what a build has found or a step uses stays', async (context) => {
  await using store = await filledStore(context);
  using _build = store.leases.begin();
  store.cache.use('old');
  using _mount = await cacheMountLocks.take(store.cacheMounts.folder('m1'), 'shared', new AbortController().signal);
  assert.deepEqual((await cacheOf(store).prune(query())).CachesDeleted, ['recent', 'twin']);
});

test('prune: filters that make no sense are refused', async (context) => {
  await using store = await filledStore(context);
  const wrong: Filters[] = [{ until: ['soon'] }, { shared: ['perhaps'] }];
  for (const filters of wrong)
    await assert.rejects(cacheOf(store).prune(query({ filters })), (error) => isFailure(error, 'invalid'));
});

test('a limit is held: least recently used first, and nothing that a build needs now', async (context) => {
  await using store = await filledStore(context);
  cacheOf(store, 250).hold();
  assert.equal(store.cache.list().length, 5);
  cacheOf(store, 249).hold();
  assert.deepEqual(
    store.cache.list().map(({ key }) => key),
    ['image', 'empty', 'recent', 'twin'],
  );
  assert.equal(store.layers.byDiffId(testDiffId('old')), undefined);
  using build = store.leases.begin();
  store.cache.use('recent');
  cacheOf(store, 0).hold();
  assert.deepEqual(store.cacheMounts.list(), []);
  assert.ok(store.layers.byDiffId(testDiffId('recent')));
  build[Symbol.dispose]();
  cacheOf(store, 0).hold();
  assert.equal(store.layers.byDiffId(testDiffId('recent')), undefined);
  assert.ok(store.layers.byDiffId(testDiffId('image')));
});

test('records: a layer counts once, and only when nothing else has it', async (context) => {
  await using store = await filledStore(context);
  const records = cacheOf(store).records();
  assert.deepEqual(
    records.map(({ ID, Type, Size, Shared }) => [ID, Type, Size, Shared]),
    [
      ['m1', 'exec.cachemount', 50, false],
      ['twin', 'regular', 100, false],
      ['recent', 'regular', 100, true],
      ['empty', 'regular', 0, false],
      ['image', 'regular', 100, true],
      ['old', 'regular', 100, false],
    ],
  );
});

test("copies of clients' folders are given up as cache mounts are, but not while a build uses them", async () => {
  await using store = await openTestStore();
  const held = store.clientFolders.hold('key', 'context');
  writeFileSync(join(held.folder, 'file'), 'x'.repeat(50));
  held.complete(50);
  const cache = cacheOf(store);
  const [record] = cache.records();
  assert.deepEqual([record?.Type, record?.Size, record?.InUse], ['source.local', 50, true]);
  assert.equal((await cache.prune(query({ all: true }))).SpaceReclaimed, 0);
  // A second build of the same folder gets a copy of its own, and the first to end leaves its own to the next.
  const other = store.clientFolders.hold('key', 'context');
  assert.notEqual(other.folder, held.folder);
  other[Symbol.dispose]();
  held[Symbol.dispose]();
  const again = store.clientFolders.hold('key', 'context');
  assert.ok([held.folder, other.folder].includes(again.folder));
  again[Symbol.dispose]();
  const { SpaceReclaimed, CachesDeleted } = await cache.prune(query({ all: true }));
  assert.deepEqual([SpaceReclaimed, CachesDeleted?.length, existsSync(held.folder)], [50, 2, false]);
});
