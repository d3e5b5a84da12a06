import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { mountsUnder } from '../host/mount.ts';
import { isFailure } from '../lib/error.ts';
import { silentLog } from '../lib/log.ts';
import { WorkerPool } from '../lib/worker-pool.ts';
import { parseDiffId } from '../oci/digest.ts';
import { openStore } from '../store/open-store.ts';
import { gather } from '../store/test-store.ts';
import { writeLayerIndex } from '../tar/layer-index.ts';
import { packPieces } from '../tar/pack-layer.ts';
import { type RawHeader, rawEntry, rawTar } from '../tar/tar-fixture.ts';
import { Snapshots } from './snapshots.ts';

const skip = process.getuid?.() !== 0 && 'mounts: needs root';
const folder = mkdtempSync(join(tmpdir(), 'strake-snapshots-'));
after(() => {
  assert.deepEqual(mountsUnder(folder), []);
  rmSync(folder, { recursive: true });
});
const signal = new AbortController().signal;
let count = 0;

/** A store of its own with real worker threads. */
async function open() {
  const scope = new AsyncDisposableStack();
  const store = scope.use(await openStore(join(folder, String(count++)), { log: silentLog }));
  const pool = scope.use(new WorkerPool(new URL('./layer-tasks.test-worker.ts', import.meta.url), 1));
  const snapshots = new Snapshots({
    layers: store.layers,
    active: join(store.root, 'active'),
    pool,
    trash: store.trash,
  });
  return { store, pool, snapshots, [Symbol.asyncDispose]: () => scope.disposeAsync() };
}

async function* source(tar: Buffer, step = 10_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < tar.length; at += step) yield tar.subarray(at, at + step);
}

const dir = (name: string): RawHeader => ({ name, flag: '5', mode: 0o755 });
const BASE = rawTar(dir('./'), dir('etc'), { name: 'etc/a', content: 'a' }, { name: 'etc/b', content: 'b' });

test('layers stack up: receive, mount, change, commit, see the changes', { skip }, async () => {
  await using host = await open();
  const { snapshots } = host;
  const base = await snapshots.receive(source(gzipSync(BASE)), { signal });
  assert.equal(base.tarSize, BASE.length);

  const step = snapshots.prepare('step', [base.id]);
  const root = step.mount();
  assert.equal(step.mount(), root, 'mounting twice is one mount');
  assert.equal(readFileSync(join(root, 'etc/a'), 'utf8'), 'a');
  rmSync(join(root, 'etc/a'));
  writeFileSync(join(root, 'new'), 'new file');
  chmodSync(root, 0o711);
  const made = step.commit(signal);
  assert.ok(!existsSync(step.merged));

  // The layer can be stood upon before its digest is known.
  const next = snapshots.prepare('next', [base.id, made.id]);
  const nextRoot = next.mount();
  assert.deepEqual(readdirSync(join(nextRoot, 'etc')), ['b']);
  assert.equal(statSync(nextRoot).mode & 0o7777, 0o711, 'the root directory is inherited');
  assert.equal(readFileSync(join(nextRoot, 'new'), 'utf8'), 'new file');

  const record = await made.sealed;
  assert.equal(record.id, made.id);
  assert.equal(record.size, 8);
  assert.deepEqual({ ...(await made.facts) }, pick(record));
  assert.equal(host.store.layers.byDiffId(record.diffId)?.id, made.id);
  await next[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(join(host.store.root, 'active')), []);
});

test('nothing changed is the empty layer, and equal layers are one record', { skip }, async () => {
  await using host = await open();
  const { snapshots } = host;
  const empty = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';
  const first = snapshots.prepare('one', []);
  first.mount();
  const one = first.commit(signal);
  assert.equal((await one.sealed).diffId, empty);
  const two = snapshots.prepare('two', [one.id]).commit(signal);
  assert.notEqual(two.id, one.id);
  assert.equal((await two.sealed).id, one.id);
});

test('a failed or aborted layer leaves nothing', { skip }, async () => {
  await using host = await open();
  const { snapshots, store } = host;
  await assert.rejects(snapshots.receive(source(rawTar({ name: '../x' })), { signal }), (e) => isFailure(e, 'invalid'));
  await assert.rejects(snapshots.receive(source(BASE.subarray(0, 700)), { signal }), /truncated/);
  const wrong = parseDiffId(`sha256:${'0'.repeat(64)}`);
  await assert.rejects(snapshots.receive(source(BASE), { signal, expect: wrong }), (e) => isFailure(e, 'data-loss'));
  async function* broken(): AsyncGenerator<Buffer> {
    yield BASE.subarray(0, 600);
    throw new Error('the client went away');
  }
  await assert.rejects(snapshots.receive(broken(), { signal }), /the client went away/);
  const controller = new AbortController();
  async function* endless(): AsyncGenerator<Buffer> {
    yield rawEntry({ name: 'big', size: 0o77777777777 });
    for (;;) {
      yield Buffer.alloc(100_000);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  setTimeout(() => controller.abort(new Error('enough')), 100);
  await assert.rejects(snapshots.receive(endless(), { signal: controller.signal }), (e) => isFailure(e, 'cancelled'));
  const failing = async () => {
    throw new Error('copy failed');
  };
  await assert.rejects(snapshots.write(failing), /copy failed/);
  assert.deepEqual(readdirSync(store.layers.root), []);
  assert.deepEqual(store.layers.list(), []);
  // The worker is free again.
  assert.equal((await snapshots.receive(source(BASE), { signal })).tarSize, BASE.length);
});

test('progress is told, and a large stream does not gather in memory', { skip }, async () => {
  await using host = await open();
  const size = 64 << 20;
  async function* large(): AsyncGenerator<Buffer> {
    yield rawEntry({ name: 'large', size });
    for (let left = size; left > 0; left -= 1 << 16) yield Buffer.alloc(1 << 16, 'x');
    yield Buffer.alloc(1024);
  }
  const told: number[] = [];
  const layer = await host.snapshots.receive(large(), { signal, onProgress: ({ bytes }) => told.push(bytes) });
  assert.equal(layer.size, size);
  assert.ok(told.length > 5 && told.every((bytes, i) => bytes > (told[i - 1] ?? 0)));
  let packed = 0;
  const tree = join(host.store.layers.root, layer.id);
  for (const bytes of packPieces(join(tree, 'index'), join(tree, 'diff'))) packed += bytes.length;
  assert.equal(packed, size + 1536);
});

test('a layer that another room writes', { skip }, async () => {
  await using host = await open();
  const made = await host.snapshots.write(async ({ folder: layer }) => {
    mkdirSync(join(layer, 'diff'));
    writeLayerIndex(join(layer, 'index'), []);
    return { diffId: parseDiffId(`sha256:${'a'.repeat(64)}`), size: 0, tarSize: 1024, entries: 0 };
  });
  assert.equal((await made.sealed).id, made.id);
});

test('a key is used once, and an ended snapshot is ended', { skip }, async () => {
  await using host = await open();
  const { snapshots } = host;
  const first = snapshots.prepare('key', []);
  assert.throws(
    () => snapshots.prepare('key', []),
    (error) => isFailure(error, 'exists'),
  );
  assert.throws(
    () => snapshots.prepare('../key', []),
    (error) => isFailure(error, 'invalid'),
  );
  writeFileSync(join(first.mount(), 'kept'), '');
  first.unmount();
  const again = snapshots.open('key', []);
  assert.deepEqual(readdirSync(again.mount()), ['kept']);
  again.discard();
  again.discard();
  assert.throws(
    () => again.mount(),
    (error) => isFailure(error, 'conflict'),
  );
  assert.throws(
    () => again.commit(signal),
    (error) => isFailure(error, 'conflict'),
  );
  assert.throws(
    () => snapshots.open('key', []).mount(),
    (error) => isFailure(error, 'not-found'),
  );
});

test('an opaque root hides all layers below', { skip }, async () => {
  await using host = await open();
  const { snapshots } = host;
  const base = await snapshots.receive(source(BASE), { signal });
  const opaque = await snapshots.receive(source(rawTar({ name: '.wh..wh..opq' }, { name: 'only', content: 'x' })), {
    signal,
  });
  await using step = snapshots.prepare('k', [base.id, opaque.id]);
  assert.deepEqual(readdirSync(step.mount()), ['only']);
});

const pick = ({
  diffId,
  size,
  tarSize,
  entries,
}: {
  diffId: string;
  size: number;
  tarSize: number;
  entries: number;
}) => ({
  diffId,
  size,
  tarSize,
  entries,
});

test('a layer is compressed into the gzip of its very tar, the same each time', { skip }, async () => {
  await using host = await open();
  const content = Buffer.alloc(3 << 20, 'some content ');
  const tar = rawTar(dir('./'), { name: 'big', content: content.toString() }, { name: 'small', content: 'x' });
  const layer = await host.snapshots.receive(source(tar), { signal });
  const compress = async () => Buffer.concat(await gather(host.snapshots.compress(layer.id, { signal })));
  const bytes = await compress();
  assert.deepEqual(gunzipSync(bytes), tar);
  assert.deepEqual(await compress(), bytes);
});

test('compression of a damaged or abandoned layer ends, and its thread is free again', { skip }, async () => {
  await using host = await open();
  const tar = rawTar(dir('./'), { name: 'big', content: Buffer.alloc(9 << 20, randomBytes(99)).toString('latin1') });
  const layer = await host.snapshots.receive(source(tar, 1 << 20), { signal });
  for await (const bytes of host.snapshots.compress(layer.id, { signal })) if (bytes.length > 0) break;
  const abort = new AbortController();
  const compressing = host.snapshots.compress(layer.id, { signal: abort.signal });
  await compressing.next();
  abort.abort();
  await assert.rejects(gather(compressing), (error) => isFailure(error, 'cancelled'));
  rmSync(join(host.store.layers.folder(layer.id), 'diff/big'));
  await assert.rejects(gather(host.snapshots.compress(layer.id, { signal })), (error) => isFailure(error, 'data-loss'));
});
