import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hexDump, textOf } from './dump.ts';

const CONTENTS: readonly [name: string, bytes: Uint8Array, isWhole: boolean, text: string | undefined][] = [
  ['nothing', Buffer.alloc(0), true, ''],
  ['lines', Buffer.from('a\n\tb\r\n\u001b[1m'), true, 'a\n\tb\r\n\u001b[1m'],
  ['other letters', Buffer.from('grüße'), true, 'grüße'],
  ['a piece that ends in a character', Buffer.from('grü').subarray(0, 3), false, 'gr'],
  ['a file that ends in a character', Buffer.from('grü').subarray(0, 3), true, undefined],
  ['zeros', Buffer.from('a\0b'), true, undefined],
  ['no UTF-8', Buffer.of(0x61, 0xff), true, undefined],
];
for (const [name, bytes, isWhole, text] of CONTENTS)
  test(`text of ${name}`, () => assert.equal(textOf(bytes, isWhole), text));

test('bytes in hexadecimal', () => {
  const bytes = Buffer.from('0123456789abcdef<\0>');
  assert.equal(
    hexDump(bytes),
    [
      '00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|',
      '00000010  3c 00 3e                                          |<.>|',
    ].join('\n'),
  );
});
