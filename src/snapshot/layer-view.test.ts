import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isFailure } from '../lib/error.ts';
import { type RawHeader, rawTar } from '../tar/tar-fixture.ts';
import { LayerTables, LayerView } from './layer-view.ts';
import { applyBytes } from './scratch-layer.ts';

const skip = process.getuid?.() !== 0 && 'makes whiteouts: needs root';
const folder = mkdtempSync(join(tmpdir(), 'strake-view-'));
after(() => rmSync(folder, { recursive: true }));

const dir = (name: string, mode = 0o755): RawHeader => ({ name, flag: '5', mode });
const link = (name: string, target: string): RawHeader => ({ name, flag: '2', link: target });
const layers: readonly RawHeader[][] = [
  [
    ...[dir('etc'), { name: 'etc/passwd', content: 'bottom' }, { name: 'etc/shadow', content: 'secret' }],
    ...[dir('usr'), dir('usr/bin'), { name: 'usr/bin/tool', content: 'tool' }, link('bin', 'usr/bin')],
    ...[dir('opq'), { name: 'opq/old' }, dir('gone'), { name: 'gone/x' }, { name: 'swap', content: 'file' }],
    ...[dir('tree'), { name: 'tree/below' }, link('abs', '/etc/passwd'), link('loop', 'loop')],
  ],
  [
    ...[dir('etc', 0o711), { name: 'etc/.wh.shadow' }, { name: 'etc/passwd', content: 'top' }],
    ...[dir('opq'), { name: 'opq/.wh..wh..opq' }, { name: 'opq/new' }, { name: '.wh.gone' }],
    ...[dir('swap'), { name: 'swap/in' }, { name: 'tree', content: 'now a file' }],
    ...[link('usr/up', '../../../etc'), { name: 'usr/again', flag: '1', link: 'etc/passwd' }],
    link('chain', 'bin/../up/passwd'),
  ],
  [{ name: 'gone', content: 'back' }],
];

const folders = layers.map((_, i) => join(folder, String(i)));
let view: LayerView;
before(async () => {
  if (skip) return;
  for (const [i, entries] of layers.entries()) await applyBytes(join(folder, String(i)), rawTar(...entries));
  view = new LayerView(folders, new LayerTables());
});

const rows: readonly [path: string, found: string | undefined, last?: 'not followed'][] = [
  ['/etc/passwd', 'etc/passwd in 1'],
  ['etc/passwd', 'etc/passwd in 1'],
  ['./etc//passwd', 'etc/passwd in 1'],
  ['etc/../../etc/passwd', 'etc/passwd in 1'],
  ['etc/shadow', undefined],
  ['etc', 'etc in 1'],
  ['usr/bin', 'usr/bin in 0'],
  ['bin/tool', 'usr/bin/tool in 0'],
  ['bin', 'usr/bin in 0'],
  ['bin', 'bin in 0', 'not followed'],
  ['bin/', 'usr/bin in 0', 'not followed'],
  ['abs', 'etc/passwd in 1'],
  ['usr/up/passwd', 'etc/passwd in 1'],
  ['chain', 'etc/passwd in 1'],
  ['usr/again', 'usr/again in 1'],
  ['opq/old', undefined],
  ['opq/new', 'opq/new in 1'],
  ['gone', 'gone in 2'],
  ['gone/x', undefined],
  ['swap', 'swap in 1'],
  ['swap/in', 'swap/in in 1'],
  ['tree', 'tree in 1'],
  ['tree/below', undefined],
  ['nowhere', undefined],
  ['etc/passwd/x', undefined],
  ['', ' in 1'],
];
for (const [path, found, last] of rows)
  test(`lookup "${path}"${last ? ', last link not followed' : ''}`, { skip }, () => {
    const entry = view.lookup(path, { followLast: last === undefined });
    assert.equal(entry && `${entry.entry.path} in ${folders.indexOf(entry.layer)}`, path === '' ? ' in 2' : found);
  });

test('the disk path leads to the content, a hard link shows its file', { skip }, () => {
  const found = view.lookup('chain', { followLast: true });
  assert.equal(readFileSync(found?.diskPath ?? '', 'utf8'), 'top');
  const linked = view.lookup('usr/again', { followLast: true });
  assert.deepEqual([linked?.entry.type, linked?.entry.size], ['file', 3]);
  assert.equal(linked?.entry.digest, found?.entry.digest);
  assert.equal(readFileSync(linked?.diskPath ?? '', 'utf8'), 'top');
});

test('a loop is refused', { skip }, () => {
  assert.throws(
    () => view.lookup('loop/x', { followLast: true }),
    (error) => isFailure(error, 'invalid'),
  );
  assert.equal(view.lookup('loop', { followLast: false })?.entry.type, 'symlink');
});

test('list shows what the overlay would', { skip }, () => {
  const names = (path: string) => view.list(path)?.map((found) => found.entry.path);
  assert.deepEqual(names(''), ['abs', 'bin', 'chain', 'etc', 'gone', 'loop', 'opq', 'swap', 'tree', 'usr']);
  assert.deepEqual(names('etc'), ['etc/passwd']);
  assert.deepEqual(names('bin'), ['usr/bin/tool']);
  assert.deepEqual(names('opq'), ['opq/new']);
  assert.deepEqual(names('usr'), ['usr/again', 'usr/bin', 'usr/up']);
  assert.equal(names('gone'), undefined);
  assert.equal(names('nowhere'), undefined);
});

test('a few layers are remembered, not all', { skip }, () => {
  const tables = new LayerTables(1);
  const [first = '', second = ''] = folders;
  const table = tables.get(first);
  assert.equal(tables.get(first), table);
  tables.get(second);
  assert.notEqual(tables.get(first), table);
});
