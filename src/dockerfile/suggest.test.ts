import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean, nearest, Suggestions } from './suggest.ts';

test('the nearest is at most two edits away', () => {
  assert.equal(nearest('biuld', ['base', 'build', 'final']), 'build');
  assert.equal(nearest('xyz', ['base', 'build']), undefined);
  assert.equal(nearest('build', ['build', 'bild']), undefined);
  assert.equal(nearest('ab', ['cd']), undefined);
  assert.equal(didYouMean('CAHCE', ['bind', 'cache']), ' (did you mean cache?)');
  assert.equal(didYouMean('cache', ['bind']), '');
});

test('the names of one file are compared until that has cost too much', () => {
  const suggestions = new Suggestions();
  const options = new Set(Array.from({ length: 9_000 }, (_, index) => `name${index}`));
  assert.equal(suggestions.nearest('nmae1', options), 'name1');
  assert.equal(suggestions.didYouMean('NMAE1', options), ' (did you mean name1?)');
  assert.equal(suggestions.nearest('nmae1', options), undefined);
});
