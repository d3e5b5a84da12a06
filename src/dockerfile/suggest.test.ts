import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean, editDistance, nearest } from './suggest.ts';

const DISTANCES: readonly (readonly [string, string, number])[] = [
  ['', '', 0],
  ['a', '', 1],
  ['run', 'run', 0],
  ['rnu', 'run', 1],
  ['rum', 'run', 1],
  ['form', 'from', 1],
  ['kitten', 'sitting', 3],
  ['abcd', 'badc', 2],
  ['short', 'very long text', 9],
];

for (const [a, b, distance] of DISTANCES)
  test(`distance ${a} ${b}`, () => assert.equal(editDistance(a, b, 9), Math.min(distance, 9)));

test('the nearest is at most two edits away', () => {
  assert.equal(nearest('biuld', ['base', 'build', 'final']), 'build');
  assert.equal(nearest('xyz', ['base', 'build']), undefined);
  assert.equal(nearest('build', ['build', 'bild']), undefined);
  assert.equal(nearest('ab', ['cd']), undefined);
  assert.equal(didYouMean('CAHCE', ['bind', 'cache']), ' (did you mean cache?)');
  assert.equal(didYouMean('cache', ['bind']), '');
});
