import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourceDateOf } from './source-date.ts';

const good: readonly (readonly [string | null | undefined, number | undefined])[] = [
  [undefined, undefined],
  [null, undefined],
  ['', undefined],
  ['0', 0],
  ['1700000000', 1_700_000_000],
  ['253402300799', 253_402_300_799],
];
for (const [text, expected] of good)
  test(`SOURCE_DATE_EPOCH ${text}`, () =>
    assert.equal(sourceDateOf(text === undefined ? {} : { SOURCE_DATE_EPOCH: text }), expected));

for (const text of ['-1', '1.5', '1e9', 'now', ' 1', '253402300800', '0x10'])
  test(`SOURCE_DATE_EPOCH "${text}" is refused`, () =>
    assert.throws(() => sourceDateOf({ SOURCE_DATE_EPOCH: text }), /invalid SOURCE_DATE_EPOCH/));
