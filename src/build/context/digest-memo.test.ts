import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DigestMemo } from './digest-memo.ts';
import type { FileStamp } from './quick-stat.ts';

const root = mkdtempSync(join(tmpdir(), 'strake-memo-'));
after(() => rmSync(root, { recursive: true }));

const NOW = 2_000_000_000_000;
const STAMP: FileStamp = {
  inodeLow: 4_000_000_000,
  inodeHigh: 3,
  deviceMajor: 8,
  deviceMinor: 1,
  size: 5_000_000_000,
  mtime: 1_700_000_000,
  mtimeNsec: 1,
  changedSeconds: 1_900_000_000,
  changedNanoseconds: 999_999_999,
};
const digestOf = (number: number) => Buffer.alloc(32, number);
let count = 0;
const newPath = () => join(root, `memo-${++count}`);

test('what was saved is found again, with every part of the state', () => {
  const path = newPath();
  const memo = new DigestMemo(path);
  memo.put(STAMP, { digest: digestOf(7), hasXattrs: true }, NOW);
  memo.save();
  const again = new DigestMemo(path);
  assert.deepEqual(again.get(STAMP), { digest: digestOf(7), hasXattrs: true });
});

for (const part of Object.keys(STAMP) as (keyof FileStamp)[])
  test(`another ${part} is another state`, () => {
    const memo = new DigestMemo(undefined);
    memo.put(STAMP, { digest: digestOf(7), hasXattrs: false }, NOW);
    assert.ok(memo.get(STAMP));
    assert.equal(memo.get({ ...STAMP, [part]: STAMP[part] + 1 }), undefined);
  });

const AGES: readonly (readonly [name: string, stamp: Partial<FileStamp>, remembered: boolean])[] = [
  ['changed long ago', {}, true],
  ['changed a tick ago', { changedSeconds: 1_999_999_999, changedNanoseconds: 995_000_000 }, false],
  ['changed in the future', { changedSeconds: 2_000_000_100, changedNanoseconds: 1 }, false],
  [
    'changed a second ago on a disk with whole seconds',
    { changedSeconds: 1_999_999_999, changedNanoseconds: 0 },
    false,
  ],
  ['changed before 1970', { changedSeconds: -5 }, false],
  ['modified before 1970', { mtime: -5 }, false],
];
for (const [name, stamp, remembered] of AGES)
  test(`a file that was ${name} is ${remembered ? '' : 'not '}remembered`, () => {
    const memo = new DigestMemo(undefined);
    memo.put({ ...STAMP, ...stamp }, { digest: digestOf(1), hasXattrs: false }, NOW);
    assert.equal(memo.get({ ...STAMP, ...stamp }) !== undefined, remembered);
  });

test('a newer state replaces the older one', () => {
  const memo = new DigestMemo(undefined);
  const newer = { ...STAMP, changedSeconds: STAMP.changedSeconds + 1 };
  memo.put(STAMP, { digest: digestOf(1), hasXattrs: false }, NOW);
  memo.put(newer, { digest: digestOf(2), hasXattrs: false }, NOW);
  assert.equal(memo.get(STAMP), undefined);
  assert.deepEqual(memo.get(newer)?.digest, digestOf(2));
});

test('many files, over a save', () => {
  const path = newPath();
  const memo = new DigestMemo(path);
  const stampOf = (number: number) => ({ ...STAMP, inodeLow: number * 64 });
  for (let i = 0; i < 20_000; i++) memo.put(stampOf(i), { digest: digestOf(i % 251), hasXattrs: false }, NOW);
  memo.save();
  const again = new DigestMemo(path);
  for (let i = 0; i < 20_000; i++) assert.deepEqual(again.get(stampOf(i))?.digest, digestOf(i % 251));
});

test('two builds at the same time both leave what they learned', () => {
  const path = newPath();
  const other = { ...STAMP, inodeLow: 5 };
  const one = new DigestMemo(path);
  const two = new DigestMemo(path);
  one.put(STAMP, { digest: digestOf(1), hasXattrs: false }, NOW);
  two.put(other, { digest: digestOf(2), hasXattrs: false }, NOW);
  one.save();
  two.save();
  const memo = new DigestMemo(path);
  assert.deepEqual([memo.get(STAMP)?.digest, memo.get(other)?.digest], [digestOf(1), digestOf(2)]);
});

const DAMAGES: readonly (readonly [name: string, damage: (path: string) => void])[] = [
  ['cut', (path) => truncateSync(path, 1000)],
  ['empty', (path) => truncateSync(path, 0)],
  ['of something else', (path) => writeFileSync(path, 'hello, this is no memo at all, but a text of some length')],
  [
    'changed in one bit',
    (path) => {
      const bytes = readFileSync(path);
      const at = bytes.indexOf(digestOf(9));
      bytes.writeUInt8(8, at);
      writeFileSync(path, bytes);
    },
  ],
];
for (const [name, damage] of DAMAGES)
  test(`a file that is ${name} is as good as none`, () => {
    const path = newPath();
    const memo = new DigestMemo(path);
    memo.put(STAMP, { digest: digestOf(9), hasXattrs: false }, NOW);
    memo.save();
    damage(path);
    assert.equal(new DigestMemo(path).get(STAMP), undefined);
  });
