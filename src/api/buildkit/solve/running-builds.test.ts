import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { RunningBuilds } from './running-builds.ts';

const { signal } = new AbortController();

test('a build gets the tar that another request brings, before or after it asks', async () => {
  const running = new RunningBuilds();
  const early = running.upload('a', Readable.from(['tar']), { signal });
  using build = running.begin('a');
  assert.equal(await text(await build.uploaded(signal)), 'tar');
  await early;
});

test('a request with a tar ends with a build that does not read it', async () => {
  const running = new RunningBuilds();
  const build = running.begin('a');
  const upload = running.upload('a', new Readable({ read() {} }), { signal });
  await build.uploaded(signal);
  build[Symbol.dispose]();
  await upload;
});

test('a build is stopped by its ID; two of one ID are refused; others are stopped already', async () => {
  const running = new RunningBuilds();
  using build = running.begin('a');
  assert.throws(() => running.begin('a'), { message: 'build a is already under way' });
  await running.cancel('b', { signal });
  assert.equal(build.signal.aborted, false);
  await running.cancel('a', { signal });
  assert.equal(build.signal.reason.message, 'the build was cancelled');
});

test('builds without an ID do not meet', () => {
  const running = new RunningBuilds();
  using first = running.begin('');
  using second = running.begin('');
  assert.notEqual(first, second);
});
