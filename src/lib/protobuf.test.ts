import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bigInteger,
  bool,
  byteStrings,
  bytes,
  bytesMap,
  integer,
  integers,
  message,
  nested,
  nestedList,
  nestedMap,
  string,
  stringMap,
  strings,
  type ValueOf,
} from './protobuf.ts';

const Inner = message({ name: string(1), size: integer(2) });
const Outer = message({
  text: string(1),
  raw: bytes(2),
  yes: bool(3),
  count: integer(4),
  time: bigInteger(5),
  names: strings(6),
  parts: byteStrings(7),
  numbers: integers(8),
  inner: nested(Inner, 9),
  list: nestedList(Inner, 10),
  labels: stringMap(11),
  attributes: bytesMap(12),
  shapes: nestedMap(Inner, 13),
});

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

for (const [name, value, encoded] of [
  ['a string', { text: 'testing' }, '0a 07 74657374696e67'],
  ['nothing', {}, ''],
  ['zero, empty and false are not written', { text: '', count: 0, yes: false, names: [] }, ''],
  ['two bytes of number', { count: 150 }, '20 96 01'],
  ['a negative number has ten bytes', { count: -2 }, '20 fe ff ff ff ff ff ff ff ff 01'],
  ['the largest safe number', { count: Number.MAX_SAFE_INTEGER }, '20 ff ff ff ff ff ff ff 0f'],
  ['nanoseconds', { time: 1_700_000_000_123_456_789n }, '28 95 9a 97 ec e3 9f e7 cb 17'],
  ['empty strings in a list', { names: ['', 'a'] }, '32 00 32 01 61'],
  ['a message in a message', { inner: { name: 'x', size: 3 } }, '4a 05 0a 01 78 10 03'],
  [
    'a list of messages',
    {
      list: [
        { name: 'x', size: 0 },
        { name: '', size: 1 },
      ],
    },
    '52 03 0a 01 78 52 02 10 01',
  ],
  ['a map', { labels: new Map([['k', 'v']]) }, '5a 06 0a 01 6b 12 01 76'],
  ['a map of messages', { shapes: new Map([['k', { name: 'n', size: 1 }]]) }, '6a 0a 0a 01 6b 12 05 0a 01 6e 10 01'],
] as const satisfies readonly (readonly [string, Partial<ValueOf<typeof Outer>>, string])[]) {
  test(`protobuf: ${name}, both ways`, () => {
    assert.deepEqual(Outer.encode(value).toString('hex'), hex(encoded).toString('hex'));
    assert.deepEqual(Outer.decode(hex(encoded)), { ...Outer.decode(Buffer.alloc(0)), ...value });
  });
}

test('protobuf: packed numbers, unknown fields of every wire type, the last of a repeated single field', () => {
  assert.deepEqual(Outer.decode(hex('42 04 01 96 01 02')).numbers, [1, 150, 2]);
  const unknown = 'a0 06 96 01  a1 06 0102030405060708  a2 06 02 ffff  a5 06 01020304';
  assert.equal(Outer.decode(hex(`${unknown} 20 01 20 02 ${unknown}`)).count, 2);
});

for (const [name, encoded, why] of [
  ['a field that ends beyond the message', '0a 05 61', /ends beyond its message/],
  ['a length of eight exabytes', '0a ff ff ff ff ff ff ff ff 7f', /too large/],
  ['a message cut within a number', '20 96', /ends within a number/],
  ['a number of eleven bytes', '28 ff ff ff ff ff ff ff ff ff ff 01', /more than ten bytes/],
  ['a number for a string', '08 01', /wire type 0 in place of 2/],
  ['a group', '0b', /wire type 3 in place of 2/],
  ['an unknown group', 'a3 06', /wire type 3 is unknown/],
  ['a number that no number holds', '20 ff ff ff ff ff ff ff ff 7f', /too large/],
] as const) {
  test(`protobuf: ${name} is refused`, () => {
    assert.throws(() => Outer.decode(hex(encoded)), why);
  });
}
