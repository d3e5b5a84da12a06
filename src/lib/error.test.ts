import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure, isFailure } from './error.ts';

test('a failure carries its kind and cannot carry control characters', () => {
  const failure = new Failure('not-found', 'X', 'no \u001b[31mred');
  assert.equal(failure.message, 'no \ufffd[31mred');
  assert.ok(isFailure(failure, 'not-found'));
  assert.ok(!isFailure(failure, 'invalid'));
});
