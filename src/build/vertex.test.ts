import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DiffId, digestOf } from '../oci/digest.ts';
import { parseLayerId } from '../store/layers.ts';
import { cacheKey } from './cache-key.ts';
import type { CachedStep, SealedLayer } from './needs.ts';
import { Vertices } from './vertex.ts';

const layer = (text: string | Buffer): SealedLayer => ({
  id: parseLayerId('1'),
  diffId: digestOf(text) as string as DiffId,
  size: 1,
});
const key = cacheKey('RUN x', { base: 'b', command: 'x' });

function memoryCache() {
  const records = new Map<string, CachedStep>();
  return {
    records,
    get: (digest: string) => records.get(digest),
    put: (k: { digest: string }, step: CachedStep) => void records.set(k.digest, step),
  };
}

test('a miss executes and is remembered once its layer is sealed', async () => {
  const cache = memoryCache();
  const vertices = new Vertices(cache);
  const sealed = layer('x');
  const first = await vertices.solve(key, {
    useCache: true,
    execute: async () => ({ layer: { id: sealed.id, sealed: Promise.resolve(sealed) } }),
  });
  await first.sealed;
  const second = await vertices.solve(key, { useCache: true, execute: () => assert.fail('executed again') });
  assert.equal(second.cached, true);
  assert.equal(second.result, first.result);
  assert.equal((await second.sealed)?.diffId, sealed.diffId);
});

test('a step that changed nothing has no layer, as in Docker', async () => {
  const empty = layer(Buffer.alloc(1024));
  const solved = await new Vertices(memoryCache()).solve(key, {
    useCache: true,
    execute: async () => ({ layer: { id: empty.id, sealed: Promise.resolve(empty) } }),
  });
  assert.equal(await solved.sealed, undefined);
});

test('equal steps at the same time execute once', async () => {
  const vertices = new Vertices(memoryCache());
  let runs = 0;
  const execute = async () => {
    runs++;
    await new Promise((resolve) => setTimeout(resolve, 10));
    return { layer: { id: parseLayerId('1'), sealed: Promise.resolve(layer('x')) } };
  };
  const both = await Promise.all([1, 2].map(() => vertices.solve(key, { useCache: true, execute })));
  assert.equal(runs, 1);
  assert.deepEqual(
    both.map((solved) => solved.cached),
    [false, true],
  );
});

test('who waited for a step that failed executes it itself', async () => {
  const vertices = new Vertices(memoryCache());
  const failing = vertices.solve(key, { useCache: true, execute: () => Promise.reject(new Error('no')) });
  const other = vertices.solve(key, { useCache: true, execute: async () => ({ layer: undefined, result: 'mine' }) });
  await assert.rejects(failing, /no/);
  assert.equal((await other).result, 'mine');
});

test('two executions without a content identity never have the same result', async () => {
  const vertices = new Vertices(memoryCache());
  const execute = async () => ({ layer: undefined });
  const a = await vertices.solve(key, { useCache: false, execute });
  const b = await vertices.solve(key, { useCache: false, execute });
  assert.notEqual(a.result, b.result);
});

test('a step that finds its key by working is remembered with its layer, whatever it was asked for', async () => {
  const cache = memoryCache();
  const vertices = new Vertices(cache);
  const partialKey = cacheKey('COPY f', { base: 'b' });
  const before = cacheKey('COPY f', { base: 'b', files: 'before' });
  const found = cacheKey('COPY f', { base: 'b', files: 'found' });
  const sealed = layer('x');
  const execute = async () => ({
    layer: { id: sealed.id, sealed: Promise.resolve(sealed) },
    key: { ...found },
    partialKey,
    result: 'r',
  });
  assert.equal(vertices.mayBeKnown(partialKey), false);
  for (const asked of [before, found]) await (await vertices.solve(asked, { useCache: false, execute })).sealed;
  assert.equal(vertices.mayBeKnown(partialKey), true);
  assert.deepEqual(cache.get(found.digest)?.layer, sealed);
  assert.equal(cache.get(before.digest), undefined, 'a key whose files changed meanwhile has no result');
});
