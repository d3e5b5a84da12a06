import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CacheMountLocks } from './cache-mount-lock.ts';

const { signal } = new AbortController();

test('shared users come together, a locked one waits for all of them', async () => {
  const locks = new CacheMountLocks();
  const first = await locks.take('/c', 'shared', signal);
  const second = await locks.take('/c', 'shared', signal);
  let taken = false;
  const locked = locks.take('/c', 'locked', signal).then((held) => {
    taken = true;
    return held;
  });
  first[Symbol.dispose]();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(taken, false);
  second[Symbol.dispose]();
  (await locked)[Symbol.dispose]();
  assert.equal(taken, true);
});

test('a private user takes another folder while the first is in use', async () => {
  const locks = new CacheMountLocks();
  const first = await locks.take('/c', 'private', signal);
  const second = await locks.take('/c', 'private', signal);
  assert.deepEqual([first.folder, second.folder], ['/c', '/c-2']);
  first[Symbol.dispose]();
  assert.equal((await locks.take('/c', 'private', signal)).folder, '/c');
});

test('a waiting build that is cancelled waits no more', async () => {
  const locks = new CacheMountLocks();
  await locks.take('/c', 'locked', signal);
  const stop = new AbortController();
  const waiting = locks.take('/c', 'locked', stop.signal);
  stop.abort(new Error('gone'));
  await assert.rejects(waiting, /cancelled/);
});
