import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestOf } from '../oci/digest.ts';
import type { EntryHeader } from './layer-entry.ts';
import { type TarEntry, TarReader } from './tar-reader.ts';
import { TarWriter } from './tar-writer.ts';

const BASE: EntryHeader = { path: 'f', type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 0, mtimeNsec: 0 };

function write(
  entries: readonly EntryHeader[],
  content = (entry: EntryHeader) => Buffer.alloc(entry.size, 0x61),
): Buffer {
  const parts: Buffer[] = [];
  const writer = new TarWriter((bytes) => parts.push(Buffer.from(bytes)));
  for (const entry of entries) {
    const offset = writer.begin(entry);
    assert.equal(offset % 512, 0);
    if (entry.type === 'file') writer.data(content(entry));
  }
  const length = writer.end();
  const tar = Buffer.concat(parts);
  assert.equal(tar.length, length);
  return tar;
}

function readBack(tar: Buffer): TarEntry[] {
  const entries: TarEntry[] = [];
  const reader = new TarReader({
    entry: (entry) => entries.push(entry),
    data: () => {},
    hole: () => assert.fail('no holes'),
    close: () => {},
    raw: () => {},
  });
  reader.push(tar);
  reader.end();
  return entries;
}

test('the empty layer has the digest that Docker knows', () => {
  assert.equal(digestOf(write([])), 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef');
});

test('GNU tar lists what was written', () => {
  const tar = write([
    { ...BASE, path: '', type: 'directory', mode: 0o755 },
    { ...BASE, path: 'bin', type: 'directory', mode: 0o1777, uid: 1, gid: 2 },
    { ...BASE, path: 'bin/busy', mode: 0o4755, size: 700, mtime: 1_000_000_000 },
    { ...BASE, path: 'bin/link', type: 'symlink', mode: 0o777, linkTarget: 'busy' },
    { ...BASE, path: 'bin/sh', type: 'hardlink', linkTarget: 'bin/busy' },
    { ...BASE, path: 'dev/null', type: 'char', device: { major: 1, minor: 3 } },
    { ...BASE, path: 'gone/name', type: 'whiteout', mode: 0 },
    { ...BASE, path: 'opq', type: 'opaque', mode: 0 },
    { ...BASE, path: `${'p'.repeat(90)}/${'q'.repeat(90)}`, uid: 3_000_000 },
    { ...BASE, path: `ü/${'n'.repeat(200)}`, linkTarget: undefined },
  ]);
  const listed = execFileSync(
    'tar',
    ['-tvf', '-', '--numeric-owner', '--full-time', '--utc', '--quoting-style=literal'],
    {
      input: tar,
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    },
  );
  assert.deepEqual(listed.replace(/ +/g, ' ').trim().split('\n'), [
    'drwxr-xr-x 0/0 0 1970-01-01 00:00:00 ./',
    'drwxrwxrwt 1/2 0 1970-01-01 00:00:00 bin/',
    '-rwsr-xr-x 0/0 700 2001-09-09 01:46:40 bin/busy',
    'lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 bin/link -> busy',
    'hrw-r--r-- 0/0 0 1970-01-01 00:00:00 bin/sh link to bin/busy',
    'crw-r--r-- 0/0 1,3 1970-01-01 00:00:00 dev/null',
    '---------- 0/0 0 1970-01-01 00:00:00 gone/.wh.name',
    '---------- 0/0 0 1970-01-01 00:00:00 opq/.wh..wh..opq',
    `-rw-r--r-- 3000000/0 0 1970-01-01 00:00:00 ${'p'.repeat(90)}/${'q'.repeat(90)}`,
    `-rw-r--r-- 0/0 0 1970-01-01 00:00:00 ü/${'n'.repeat(200)}`,
  ]);
});

const name = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
  fc.string({ unit: fc.constantFrom('a', 'b', '\udcff', 'é', ' ', '-'), minLength: 1, maxLength: 120 }),
);
const path = fc
  .array(name, { minLength: 1, maxLength: 5 })
  .map((names) => names.map((part) => part.replace(/[/\0]/g, '_')).join('/'))
  .filter((text) => !text.split('/').some((part) => part === '.' || part === '..'));
const owner = fc.oneof(fc.nat(0o7777777), fc.integer({ min: 0o7777777, max: 2 ** 32 - 2 }));
const header: fc.Arbitrary<EntryHeader> = fc.record({
  path,
  type: fc.constantFrom(
    'file' as const,
    'directory' as const,
    'fifo' as const,
    'symlink' as const,
    'hardlink' as const,
  ),
  mode: fc.nat(0o7777),
  uid: owner,
  gid: owner,
  size: fc.nat(3000),
  mtime: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  mtimeNsec: fc.constant(0),
  linkTarget: path,
  xattrs: fc.option(
    fc
      .array(fc.tuple(fc.constantFrom('user.a', 'user.ü', 'security.capability'), fc.uint8Array({ maxLength: 600 })), {
        minLength: 1,
      })
      .map((pairs) => new Map(pairs)),
    { nil: undefined },
  ),
});

test('what is written is read back', () => {
  fc.assert(
    fc.property(fc.array(header, { maxLength: 8 }), (generated) => {
      const entries = generated.map((entry) => ({
        ...entry,
        size: entry.type === 'file' ? entry.size : 0,
        linkTarget: entry.type === 'symlink' || entry.type === 'hardlink' ? entry.linkTarget : undefined,
      }));
      const back = readBack(write(entries)).map(({ offset: _, device: __, ...entry }) => ({
        ...entry,
        path: entry.type === 'directory' ? entry.path.replace(/\/$/, '') : entry.path,
        xattrs: entry.xattrs && sorted(entry.xattrs),
      }));
      assert.deepEqual(
        back,
        entries.map((entry) => ({ ...entry, xattrs: entry.xattrs && sorted(entry.xattrs) })),
      );
    }),
    { numRuns: 300 },
  );
});

test('content may come in any pieces, also straight into the buffer', () => {
  const size = 3_000_001;
  const content = Buffer.alloc(size, 'content');
  const whole = write([{ ...BASE, size }], () => content);
  for (const step of [4099, 1 << 20]) {
    const parts: Buffer[] = [];
    const writer = new TarWriter((bytes) => parts.push(Buffer.from(bytes)));
    writer.begin({ ...BASE, size });
    for (let at = 0; at < size; at += step) {
      const piece = content.subarray(at, at + step);
      if (step % 2 === 1) writer.data(piece);
      else piece.copy(writer.reserve(piece.length));
    }
    writer.end();
    assert.ok(Buffer.concat(parts).equals(whole));
  }
});

test('too much and too little content are mistakes of the caller', () => {
  const writer = new TarWriter(() => {});
  writer.begin({ ...BASE, size: 3 });
  assert.throws(() => writer.data(Buffer.alloc(4)), /more content/);
  const other = new TarWriter(() => {});
  other.begin({ ...BASE, size: 3 });
  assert.throws(() => other.begin(BASE), /missing/);
});

test('a device number that no header can hold is refused', () => {
  const device = { major: 2 ** 22, minor: 0 };
  assert.throws(() => write([{ ...BASE, type: 'char', device }]), /does not fit/);
});

/** PAX records have an order, a Map compares by it. */
function sorted(xattrs: ReadonlyMap<string, Uint8Array>): Map<string, Buffer> {
  return new Map([...xattrs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, Buffer.from(value)]));
}
