import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { Failure, isFailure } from '../lib/error.ts';
import { silentLog } from '../lib/log.ts';
import { type Digest, digestOf, hexOf } from '../oci/digest.ts';
import { openStore, type Store } from './open-store.ts';
import { openTestStore } from './test-store.ts';

const never = new AbortController().signal;
const options = { limit: 1 << 30, signal: never };
const big = randomBytes((3 << 20) + 17);

function blobPath(store: Store, digest: Digest): string {
  const hex = hexOf(digest);
  return join(store.root, 'content/sha256', hex.slice(0, 2), hex);
}

function pieces(bytes: Buffer, size: number): AsyncIterable<Uint8Array> {
  return Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    })(),
  );
}

function assertNothingLeft(store: Store): void {
  assert.deepEqual(readdirSync(store.scratch), []);
  assert.deepEqual([...store.content.list()], []);
}

for (const [name, source, bytes] of [
  ['bytes in memory', () => big, big],
  ['nothing', () => new Uint8Array(0), Buffer.alloc(0)],
  ['a stream of small pieces', () => pieces(big, 4099), big],
  ['a stream of pieces over the batch', () => pieces(big, (1 << 20) + 1), big],
] as const) {
  test(`write and read back: ${name}`, async () => {
    await using store = await openTestStore();
    const written = await store.content.write(source(), options);
    assert.deepEqual(written, { digest: digestOf(bytes), size: bytes.length });
    assert.deepEqual(await store.content.read(written.digest, bytes.length), bytes);
    assert.deepEqual(Buffer.concat(await store.content.open(written.digest).toArray()), bytes);
    assert.equal(store.content.size(written.digest), bytes.length);
    assert.deepEqual([...store.content.list()], [written.digest]);
    assert.deepEqual(readdirSync(store.scratch), []);
  });
}

for (const [name, kind, code, extra] of [
  ['another digest', 'data-loss', 'CONTENT_MISMATCH', { expected: digestOf('other') }],
  ['another size', 'data-loss', 'CONTENT_MISMATCH', { size: big.length + 1 }],
  ['too many bytes', 'invalid', 'CONTENT_TOO_LARGE', { limit: big.length - 1 }],
] as const) {
  test(`refused, and nothing is left: ${name}`, async () => {
    await using store = await openTestStore();
    await assert.rejects(
      store.content.write(pieces(big, 65536), { ...options, ...extra }),
      (error) => isFailure(error, kind) && error.code === code,
    );
    assertNothingLeft(store);
  });
}

test('an abort ends a write whose source waits, closes the source and leaves nothing', async () => {
  await using store = await openTestStore();
  const controller = new AbortController();
  let closed = false;
  const source: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: () => (controller.signal.aborted ? Promise.reject(new Error('asked after abort')) : hang()),
      return: async () => {
        closed = true;
        return { done: true, value: undefined };
      },
    }),
  };
  const hang = () => new Promise<IteratorResult<Uint8Array>>(() => setTimeout(() => controller.abort(), 5));
  await assert.rejects(store.content.write(source, { ...options, signal: controller.signal }), (error) =>
    isFailure(error, 'cancelled'),
  );
  assert.ok(closed);
  assertNothingLeft(store);
});

test('a source that fails leaves nothing and its error arrives', async () => {
  await using store = await openTestStore();
  const failure = new Failure('unavailable', 'X', 'connection lost');
  async function* source() {
    yield big;
    throw failure;
  }
  await assert.rejects(store.content.write(source(), options), failure);
  assertNothingLeft(store);
});

test('equal content written eight times at once is one blob', async () => {
  await using store = await openTestStore();
  await Promise.all(Array.from({ length: 8 }, (_, index) => store.content.write(pieces(big, 1000 + index), options)));
  assert.deepEqual([...store.content.list()], [digestOf(big)]);
  assert.deepEqual(await store.content.read(digestOf(big), big.length), big);
});

for (const [name, damage] of [
  ['changed', Buffer.from(big).fill(0, 100, 101)],
  ['cut short', big.subarray(0, 100)],
  ['empty', Buffer.alloc(0)],
] as const) {
  test(`a blob that was ${name} is noticed and replaced by the next write`, async () => {
    await using store = await openTestStore();
    const { digest } = await store.content.write(big, options);
    writeFileSync(blobPath(store, digest), damage);
    await assert.rejects(store.content.read(digest, big.length), (error) => isFailure(error, 'data-loss'));
    await assert.rejects(store.content.verify(digest, never), (error) => isFailure(error, 'data-loss'));
    await store.content.write(big, options);
    await store.content.verify(digest, never);
  });
}

test('reading: missing is not-found, over the limit is invalid', async () => {
  await using store = await openTestStore();
  const { digest } = await store.content.write(big, options);
  await assert.rejects(store.content.read(digest, 10), (error) => isFailure(error, 'invalid'));
  await assert.rejects(store.content.read(digestOf('no'), 10), (error) => isFailure(error, 'not-found'));
  assert.throws(
    () => store.content.open(digestOf('no')),
    (error) => isFailure(error, 'not-found'),
  );
});

const noRoot = process.getuid?.() === 0 ? false : 'needs root to mount a small tmpfs';

test('a full disk is "exhausted", names the folder, and the store goes on when there is room', {
  skip: noRoot,
}, async () => {
  const root = mkdtempSync(join(tmpdir(), 'strake-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', root]);
  try {
    await using store = await openStore(root, { log: silentLog });
    await assert.rejects(
      store.content.write(pieces(randomBytes(8 << 20), 65536), options),
      (error) => isFailure(error, 'exhausted') && error.code === 'DISK_FULL' && error.message.includes(root),
    );
    assertNothingLeft(store);
    // The metadata meets the same wall: fill up, then write records until one is refused.
    const filler = join(root, 'filler');
    assert.throws(() => writeFileSync(filler, Buffer.alloc(8 << 20)), /ENOSPC/);
    const keys = Array.from({ length: 2000 }, (_, index) => `key ${index}`);
    const put = (key: string) =>
      store.cache.put({
        key,
        site: 's',
        components: [{ name: 'noise', value: randomBytes(512).toString('hex') }],
        result: 'r',
      });
    let stored = 0;
    assert.throws(
      () => {
        for (const key of keys) {
          put(key);
          stored++;
        }
      },
      (error) => isFailure(error, 'exhausted') && error.message.includes(root),
    );
    rmSync(filler);
    assert.equal(store.cache.list().length, stored);
    put('after');
    assert.equal(store.cache.list().length, stored + 1);
    assert.ok(existsSync(join(root, 'lock')));
  } finally {
    execFileSync('umount', [root]);
    rmSync(root, { recursive: true });
  }
});

test('the folder of a blob is closed to others', async () => {
  await using store = await openTestStore();
  assert.equal(
    execFileSync('stat', ['-c', '%a', store.root, join(store.root, 'content')], { encoding: 'utf8' }),
    '700\n700\n',
  );
});
