import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration } from './duration.ts';

const VALID: readonly (readonly [text: string, nanoseconds: number])[] = [
  ['0', 0],
  ['0s', 0],
  ['1ns', 1],
  ['1us', 1e3],
  ['1\u00b5s', 1e3],
  ['1\u03bcs', 1e3],
  ['1ms', 1e6],
  ['30s', 30e9],
  ['1.5s', 1.5e9],
  ['.5s', 5e8],
  ['1.s', 1e9],
  ['1m30s', 90e9],
  ['5m', 300e9],
  ['2h45m', 9900e9],
  ['1h1m1s1ms', 3661001e6],
  ['-1.5h', -5400e9],
  ['+5s', 5e9],
  ['0.000000001s', 1],
];

const INVALID: readonly (readonly [text: string, message: string])[] = [
  ['', 'time: invalid duration ""'],
  ['1constructor', 'time: unknown unit "constructor" in duration "1constructor"'],
  ['-', 'time: invalid duration "-"'],
  ['5', 'time: missing unit in duration "5"'],
  ['5s3', 'time: missing unit in duration "5s3"'],
  ['5d', 'time: unknown unit "d" in duration "5d"'],
  ['s', 'time: invalid duration "s"'],
  ['.s', 'time: invalid duration ".s"'],
  ['5 s', 'time: unknown unit " s" in duration "5 s"'],
  ['1e3s', 'time: unknown unit "e" in duration "1e3s"'],
  ['10000000h', 'time: invalid duration "10000000h"'],
  [`${'9'.repeat(5000)}s`, `time: invalid duration "${'9'.repeat(5000)}s"`],
];

for (const [text, nanoseconds] of VALID) test(`duration ${text}`, () => assert.equal(parseDuration(text), nanoseconds));
for (const [text, message] of INVALID)
  test(`no duration: ${text.slice(0, 20)}`, () =>
    assert.throws(() => parseDuration(text), { message, code: 'DURATION_INVALID' }));
