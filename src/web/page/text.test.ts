import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { linkTo, parseAddress } from './address.ts';
import { encodePath, fromAddress, lastName, toAddress, visible } from './text.ts';

const NAMES: readonly [name: string, shown: string][] = [
  ['plain ünïcode 🙂', 'plain ünïcode 🙂'],
  ['<img onerror=x>', '<img onerror=x>'],
  ['a\nb\tc', 'a\\nb\\tc'],
  ['\u001b[31m', '\\u001b[31m'],
  ['\u202egpj.exe', '\\u202egpj.exe'],
  ['a\u200bb', 'a\\u200bb'],
  ['odd-\udcff', 'odd-\\xff'],
  ['half \ud800', 'half \\ud800'],
];
for (const [name, shown] of NAMES) test(`${JSON.stringify(name)} is shown`, () => assert.equal(visible(name), shown));

const units = fc.string({ unit: 'binary' });

test('any name survives the way through the address', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(units, fc.constantFrom('\udcff', '\ud800', '~', '~dcff', '/', '?', '&', '='))),
      (parts) => {
        const text = parts.join('');
        assert.equal(fromAddress(toAddress(text)), text);
        if (text !== '') {
          const address = parseAddress(linkTo(['image', text], { path: text, step: 3, none: undefined }));
          assert.deepEqual(address.words, ['image', text]);
          assert.deepEqual(
            [...address.query],
            [
              ['path', text],
              ['step', '3'],
            ],
          );
        }
      },
    ),
  );
  assert.equal(fromAddress('%ff'), '');
});

const PATHS: readonly [path: string, sent: string][] = [
  ['/etc/a b&c', '%2Fetc%2Fa%20b%26c'],
  ['/grüß', '%2Fgr%C3%BC%C3%9F'],
  ['/🙂', '%2F%F0%9F%99%82'],
  ['/odd-\udcff\udc80', '%2Fodd-%ff%80'],
  ['\ud800', '%EF%BF%BD'],
];
for (const [path, sent] of PATHS)
  test(`${JSON.stringify(path)} is sent as the bytes that it is in the image`, () =>
    assert.equal(encodePath(path), sent));

test('the last name of a path', () => {
  assert.deepEqual([lastName('/'), lastName('/a'), lastName('/a/b')], ['/', 'a', 'b']);
});
