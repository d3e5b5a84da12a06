import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { isFailure } from '../lib/error.ts';
import { type Compression, decompress, detectCompression } from './compression.ts';

const PLAIN = Buffer.concat([Buffer.alloc(400_000, 'strake '), randomBytes(700_000)]);
const compressed: Readonly<Record<Compression, Buffer>> = {
  none: PLAIN,
  gzip: gzipSync(PLAIN),
  zstd: zstdCompressSync(PLAIN),
  bzip2: execFileSync('bzip2', ['-c'], { input: PLAIN, maxBuffer: 1 << 24 }),
  xz: execFileSync('xz', ['-c'], { input: PLAIN, maxBuffer: 1 << 24 }),
};
const KINDS = ['none', 'gzip', 'zstd', 'bzip2', 'xz'] as const;

async function* pieces(bytes: Buffer, step: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
}

async function expand(bytes: Buffer, options: { step?: number; limit?: number; signal?: AbortSignal } = {}) {
  const { step = 30_000, limit = 1 << 24, signal = new AbortController().signal } = options;
  const parts: Buffer[] = [];
  for await (const part of decompress(pieces(bytes, step), { signal, limit })) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

for (const kind of KINDS) {
  test(`${kind} is detected and expanded`, async () => {
    assert.equal(detectCompression(compressed[kind]), kind);
    for (const step of [1 << 22, 30_000]) assert.ok((await expand(compressed[kind], { step })).equals(PLAIN));
  });

  test(`${kind}: more than the limit is refused`, () =>
    assert.rejects(
      expand(compressed[kind], { limit: 1_000_000 }),
      (error) => isFailure(error, 'exhausted') && /more than 1000000 bytes/.test(error.message),
    ));

  if (kind === 'none') continue;
  test(`${kind}: truncated input is refused`, async () => {
    const bytes = compressed[kind];
    for (const length of [bytes.length - 1, bytes.length - 9, bytes.length >> 1, 20])
      await assert.rejects(
        expand(bytes.subarray(0, length)),
        (error) => isFailure(error, 'invalid') && error.code === 'COMPRESSED_INVALID',
        `cut to ${length}`,
      );
  });

  test(`${kind}: corrupt input is refused`, () => {
    const bytes = Buffer.from(compressed[kind]);
    bytes.fill(0x5a, bytes.length >> 1, (bytes.length >> 1) + 64);
    // zstd has a checksum only when the writer wanted one, so damage its structure.
    if (kind === 'zstd') bytes.fill(0xff, 4, 20);
    return assert.rejects(expand(bytes), (error) => isFailure(error, 'invalid'));
  });
}

test('an empty stream is plain and empty', async () => assert.equal((await expand(Buffer.alloc(0))).length, 0));

test('gzip of several members, as parallel compressors write it', async () => {
  const bytes = Buffer.concat([gzipSync('one '), gzipSync('two '), gzipSync('three')]);
  assert.equal(String(await expand(bytes, { step: 7 })), 'one two three');
});

test('zstd of several frames, with frames to be skipped between them', async () => {
  const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9]);
  const bytes = Buffer.concat([
    skipped,
    zstdCompressSync('one '),
    skipped,
    zstdCompressSync(Buffer.alloc(300_000, 'x')),
    zstdCompressSync(''),
    zstdCompressSync('end'),
    skipped,
  ]);
  for (const step of [1, 1000, bytes.length]) {
    const text = String(await expand(bytes, { step }));
    assert.equal(text.length, 300_007);
    assert.ok(text.startsWith('one xxx') && text.endsWith('xend'));
  }
  await assert.rejects(expand(Buffer.concat([bytes, Buffer.from('garbage')])), /not a frame/);
});

test('a gzip bomb stops at the limit', async () => {
  const bomb = gzipSync(Buffer.alloc(200 << 20));
  const before = process.memoryUsage().rss;
  await assert.rejects(expand(bomb, { limit: 10 << 20 }), (error) => isFailure(error, 'exhausted'));
  assert.ok(process.memoryUsage().rss - before < 150 << 20);
});

test('a missing program is named with its package', async () => {
  const path = process.env['PATH'];
  process.env['PATH'] = '/nowhere';
  try {
    await assert.rejects(
      expand(compressed.xz),
      (error) => isFailure(error, 'unavailable') && /"xz"/.test(error.message) && /xz-utils/.test(error.hint ?? ''),
    );
  } finally {
    process.env['PATH'] = path;
  }
});

for (const kind of KINDS)
  test(`${kind}: an abort ends it, and no process stays`, async () => {
    const controller = new AbortController();
    async function* endless(): AsyncGenerator<Buffer> {
      yield compressed[kind].subarray(0, 200_000);
      await new Promise((_, reject) => controller.signal.addEventListener('abort', () => reject(new Error('stop'))));
    }
    setTimeout(() => controller.abort(new Error('enough')), 50);
    const reading = async () => {
      for await (const _ of decompress(endless(), { signal: controller.signal, limit: 1 << 30 }));
    };
    await assert.rejects(reading(), (error) => isFailure(error, 'cancelled'));
  });

test('an error of the source comes through', async () => {
  for (const kind of KINDS) {
    async function* broken(): AsyncGenerator<Buffer> {
      yield compressed[kind].subarray(0, 100_000);
      throw new Error('the network went away');
    }
    const reading = async () => {
      for await (const _ of decompress(broken(), { signal: new AbortController().signal, limit: 1 << 30 }));
    };
    await assert.rejects(reading(), /the network went away/, kind);
  }
});
