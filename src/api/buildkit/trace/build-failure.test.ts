import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../lib/error.ts';
import { DetailedFailure } from '../grpc/status.ts';
import { rpcStatus } from '../shapes/rpc-status.ts';
import { buildFailure } from './build-failure.ts';

const lines = Array.from({ length: 300 }, (_, index) => `RUN step ${index + 1}`);
const dockerfile = { name: 'Dockerfile', content: Buffer.from(lines.join('\n')) };

test('a failure carries its place, with the lines around it alone', () => {
  const source = { file: 'Dockerfile', line: 200, endLine: 201 };
  const error = new Failure('invalid', 'RUN_FAILED', 'The command \'a "b"\' returned a non-zero code: 2', {
    source,
    exitCode: 2,
    hint: 'look inside',
  });
  const failure = buildFailure(error, { dockerfile });
  assert.ok(failure instanceof DetailedFailure);
  const message = 'process "a \\"b\\"" did not complete successfully: exit code: 2';
  assert.equal(failure.message, message);
  const status = rpcStatus.decode(failure.status.details ?? Buffer.alloc(0));
  assert.deepEqual([status.code, status.message, status.details.length], [2, message, 1]);
  assert.equal(status.details[0]?.typeUrl, 'github.com/moby/buildkit/errdefs.Source+json');
  const { info, ranges } = JSON.parse(Buffer.from(status.details[0]?.value ?? '').toString());
  assert.deepEqual([info.filename, info.language], ['Dockerfile', 'Dockerfile']);
  assert.deepEqual(ranges, [{ start: { line: 200, character: 0 }, end: { line: 201, character: 0 } }]);
  const told = Buffer.from(info.data, 'base64').toString().split('\n');
  assert.deepEqual([told[199], told[200], told[100], told.length], ['RUN step 200', 'RUN step 201', '', 206]);
});

test('a place in another file, and none, are left out', () => {
  for (const source of [{ file: 'other', line: 1, endLine: 1 }, undefined]) {
    const failure = buildFailure(new Failure('denied', 'X', 'no', source ? { source } : {}), { dockerfile });
    assert.ok(failure instanceof DetailedFailure && failure.status.details === undefined);
    assert.deepEqual([failure.kind, failure.message], ['denied', 'no']);
  }
});

const worded: readonly [message: string, hint: string | undefined, words: string][] = [
  [
    'failed to reach build target x in Dockerfile',
    'did you mean y?',
    'target stage "x" could not be found (did you mean y?)',
  ],
  [
    'COPY failed: file not found in build context or excluded by .dockerignore: stat a/b: file does not exist',
    undefined,
    'failed to compute cache key: "/a/b": not found',
  ],
  [
    'dockerfile parse error on line 3: unknown instruction: FOO',
    undefined,
    'dockerfile parse error on line 3: unknown instruction: FOO',
  ],
];
for (const [message, hint, words] of worded) {
  test(`words: ${words}`, () => {
    const error = new Failure('invalid', 'X', message, hint === undefined ? {} : { hint });
    assert.equal(buildFailure(error).message, words);
  });
}

test('the words of the step that failed go before those of the error; what is no failure is internal', () => {
  assert.equal(buildFailure(new Failure('invalid', 'X', 'no'), { words: 'a: no' }).message, 'a: no');
  assert.deepEqual(buildFailure(new Error('oops')).kind, 'internal');
});
