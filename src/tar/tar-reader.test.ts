import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { isFailure } from '../lib/error.ts';
import { EXTENSION_LIMIT } from './extension-headers.ts';
import { paxEntry, rawEntry, rawTar } from './tar-fixture.ts';
import { type TarEntry, TarReader } from './tar-reader.ts';

interface Read {
  readonly entries: (TarEntry & { content: Buffer })[];
  /** All bytes in the order in which they were passed on. */
  readonly bytes: Buffer;
}

/** Reads an archive in chunks of `step` bytes. Content of sparse files is expanded. */
function read(tar: Buffer, step = tar.length): Read {
  const entries: Read['entries'] = [];
  const bytes: Buffer[] = [];
  let content: Buffer[] = [];
  let entry: TarEntry | undefined;
  const reader = new TarReader({
    entry: (next) => {
      assert.equal(entry, undefined, 'an entry begins inside another');
      entry = next;
      content = [];
    },
    data: (piece) => {
      content.push(Buffer.from(piece));
      bytes.push(Buffer.from(piece));
    },
    hole: (length) => content.push(Buffer.alloc(length)),
    close: () => {
      assert.ok(entry);
      entries.push({ ...entry, content: Buffer.concat(content) });
      entry = undefined;
    },
    raw: (piece) => bytes.push(Buffer.from(piece)),
  });
  for (let at = 0; at < tar.length; at += step) reader.push(tar.subarray(at, at + step));
  reader.end();
  return { entries, bytes: Buffer.concat(bytes) };
}

const folder = mkdtempSync(join(tmpdir(), 'strake-tar-reader-'));
after(() => rmSync(folder, { recursive: true }));

function gnuTar(format: string, ...options: string[]): Buffer {
  const file = join(folder, 'out.tar');
  execFileSync('tar', [`--format=${format}`, ...options, '--sort=name', '-cf', file, '-C', folder, 'tree']);
  return readFileSync(file);
}

function makeTree(): void {
  const tree = join(folder, 'tree');
  mkdirSync(join(tree, 'sub'), { recursive: true });
  writeFileSync(join(tree, 'file'), 'content\n', { mode: 0o640 });
  writeFileSync(join(tree, 'sub/empty'), '');
  execFileSync('ln', [join(tree, 'file'), join(tree, 'hard')]);
  execFileSync('ln', ['-s', '../file', join(tree, 'sub/link')]);
  execFileSync('mkfifo', [join(tree, 'fifo')]);
}
makeTree();

for (const format of ['gnu', 'oldgnu', 'posix', 'ustar', 'v7'])
  for (const step of [1, 511, 512, 100_000])
    test(`GNU tar --format=${format} in chunks of ${step}`, () => {
      const options = format === 'v7' ? ['--exclude=fifo'] : [];
      const tar = gnuTar(format, ...options);
      const { entries, bytes } = read(tar, step);
      assert.deepEqual(bytes, tar);
      const shown = entries.map(({ path, type, size, linkTarget }) => [path, type, size, linkTarget]);
      const expected = [
        ['tree/', 'directory', 0, undefined],
        ['tree/fifo', 'fifo', 0, undefined],
        ['tree/file', 'file', 8, undefined],
        ['tree/hard', 'hardlink', 0, 'tree/file'],
        ['tree/sub/', 'directory', 0, undefined],
        ['tree/sub/empty', 'file', 0, undefined],
        ['tree/sub/link', 'symlink', 0, '../file'],
      ].filter(([, type]) => format !== 'v7' || type !== 'fifo');
      assert.deepEqual(shown, expected);
      const file = entries.find((entry) => entry.path === 'tree/file');
      assert.equal(file?.mode, 0o640);
      assert.equal(String(file?.content), 'content\n');
    });

for (const [name, ...options] of [
  ['gnu'],
  ['oldgnu'],
  ['posix'],
  ['posix', '--sparse-version=0.0'],
  ['posix', '--sparse-version=0.1'],
] as const)
  test(`sparse file in GNU tar --format=${name} ${options.join(' ')}`, () => {
    const path = join(folder, 'tree/sparse');
    try {
      const expected = Buffer.alloc(3_000_000);
      writeFileSync(path, '');
      truncateSync(path, expected.length);
      const pieces = Array.from({ length: 40 }, (_, i) => 8192 + i * 65_536);
      const descriptor = execFileSync('sh', [
        '-c',
        pieces.map((at) => `printf x%06d ${at} | dd of="${path}" bs=1 seek=${at} conv=notrunc status=none`).join(';'),
      ]);
      assert.equal(descriptor.length, 0);
      for (const at of pieces) expected.write(`x${String(at).padStart(6, '0')}`, at);
      const tar = gnuTar(name, '--sparse', ...options);
      assert.ok(tar.length < 1_000_000, 'GNU tar found no holes');
      for (const step of [700, tar.length]) {
        const { entries, bytes } = read(tar, step);
        const sparse = entries.find((entry) => entry.path.endsWith('/sparse'));
        assert.equal(sparse?.path, 'tree/sparse');
        assert.equal(sparse.size, expected.length);
        assert.ok(sparse.content.equals(expected));
        assert.deepEqual(bytes, tar);
      }
    } finally {
      rmSync(path);
    }
  });

for (const format of ['gnu', 'posix'])
  test(`long and strange names in GNU tar --format=${format}`, () => {
    const long = join(folder, 'tree/long');
    const deep = join(long, 'd'.repeat(150), 'e'.repeat(150));
    mkdirSync(deep, { recursive: true });
    try {
      writeFileSync(join(deep, 'f'.repeat(250)), 'deep');
      writeFileSync(Buffer.concat([Buffer.from(`${long}/b`), Buffer.from([0xff, 0xfe])]), 'bytes');
      execFileSync('ln', ['-s', 't'.repeat(300), join(long, 'link')]);
      const { entries } = read(gnuTar(format), 333);
      const byName = new Map(entries.map((entry) => [entry.path, entry]));
      const path = `tree/long/${'d'.repeat(150)}/${'e'.repeat(150)}/${'f'.repeat(250)}`;
      assert.equal(String(byName.get(path)?.content), 'deep');
      assert.equal(String(byName.get('tree/long/b\udcff\udcfe')?.content), 'bytes');
      assert.equal(byName.get('tree/long/link')?.linkTarget, 't'.repeat(300));
    } finally {
      rmSync(long, { recursive: true });
    }
  });

test('PAX records say what the header cannot', () => {
  const tar = Buffer.concat([
    paxEntry({ comment: 'global', gid: '7' }, 'g'),
    paxEntry({
      path: 'dir/näme',
      size: '5',
      uid: '4000000000',
      mtime: '-1.25',
      'SCHILY.xattr.user.bin': Buffer.from([0, 10, 255]),
    }),
    rawEntry({ name: 'short', size: 0, content: 'hello' }),
    rawTar({ name: 'next' }),
  ]);
  const [first, second] = read(tar, 100).entries;
  assert.equal(first?.path, 'dir/näme');
  assert.equal(String(first.content), 'hello');
  assert.deepEqual([first.uid, first.gid, first.mtime, first.mtimeNsec], [4_000_000_000, 7, -2, 750_000_000]);
  assert.deepEqual([...(first.xattrs ?? [])], [['user.bin', Buffer.from([0, 10, 255])]]);
  assert.equal(first.offset, 1024, 'the entry begins with its extended header');
  assert.deepEqual([second?.path, second?.uid, second?.gid, second?.xattrs], ['next', 0, 7, undefined]);
});

test('base-256 numbers', () => {
  const size = Buffer.alloc(12);
  size[0] = 0x80;
  size.writeUInt32BE(3, 8);
  assert.equal(read(rawTar({ name: 'f', size, content: 'abc' })).entries[0]?.size, 3);
});

test('the prefix of a ustar name is used, the other fields of a GNU header are not', () => {
  const posix = rawEntry({ name: 'name' });
  posix.write('pre/fix', 345, 'latin1');
  const gnu = Buffer.from(posix);
  gnu.write('ustar  \0', 257, 'latin1');
  for (const [block, path] of [[posix, 'pre/fix/name'] as const, [gnu, 'name'] as const]) {
    block.write(
      `${block
        .subarray(0, 512)
        .reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 32 : byte), 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
      'latin1',
    );
    assert.equal(read(Buffer.concat([block, Buffer.alloc(1024)])).entries[0]?.path, path);
  }
});

test('an archive may end without zero blocks, after one, and with anything behind them', () => {
  const entry = rawEntry({ name: 'a', content: 'x' });
  for (const end of [Buffer.alloc(0), Buffer.alloc(512), Buffer.concat([Buffer.alloc(512), Buffer.from('garbage')])]) {
    const tar = Buffer.concat([entry, end]);
    assert.deepEqual([read(tar).entries.length, read(tar, 7).bytes.equals(tar)], [1, true]);
  }
  assert.deepEqual(read(Buffer.alloc(0)).entries, []);
  assert.deepEqual(read(Buffer.alloc(10_240)).entries, []);
});

/** Two headers that are over the bound together. */
const halves = (flag: 'x' | 'g') =>
  ['a', 'b'].map((name) => paxEntry({ [name]: Buffer.alloc(EXTENSION_LIMIT / 2) }, flag));

const hostile: readonly [name: string, tar: Buffer, message: RegExp][] = [
  ['not a tar', Buffer.from('#!/bin/sh\n'.repeat(60)), /^the input is not a tar archive$/],
  [
    'wrong checksum of the second header',
    Buffer.concat([rawEntry({ name: 'a' }), Buffer.alloc(512, 0x41)]),
    /wrong checksum \(at byte 512\)/,
  ],
  ['unknown type', rawTar({ name: 'a', flag: 'Z' }), /"a" has the unknown type "Z"/],
  ['part of a multi-volume archive', rawTar({ name: 'a', flag: 'M' }), /unknown type "M"/],
  ['a name without a character', rawTar({ name: '' }), /unusable name/],
  ['a negative size', rawTar({ name: 'a', size: Buffer.alloc(12, 0xff) }), /size -1 is out of range/],
  [
    'a size beyond numbers',
    rawTar({ name: 'a', size: Buffer.concat([Buffer.from([0x80]), Buffer.alloc(11, 0xff)]) }),
    /size .* is out of range/,
  ],
  ['letters in a number', rawTar({ name: 'a', size: Buffer.from('12x456789012') }), /malformed number in field size/],
  [
    'an extension header that is too large',
    rawTar({ name: 'x', flag: 'x', size: EXTENSION_LIMIT + 1 }),
    /extension header of 1048577 bytes/,
  ],
  [
    'extension headers that are too large together',
    Buffer.concat([...halves('x'), rawTar({ name: 'x' })]),
    /extension header of 1[0-9]{6} bytes/,
  ],
  [
    'global extension headers that are too large together, with entries between them',
    Buffer.concat([...halves('g').flatMap((half) => [half, rawEntry({ name: 'x' })]), rawTar({ name: 'y' })]),
    /extension header of 1[0-9]{6} bytes/,
  ],
  ['a long name that is too large', rawTar({ name: 'x', flag: 'L', size: 0o777777777 }), /extension header of/],
  ['a PAX record that is too long', rawTar({ name: 'x', flag: 'x', content: '99 path=a\n' }), /malformed PAX record/],
  ['a PAX record without length', rawTar({ name: 'x', flag: 'x', content: 'path=a\n' }), /malformed PAX record/],
  ['a PAX record of length 1', rawTar({ name: 'x', flag: 'x', content: '1 a=b\n' }), /malformed PAX record/],
  ['a PAX name with a NUL', Buffer.concat([paxEntry({ path: 'a\0b' }), rawTar({ name: 'x' })]), /unusable name/],
  [
    'a PAX size that is no number',
    Buffer.concat([paxEntry({ size: '-5' }), rawTar({ name: 'x' })]),
    /size=-5 is not a size/,
  ],
  ['an archive that ends after an extension header', rawTar({ name: 'l', flag: 'L', content: 'long' }), /ends after/],
  [
    'a sparse map out of order',
    Buffer.concat([
      paxEntry({ 'GNU.sparse.map': '4,1,0,1', 'GNU.sparse.size': '10' }),
      rawTar({ name: 'x', content: 'ab' }),
    ]),
    /not in order/,
  ],
  [
    'a sparse map that promises more than there is',
    Buffer.concat([
      paxEntry({ 'GNU.sparse.map': '0,5', 'GNU.sparse.size': '10' }),
      rawTar({ name: 'x', content: 'ab' }),
    ]),
    /holds 5 bytes, the archive 2/,
  ],
  [
    'a sparse map that never ends',
    Buffer.concat([
      paxEntry({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '10' }),
      rawTar({ name: 'x', content: '1'.repeat(2048) }),
    ]),
    /malformed sparse map/,
  ],
  [
    'a sparse map longer than its entry',
    Buffer.concat([
      paxEntry({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '10' }),
      rawTar({ name: 'x', content: '3\n1\n' }, { name: 'y' }),
    ]),
    /longer than its entry|malformed sparse map/,
  ],
];
for (const [name, tar, message] of hostile)
  test(`refused: ${name}`, () => {
    for (const step of [tar.length, 13])
      assert.throws(
        () => read(tar, step),
        (error) => isFailure(error, 'invalid') && message.test(error.message),
      );
  });

test('a truncated archive is told wherever it is cut, except between entries', () => {
  const parts = [
    rawEntry({ name: 'first', content: 'x'.repeat(1500) }),
    Buffer.concat([paxEntry({ path: 'second' }), rawEntry({ name: 's', content: 'y'.repeat(600) })]),
  ];
  const tar = Buffer.concat([...parts, Buffer.alloc(1024)]);
  const fine = new Set([0, parts[0]?.length, (parts[0]?.length ?? 0) + (parts[1]?.length ?? 0)]);
  for (let cut = 0; cut <= tar.length - 1024; cut += 512) {
    const attempt = () => read(tar.subarray(0, cut));
    if (fine.has(cut)) attempt();
    else assert.throws(attempt, new RegExp(`truncated in .*\\(at byte ${cut}\\)`), `cut at ${cut}`);
  }
  assert.throws(() => read(tar.subarray(0, 700)), /truncated in entry "first" \(at byte 700\)/);
  assert.throws(() => read(tar.subarray(0, 100)), /truncated in a header/);
});

test('random damage never does more than throw a Failure', () => {
  const tar = Buffer.concat([
    paxEntry({ path: 'ä', 'GNU.sparse.map': '0,2', 'GNU.sparse.size': '4' }),
    rawTar({ name: 'a', content: 'ab' }, { name: 'l', flag: 'L', content: 'long' }, { name: 'b', flag: '5' }),
  ]);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(tar.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 900 }),
      (damage, step) => {
        const copy = Buffer.from(tar);
        for (const [at, value] of damage) copy[at] = value;
        try {
          read(copy, step);
        } catch (error) {
          assert.ok(isFailure(error, 'invalid'), String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});
