import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCacheImports, readCacheImports, refuseCacheExports } from './cache-options.ts';

const digest = `sha256:${'1'.repeat(64)}`;
const option = (type: string, attrs: Readonly<Record<string, string>>) => ({
  type,
  attrs: new Map(Object.entries(attrs)),
});

test('caches to look into, each once', () => {
  const said = JSON.stringify([
    { Type: 'registry', Attrs: { ref: 'r/a' } },
    { Type: 'local', Attrs: { src: '/c', digest } },
    { Type: 'gha', Attrs: null },
  ]);
  const local = { kind: 'local', folder: '/c', manifest: digest };
  assert.deepEqual(readCacheImports([option('local', { src: '/c', digest }), ...parseCacheImports(said)]), [
    local,
    { kind: 'registry', ref: 'r/a' },
    { kind: 'unknown', type: 'gha' },
  ]);
});

for (const said of ['{', '{}', '[null]', '[{"Type":1}]']) {
  test(`cache-imports ${said}`, () =>
    assert.throws(() => parseCacheImports(said), /invalid value ".*" of the frontend attribute cache-imports/));
}

const imports: readonly [type: string, attrs: Readonly<Record<string, string>>, message: RegExp][] = [
  ['registry', {}, /needs ref/],
  ['local', { digest }, /local cache importer requires src/],
  ['local', { src: '/c' }, /local cache importer requires explicit digest/],
  ['local', { src: '/c', digest: '../x' }, /invalid/],
];
for (const [type, attrs, message] of imports) {
  test(`no import: ${type} ${JSON.stringify(attrs)}`, () =>
    assert.throws(() => readCacheImports([option(type, attrs)]), message));
}

const exports: readonly [type: string, attrs: Readonly<Record<string, string>>, message: RegExp | undefined][] = [
  ['inline', {}, undefined],
  ['local', { dest: '/c', mode: 'max' }, undefined],
  ['registry', { ref: 'r/a' }, undefined],
  ['registry', {}, /needs ref/],
  ['local', {}, /local cache exporter requires dest/],
  ['local', { dest: '/c', mode: 'some' }, /invalid cache mode "some"/],
  ['gha', {}, /unknown cache exporter: "gha"/],
];
for (const [type, attrs, message] of exports) {
  test(`${message ? 'no ' : ''}export: ${type} ${JSON.stringify(attrs)}`, () => {
    const refuse = () => refuseCacheExports([option(type, attrs)]);
    if (message) assert.throws(refuse, message);
    else refuse();
  });
}
