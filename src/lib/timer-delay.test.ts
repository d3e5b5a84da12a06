import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timerDelay } from './timer-delay.ts';

for (const [milliseconds, delay] of [
  [0, 0],
  [-5, 0],
  [1500.5, 1501],
  [2 ** 31, 2 ** 31 - 1],
  [Number.POSITIVE_INFINITY, 2 ** 31 - 1],
] as const)
  test(`a delay of ${milliseconds} ms`, () => assert.equal(timerDelay(milliseconds), delay));
