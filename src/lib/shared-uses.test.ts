import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SharedUses } from './shared-uses.ts';

test('opened for the first, closed after the last, one after the other, whatever the order of the calls', async () => {
  const uses = new SharedUses();
  const steps: string[] = [];
  const step = (name: string) => async () => {
    steps.push(`${name} begins`);
    await sleep(1);
    steps.push(`${name} ends`);
  };
  await Promise.all([
    uses.begin('a', step('open')),
    uses.begin('a', step('open again')),
    uses.end('a', step('close early')),
    uses.end('a', step('close')),
    uses.begin('a', step('reopen')),
  ]);
  const expected = ['open', 'close', 'reopen'].flatMap((name) => [`${name} begins`, `${name} ends`]);
  assert.deepEqual(steps, expected);
});

test('what could not be opened has no user, and an end without a beginning is nothing', async () => {
  const uses = new SharedUses();
  const closed: string[] = [];
  const close = async () => void closed.push('closed');
  await assert.rejects(
    uses.begin('a', async () => {
      throw new Error('no');
    }),
    { message: 'no' },
  );
  await uses.end('a', close);
  assert.deepEqual(closed, []);
  uses.add('a'); // open since before
  await uses.begin('a', async () => assert.fail('it is open'));
  await uses.end('a', close);
  await uses.end('a', close);
  assert.deepEqual(closed, ['closed']);
});
