import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusResponse } from '../shapes/status.ts';
import { StatusFeed } from './status-feed.ts';

const never = new AbortController().signal;

function log(text: string) {
  return { logs: [{ vertex: 'v', timestamp: undefined, stream: 1, msg: Buffer.from(text) }] };
}

function textOf(message: Buffer): string {
  return statusResponse
    .decode(message)
    .logs.map(({ msg }) => Buffer.from(msg).toString())
    .join();
}

async function all(feed: StatusFeed): Promise<string[]> {
  const texts: string[] = [];
  for await (const message of feed.read({ signal: never })) texts.push(textOf(message));
  return texts;
}

test('status feed: the first reader gets all from the beginning, even after the end', async () => {
  const feed = new StatusFeed();
  await feed.show(log('one'));
  await feed.show(log('two'));
  feed.close();
  assert.deepEqual(await all(feed), ['one', 'two']);
  assert.deepEqual(await all(feed), []);
});

test('status feed: readers at the same time get the same', async () => {
  const feed = new StatusFeed();
  await feed.show(log('early'));
  const first = all(feed);
  const second = all(feed);
  for (const text of ['one', 'two', 'three']) await feed.show(log(text));
  feed.close();
  assert.deepEqual(await first, ['early', 'one', 'two', 'three']);
  assert.deepEqual(await second, ['one', 'two', 'three']);
});

test('status feed: nobody needs to read, and what nobody reads does not fill the memory', async () => {
  const feed = new StatusFeed();
  for (let round = 0; round < 20; round++) await feed.show(log('x'.repeat(1 << 20)));
  feed.close();
  const kept = await all(feed);
  assert.ok(kept.length >= 1 && kept.length <= 4, `${kept.length} MiB were kept`);
});

test('status feed: a slow reader holds up who talks, until it reads or leaves', async () => {
  const feed = new StatusFeed();
  const reader = feed.read({ signal: never });
  const beginning = reader.next();
  let told = 0;
  const telling = (async () => {
    for (; told < 12; told++) await feed.show(log('x'.repeat(1 << 20)));
  })();
  await beginning;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(told < 8, `${told} MiB were told to a reader who reads nothing`);
  await reader.next();
  await reader.return();
  await telling;
  assert.equal(told, 12);
});

test('status feed: a reader who is told to stop leaves', async () => {
  const control = new AbortController();
  const reading = new StatusFeed().read({ signal: control.signal }).next();
  control.abort();
  assert.deepEqual(await reading, { value: undefined, done: true });
});
