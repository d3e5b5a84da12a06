import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cacheKey, keyDigest } from '../../build/cache-key.ts';
import type { BuildRecord } from '../../build/explain/build-record.ts';
import { type DiffId, digestOf } from '../../oci/digest.ts';
import { documentOf, layersOf, readDocument } from './cache-document.ts';

const layer = digestOf('layer') as string as DiffId; // any digest will do
const key = cacheKey('RUN a', { base: 'scratch', instruction: 'RUN', 'env A': '1' });
const good = {
  key: key.digest,
  site: 'RUN a',
  components: key.components,
  result: `${key.digest} 0b6e2c1e-1111-4222-8333-444455556666`,
  created: '2026-01-02T03:04:05.678Z',
  layer,
};

test('a document is read as it was written, unknown fields aside', () => {
  const document = readDocument({ version: 1, records: [{ ...good, extra: 1 }], extra: 2 }, 'x');
  assert.deepEqual(document, { version: 1, records: [good] });
  assert.deepEqual(layersOf({ version: 1, records: [good, good] }), [layer]);
});

test('a key with a hidden value is taken as it is', () => {
  const hidden = cacheKey('RUN a', { base: 'scratch', 'env API_TOKEN': 'secret' });
  assert.notEqual(keyDigest(hidden.components), hidden.digest);
  const record = { ...good, key: hidden.digest, components: hidden.components, result: hidden.digest };
  assert.deepEqual(readDocument({ version: 1, records: [record] }, 'x').records, [record]);
});

const bad: readonly (readonly [string, unknown, RegExp])[] = [
  ['nothing', undefined, /x is not an object/],
  ['a list', [], /x is not an object/],
  ['another version', { version: 2, records: [] }, /version 2, expected 1/],
  ['no records', { version: 1 }, /records of x: a list is missing/],
  ['too many', { version: 1, records: Array.from({ length: 10_001 }, () => good) }, /more than 10000 records/],
  ['a key that is none', { ...good, key: 'sha256:x' }, /"sha256:x" is no key/],
  ['the key of another step', { ...good, key: digestOf('other'), result: digestOf('other') }, /not that of its comp/],
  ['another component', { ...good, components: [{ name: 'base', value: 'x' }] }, /not that of its components/],
  ['a component without value', { ...good, components: [{ name: 'base' }] }, /a text is missing/],
  ['a result of another key', { ...good, result: `${digestOf('x')}` }, /the result does not belong to the key/],
  ['a result with more behind it', { ...good, result: `${key.digest} ../../x` }, /the result does not belong/],
  ['no time', { ...good, created: 'soon' }, /"soon" is no time/],
  ['a layer that is no digest', { ...good, layer: '../x' }, /invalid/],
  ['a site that is too long', { ...good, site: 'x'.repeat((1 << 20) + 1) }, /missing or too long/],
];
for (const [name, value, message] of bad) {
  const isRecord = typeof value === 'object' && value !== null && 'key' in value;
  test(`refuses ${name}`, () =>
    assert.throws(() => readDocument(isRecord ? { version: 1, records: [value] } : value, 'x'), message));
}

test('min is the chain of the last step, max is every step, and what the cache lost is left out', () => {
  const step = (name: string, base: string) => {
    const made = cacheKey(name, { base, instruction: name });
    return { ...made, cached: false, result: `result of ${name}` };
  };
  const keys = [
    [step('tool 1', 'base'), step('tool 2', 'result of tool 1')],
    [step('own 1', 'base'), step('lost', 'result of own 1'), step('own 3', 'result of lost')],
  ];
  const build = { steps: keys.flat().map((one) => ({ keys: [one] })) } as unknown as BuildRecord; // what is looked at
  const known = new Map(keys.flat().map((one) => [one.digest as string, one]));
  const get = (digest: string) => {
    const one = known.get(digest);
    return one && one.site !== 'lost' ? { result: one.result, created: '2026', layer: undefined } : undefined;
  };
  const sites = (mode: 'min' | 'max') => documentOf([build], { get }, mode).records.map(({ site }) => site);
  assert.deepEqual(sites('max'), ['tool 1', 'tool 2', 'own 1', 'own 3']);
  assert.deepEqual(sites('min'), ['own 1', 'own 3']);
});
