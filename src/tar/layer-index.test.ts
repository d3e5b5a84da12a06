import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { isFailure } from '../lib/error.ts';
import { digestOf } from '../oci/digest.ts';
import type { LayerEntry } from './layer-entry.ts';
import { LayerIndexWriter, readLayerIndex, writeLayerIndex } from './layer-index.ts';
import { FRAME, Recipe } from './recipe.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-index-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'index');

const name = fc.string({ unit: fc.constantFrom('a', 'bb', '/', 'é', '😀', '\udcff', '-'), maxLength: 200 });
const row: fc.Arbitrary<LayerEntry> = fc.record(
  {
    path: name,
    type: fc.constantFrom(
      ...(['file', 'directory', 'symlink', 'hardlink', 'char', 'block', 'fifo', 'whiteout', 'opaque'] as const),
    ),
    mode: fc.nat(0o7777),
    uid: fc.nat(2 ** 31),
    gid: fc.nat(),
    size: fc.maxSafeNat(),
    mtime: fc.integer({ min: -(2 ** 47), max: 2 ** 47 }),
    mtimeNsec: fc.nat(999_999_999),
    offset: fc.integer({ min: -1, max: 2 ** 50 }),
    linkTarget: fc.option(name, { nil: undefined }),
    device: fc.option(fc.record({ major: fc.nat(4095), minor: fc.nat(2 ** 20) }, { noNullPrototype: true }), {
      nil: undefined,
    }),
    xattrs: fc.option(
      fc
        .array(fc.tuple(name, fc.uint8Array({ maxLength: 300 })))
        .map((pairs) => new Map(pairs.map(([key, value]): [string, Uint8Array] => [key, Buffer.from(value)]))),
      { nil: undefined },
    ),
    digest: fc.option(fc.string().map(digestOf), { nil: undefined }),
  },
  { noNullPrototype: true },
);

test('rows come back as they were written', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 20 }), (entries) => {
      writeLayerIndex(file, entries);
      assert.deepEqual(readLayerIndex(file), { entries, isCanonical: true });
    }),
    { numRuns: 200 },
  );
});

const EXAMPLE: LayerEntry = {
  ...{ path: 'a/b', type: 'file', mode: 0o644, uid: 1, gid: 2, size: 3, mtime: 4, mtimeNsec: 5 },
  offset: 0,
  digest: digestOf('abc'),
};

test('raw bytes of several frames come back, in any order', () => {
  const raw = Buffer.alloc(2 * FRAME + 77);
  for (let i = 0; i < raw.length; i += 4) raw.writeUInt32LE(i, Math.min(i, raw.length - 4));
  {
    using writer = new LayerIndexWriter(file);
    assert.equal(writer.raw(raw.subarray(0, 500)), 0);
    assert.equal(writer.raw(raw.subarray(500)), 500);
    assert.equal(writer.rawLength, raw.length);
    writer.finish(
      [EXAMPLE],
      [
        { kind: 'raw', offset: 100, length: FRAME },
        { kind: 'content', row: 0, offset: 1, length: 2 },
        { kind: 'raw', offset: 5, length: 10 },
      ],
    );
  }
  assert.equal(readLayerIndex(file).isCanonical, false);
  using recipe = Recipe.open(file);
  assert.ok(recipe);
  assert.deepEqual(recipe.pieces, [
    { kind: 'raw', offset: 100, length: FRAME },
    { kind: 'content', row: 0, offset: 1, length: 2 },
    { kind: 'raw', offset: 5, length: 10 },
  ]);
  const parts: Buffer[] = [];
  for (let at = 100; at < raw.length; at += parts.at(-1)?.length ?? 0) parts.push(recipe.raw(at, raw.length - at));
  assert.ok(Buffer.concat(parts).equals(raw.subarray(100)));
});

test('an index that is not finished leaves nothing, and the one before stays', () => {
  writeLayerIndex(file, [EXAMPLE]);
  {
    using writer = new LayerIndexWriter(file);
    writer.raw(Buffer.alloc(3 * FRAME));
  }
  assert.deepEqual(readdirSync(folder), ['index']);
  assert.equal(readLayerIndex(file).entries.length, 1);
  rmSync(file);
  assert.ok(!existsSync(file));
});

test('every damaged byte is noticed', () => {
  using writer = new LayerIndexWriter(file);
  writer.raw(Buffer.from('raw bytes that the rows do not tell'));
  writer.finish([EXAMPLE, { ...EXAMPLE, path: 'a/c' }], [{ kind: 'raw', offset: 0, length: 20 }]);
  const good = readFileSync(file);
  const readAll = () => {
    readLayerIndex(file);
    using recipe = Recipe.open(file);
    for (const piece of recipe?.pieces ?? []) recipe?.raw(piece.offset, piece.length);
  };
  readAll();
  for (let at = 0; at < good.length; at++) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 0x55;
    writeFileSync(file, bad);
    assert.throws(readAll, (error) => isFailure(error, 'data-loss'), `byte ${at} of ${good.length}`);
  }
  for (const length of [0, 10, good.length - 1]) {
    writeFileSync(file, good.subarray(0, length));
    assert.throws(readAll, (error) => isFailure(error, 'data-loss'), `cut to ${length}`);
  }
});

test('50,000 rows are written and read in a moment', () => {
  const entries = Array.from({ length: 50_000 }, (_, i): LayerEntry => {
    const path = `usr/share/d${String(i >> 7).padStart(4, '0')}/file-${String(i).padStart(6, '0')}.txt`;
    return { ...EXAMPLE, path, size: i, offset: i * 1024, digest: digestOf(path) };
  });
  const start = process.cpuUsage();
  writeLayerIndex(file, entries);
  assert.equal(readLayerIndex(file).entries.length, entries.length);
  const { user, system } = process.cpuUsage(start);
  assert.ok(user + system < 2_000_000, `${(user + system) / 1000} ms of CPU`); // about 150 ms on an idle machine
});
