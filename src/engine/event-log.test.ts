import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventLog } from './event-log.ts';

const say = (log: EventLog, action: string, type: 'container' | 'image' = 'container') =>
  log.emit({ type, action, id: 'x' });
const query = (more: object = {}) => ({
  filters: {},
  since: undefined,
  until: undefined,
  signal: new AbortController().signal,
  ...more,
});

test('past events, new ones, and none after the end', async () => {
  const log = new EventLog();
  say(log, 'before');
  const stop = new AbortController();
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { Action } of log.read(query({ since: 0, filters: { type: ['container'] }, signal: stop.signal })))
      if (seen.push(Action) === 4) stop.abort();
  })();
  await new Promise(setImmediate);
  for (const action of ['a', 'b']) say(log, action);
  await new Promise(setImmediate);
  say(log, 'other', 'image');
  say(log, 'c');
  await reading;
  assert.deepEqual(seen, ['before', 'a', 'b', 'c']);

  const until: string[] = [];
  for await (const { Action } of log.read(query({ since: 0, until: Date.now() + 1 }))) until.push(Action);
  assert.deepEqual(until, ['before', 'a', 'b', 'other', 'c']);
});

test('subjects by the beginning of ID or name, images with any tag', async () => {
  const log = new EventLog();
  const names: Record<string, string> = { name: 'web1', image: 'shop:2' };
  log.emit({ type: 'container', action: 'start', id: 'abc', attributes: names });
  for (const [filters, count] of [
    [{ container: ['web'] }, 1],
    [{ container: ['ab'] }, 1],
    [{ container: ['eb1'] }, 0],
    [{ network: ['web'] }, 0],
    [{ image: ['shop'] }, 1],
    [{ image: ['shop:2'] }, 1],
    [{ image: ['shop:3', 'sho'] }, 0],
  ] as const) {
    let seen = 0;
    for await (const _ of log.read(query({ since: 0, until: Date.now() + 1, filters }))) {
      seen++;
      break;
    }
    assert.equal(seen, count, JSON.stringify(filters));
  }
});

test('a reader that stays behind is told that it has missed some, others get them all', async () => {
  const log = new EventLog();
  const [slow, quick] = [log.read(query()), log.read(query())];
  const first = Promise.all([slow.next(), quick.next()]);
  say(log, 'first');
  await first;
  let got = 0;
  for (let i = 0; i < 10_500; i++) {
    const next = quick.next();
    say(log, `${i}`);
    if ((await next).value?.Action === `${i}`) got++;
  }
  assert.equal(got, 10_500);
  let late = 0;
  await assert.rejects(
    async () => {
      for await (const { Action } of slow) assert.equal(Action, `${late++}`);
    },
    { kind: 'exhausted', code: 'EVENTS_MISSED' },
  );
  assert.equal(late, 10_000, 'all that came before, in order');
  await quick.return(undefined);
});
