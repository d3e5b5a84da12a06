import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cut } from './part-writer.ts';
import { partSize, readStage, writeStage } from './stage.ts';

const of = (...texts: string[]) => texts.map((text) => Buffer.from(text));
const cuts = [
  ['in a chunk', of('abc', 'def'), 4, of('abc', 'd'), of('ef')],
  ['between chunks', of('abc', 'def'), 3, of('abc'), of('def')],
  ['in the first', of('abcdef', 'g'), 1, of('a'), of('bcdef', 'g')],
  ['all', of('a', 'b'), 2, of('a', 'b'), []],
] as const;

for (const [name, chunks, size, first, rest] of cuts)
  test(`cut ${name}`, () => assert.deepEqual(cut(chunks, size), [first, rest]));

test('a state is what was written', () => {
  const stage = { id: 'u', parts: ['"a"', '"b"'], rest: { number: 2, size: 7, etag: '"c"' }, early: '"d"' };
  assert.deepEqual(readStage(writeStage(stage)), stage);
  assert.deepEqual(readStage(''), { parts: [] });
});

test('10,000 parts, none smaller than stores take, make a blob of 350 GiB', () => {
  let sum = 0;
  for (let number = 1; number <= 10_000; number++) {
    assert.ok(partSize(number) >= 5 << 20);
    sum += partSize(number);
  }
  assert.ok(sum >= 350 * 2 ** 30);
});
