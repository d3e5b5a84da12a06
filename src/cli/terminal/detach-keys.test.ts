import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DetachScanner, parseDetachKeys } from './detach-keys.ts';

const keys: readonly [text: string, bytes: number[] | 'invalid'][] = [
  ['ctrl-p,ctrl-q', [16, 17]],
  ['ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_', [0, 27, 28, 29, 30, 31]],
  ['a,ctrl-C', [97, 3]],
  ['ctrl-1', 'invalid'],
  ['abc', 'invalid'],
  ['', 'invalid'],
];
for (const [text, bytes] of keys) {
  test(`detach keys ${text}`, () => {
    if (bytes === 'invalid') assert.throws(() => parseDetachKeys(text), /invalid detach keys/);
    else assert.deepEqual([...parseDetachKeys(text)], bytes);
  });
}

const typed: readonly [what: string, chunks: number[][], passed: number[], detached: boolean][] = [
  ['the sequence', [[16, 17]], [], true],
  ['the sequence in two pieces', [[97, 16], [17]], [97], true],
  ['a start that leads nowhere', [[16, 98]], [16, 98], false],
  ['a start twice', [[16, 16, 17]], [16], true],
  ['a start that is still open', [[16]], [], false],
  ['the keys in the wrong order', [[17, 16]], [17], false],
];
for (const [what, chunks, passed, detached] of typed) {
  test(`typing ${what}`, () => {
    const scanner = new DetachScanner(parseDetachKeys('ctrl-p,ctrl-q'));
    const results = chunks.map((chunk) => scanner.feed(Buffer.from(chunk)));
    assert.deepEqual(
      results.flatMap(({ pass }) => [...pass]),
      passed,
    );
    assert.equal(results.at(-1)?.detached, detached);
  });
}
