import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure, isFailure } from './error.ts';

test('a failure carries its kind and cannot carry control characters', () => {
  const failure = new Failure('not-found', 'X', 'no \u001b[31mred');
  assert.equal(failure.message, 'no \ufffd[31mred');
  assert.ok(isFailure(failure, 'not-found'));
  assert.ok(!isFailure(failure, 'invalid'));
});

test('a failure keeps all it knows when it gets a place', () => {
  const cause = new Failure('invalid', 'X', 'message', { hint: 'hint', exitCode: 4 });
  const source = { file: 'Dockerfile', line: 2, endLine: 3, excerpt: '2 | x' };
  const { kind, code, message, hint, exitCode, source: place, cause: before } = cause.at(source);
  assert.deepEqual([kind, code, message, hint, exitCode, place], ['invalid', 'X', 'message', 'hint', 4, source]);
  assert.equal(before, cause);
});
