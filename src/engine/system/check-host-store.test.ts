import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { WorkerPool } from '../../lib/worker-pool.ts';
import { hexOf } from '../../oci/digest.ts';
import type { StoreProblemRow } from '../../wire/store-check.ts';
import {
  type ArchiveHost,
  configOf,
  dockerArchive,
  NO_ROOT,
  startArchiveHost,
  tarOf,
} from '../archives/archive-fixture.ts';
import { checkHostStore } from './check-host-store.ts';

const LAYER = tarOf({ 'bin/tool': 'tool', 'etc/file': 'text' });
const config = configOf([LAYER]);

async function check(host: ArchiveHost, repair: boolean) {
  await using workers = new WorkerPool(new URL('../../snapshot/layer-tasks.test-worker.ts', import.meta.url), 1);
  const rows: StoreProblemRow[] = [];
  const emit = async (row: StoreProblemRow) => void rows.push(row);
  const signal = new AbortController().signal;
  const summary = await checkHostStore({ store: host.store, workers }, { repair, emit, signal });
  assert.equal(summary.Problems, rows.length);
  return { rows, summary };
}

const damages: readonly (readonly [string, (diff: string) => void, RegExp])[] = [
  [
    'other content',
    (diff) => writeFileSync(join(diff, 'etc/file'), 'TEXT'),
    /"etc\/file" \(content\) differs from its index/,
  ],
  ['a missing file', (diff) => rmSync(join(diff, 'bin/tool')), /"bin\/tool" \(missing\)/],
  ['another mode', (diff) => chmodSync(join(diff, 'bin/tool'), 0o600), /"bin\/tool" \(mode\)/],
  ['a file too many', (diff) => symlinkSync('x', join(diff, 'etc/more')), /"etc\/more" \(unexpected\)/],
  ['no tree', (diff) => rmSync(diff, { recursive: true }), /has no diff in/],
  ['a damaged index', (diff) => writeFileSync(join(diff, '../index'), 'index'), /index/],
  ['no index', (diff) => rmSync(join(diff, '../index')), /has no index in/],
];

for (const [name, damage, message] of damages)
  test(`finds ${name} in a layer, and keeps what an image needs`, { skip: NO_ROOT }, async () => {
    await using host = await startArchiveHost();
    await host.load(tarOf(dockerArchive([{ config, layers: [LAYER], tags: ['a:1'] }])));
    assert.deepEqual(await check(host, false), {
      rows: [],
      summary: { Images: 1, Layers: 1, Blobs: 0, Problems: 0, Repaired: 0 },
    });
    const [layer] = host.store.layers.list();
    assert.ok(layer);
    damage(join(host.store.layers.folder(layer.id), 'diff'));
    for (const repair of [false, true]) {
      const { rows } = await check(host, repair);
      assert.deepEqual(
        rows.map((row) => [row.Subject, row.Repair]),
        [[layer.diffId, 'none']],
      );
      assert.match(rows[0]?.Message ?? '', message);
    }
    // Without the image the layer is nobody's: it can be mended by taking it away.
    host.store.images.names.untag({ registry: 'docker.io', path: 'library/a', tag: '1', digest: undefined });
    host.store.images.delete(config.id);
    assert.equal((await check(host, false)).rows[0]?.Repair, 'possible');
    assert.equal((await check(host, true)).rows[0]?.Repair, 'done');
    assert.equal((await check(host, true)).summary.Problems, 0);
    assert.deepEqual(host.store.layers.list(), []);
    await host.load(tarOf(dockerArchive([{ config, layers: [LAYER], tags: ['a:1'] }])));
  });

test('finds damaged blobs and folders of no layer, and mends them', { skip: NO_ROOT }, async () => {
  await using host = await startArchiveHost();
  const { store } = host;
  const signal = new AbortController().signal;
  const { digest } = await store.content.write(Buffer.from('blob'), { limit: 100, signal });
  writeFileSync(join(store.root, 'content/sha256', hexOf(digest).slice(0, 2), hexOf(digest)), 'BLOB');
  mkdirSync(join(store.layers.root, 'zzz'));
  const { rows, summary } = await check(host, true);
  assert.deepEqual(rows.map((row) => [row.Code, row.Repair]).sort(), [
    ['BLOB_DAMAGED', 'done'],
    ['LAYER_UNRECORDED', 'done'],
  ]);
  assert.equal(summary.Repaired, 2);
  assert.equal((await check(host, false)).summary.Problems, 0);
});
