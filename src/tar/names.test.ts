import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { comparePaths } from './layer-entry.ts';
import { decodeName, encodeName, pathInFolder } from './names.ts';

test('any bytes survive the way through a string', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      assert.deepEqual(encodeName(decodeName(Buffer.from(bytes))), Buffer.from(bytes));
    }),
    { numRuns: 500 },
  );
});

test('any text survives the way through bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.equal(decodeName(encodeName(text)), text);
    }),
  );
});

const names: readonly [name: string, bytes: number[], text: string][] = [
  ['ASCII', [0x61, 0x62], 'ab'],
  ['UTF-8', [0xc3, 0xbc], 'ü'],
  ['Latin-1', [0x62, 0xfc, 0x64], 'b\udcfcd'],
  ['a cut sequence', [0xe2, 0x82], '\udce2\udc82'],
  ['an encoded surrogate', [0xed, 0xb2, 0x80], '\udced\udcb2\udc80'],
  ['a bad byte before a good pair', [0xff, 0xf0, 0x9f, 0x98, 0x80], '\udcff😀'],
];
for (const [name, bytes, text] of names)
  test(`name: ${name}`, () => assert.equal(decodeName(Buffer.from(bytes)), text));

test('a path is a string when it can be one, else bytes', () => {
  assert.equal(pathInFolder('/r', 'a/ü'), '/r/a/ü');
  assert.deepEqual(pathInFolder('/r', 'b\udcff'), Buffer.from([0x2f, 0x72, 0x2f, 0x62, 0xff]));
  assert.equal(pathInFolder('/r', ''), '/r');
});

test('paths sort name by name', () => {
  const sorted = ['', 'a', 'a/b', 'a/b/c', 'a/c', 'a!', 'a-b', 'ab', 'b'];
  assert.deepEqual(sorted.toSorted(comparePaths), sorted);
  assert.deepEqual(sorted.toReversed().sort(comparePaths), sorted);
});
