import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editDistance } from './edit-distance.ts';

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
