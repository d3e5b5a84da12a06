import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { gzipMembers, zstdFrames } from './compress-pieces.ts';

async function compressed(pieces: readonly Uint8Array[], compress = gzipMembers, level?: number): Promise<Buffer> {
  const out: Buffer[] = [];
  for await (const bytes of compress(pieces, level)) out.push(bytes);
  return Buffer.concat(out);
}

for (const [name, size] of [
  ['nothing', 0],
  ['one byte', 1],
  ['exactly one member', 1 << 20],
  ['one byte more', (1 << 20) + 1],
  ['many members', (7 << 20) + 12_345],
] as const)
  test(`gzip of ${name} gives the same bytes back, and is the same however it is cut`, async () => {
    const bytes = Buffer.concat([Buffer.alloc(size >> 1, 'strake '), randomBytes(size - (size >> 1))]);
    const whole = await compressed([bytes]);
    assert.deepEqual(gunzipSync(whole), bytes);
    const cut: Buffer[] = [];
    for (let at = 0; at < size; at += 99_991) cut.push(bytes.subarray(at, at + 99_991));
    assert.deepEqual(await compressed(cut), whole);
  });

test('what cannot be compressed is stored, member by member', async () => {
  const noise = randomBytes(3 << 20);
  const text = Buffer.alloc(2 << 20, 'strake ');
  const whole = await compressed([noise, text]);
  assert.deepEqual(gunzipSync(whole), Buffer.concat([noise, text]));
  assert.ok(whole.length > noise.length && whole.length < noise.length + 20_000, `${whole.length} bytes`);
});

for (const size of [0, 1, 4 << 20, (9 << 20) + 12_345])
  test(`zstd of ${size} bytes gives the same bytes back, and is the same however it is cut`, async () => {
    const bytes = Buffer.alloc(size, 'strake is '.repeat(1000));
    const whole = await compressed([bytes], zstdFrames);
    assert.deepEqual(zstdDecompressSync(whole), bytes);
    assert.deepEqual(await compressed([bytes.subarray(0, size >> 1), bytes.subarray(size >> 1)], zstdFrames), whole);
  });

test('a higher level gives fewer bytes', async () => {
  const words = Array.from({ length: 50_000 }, (_, index) => `${(index * 7919) % 997} ${(index * 31) % 89}`);
  const bytes = Buffer.from(words.join(' '));
  for (const [compress, low, high] of [
    [gzipMembers, 1, 9],
    [zstdFrames, 1, 19],
  ] as const) {
    const [fast, small] = [await compressed([bytes], compress, low), await compressed([bytes], compress, high)];
    assert.ok(small.length < fast.length, `${small.length} and ${fast.length} bytes`);
  }
});
