import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDockerfile } from './parse.ts';
import { excerpt, positionAt } from './position.ts';

test('an index in the joined text leads back to line and column', () => {
  const text = 'FROM a\n   RUN one \\\n# comment\n  two \\\n\n three\n';
  const [, run] = parseDockerfile(text, { file: 'f' }).instructions;
  assert.ok(run);
  const lines = text.split('\n');
  for (const word of ['RUN', 'one', 'two', 'three']) {
    const { line, column } = positionAt(run.segments, run.original.indexOf(word));
    assert.ok(lines[line - 1]?.startsWith(word, column - 1), `${word} at ${line}:${column}`);
  }
});

const SOURCE = 'FROM a\r\n\tRUN x\nCOPY a b\nL4\nL5\nL6\nL7\nL8\nL9\nL10\n';
const EXCERPTS: readonly (readonly [range: Parameters<typeof excerpt>[1], text: string])[] = [
  [{ line: 1, endLine: 1 }, '1 | FROM a'],
  [{ line: 2, endLine: 2, column: 2 }, '2 |  RUN x\n  |  ^'],
  [{ line: 2, endLine: 3, column: 6 }, '2 |  RUN x\n  |      ^\n3 | COPY a b'],
  [{ line: 9, endLine: 10 }, ' 9 | L9\n10 | L10'],
  [{ line: 3, endLine: 9 }, '3 | COPY a b\n4 | L4\n5 | L5\n6 | L6\n7 | L7\n  | ...'],
  [{ line: 99, endLine: 99 }, ''],
];

for (const [range, text] of EXCERPTS)
  test(`excerpt of ${JSON.stringify(range)}`, () => assert.equal(excerpt(SOURCE, range), text));
