import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meaningOf, opaquePath, whiteoutPath } from './whiteout.ts';

const rows: readonly [name: string, meaning: string][] = [
  ['file', 'ordinary'],
  ['.whatever', 'ordinary'],
  ['.wh.file', 'whiteout'],
  ['.wh..hidden', 'whiteout'],
  ['.wh..wh..opq', 'opaque'],
  ['.wh..wh.plnk', 'meta'],
  ['.wh..wh.aufs', 'meta'],
  ['.wh.', 'unusable'],
  ['.wh..', 'unusable'],
  ['.wh...', 'unusable'],
];
for (const [name, meaning] of rows) test(`${name} is ${meaning}`, () => assert.equal(meaningOf(name).kind, meaning));

test('names of marks are found again', () => {
  assert.equal(whiteoutPath('a/b/c'), 'a/b/.wh.c');
  assert.equal(whiteoutPath('c'), '.wh.c');
  assert.equal(opaquePath('a/b'), 'a/b/.wh..wh..opq');
  assert.equal(opaquePath(''), '.wh..wh..opq');
  assert.deepEqual(meaningOf('.wh..hidden'), { kind: 'whiteout', name: '.hidden' });
});
