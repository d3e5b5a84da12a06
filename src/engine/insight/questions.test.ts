import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { isFailure } from '../../lib/error.ts';
import { parseDiffId } from '../../oci/digest.ts';
import { compareEntries, type LayerEntry } from '../../tar/layer-entry.ts';
import { writeLayerIndex } from '../../tar/layer-index.ts';
import { entryOf, fileOf } from '../../tar/stack/test-layers.ts';
import { answerQuestion, type Question } from './questions.ts';
import type { NamedImage } from './stored-image.ts';

const root = mkdtempSync(join(tmpdir(), 'strake-questions-'));
after(() => rmSync(root, { recursive: true }));
let count = 0;

/** A layer on disk: folders as its rows need them, files with these contents. */
function layerOf(files: Readonly<Record<string, string>>, ...rows: LayerEntry[]): string {
  const folder = join(root, String(count++));
  mkdirSync(join(folder, 'diff'), { recursive: true });
  const own = Object.entries(files).map(([path, text]) => fileOf(path, text));
  const parents = new Set([...own, ...rows].map(({ path }) => dirname(path)).filter((path) => path !== '.'));
  const folders = [...parents].map((path) => entryOf(path, 'directory'));
  for (const path of parents) mkdirSync(join(folder, 'diff', path), { recursive: true });
  for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, 'diff', path), text);
  writeLayerIndex(join(folder, 'index'), [...folders, ...own, ...rows].sort(compareEntries));
  return folder;
}

function imageOf(...folders: string[]): NamedImage {
  const steps = folders.map((_, index) => {
    const diffId = parseDiffId(`sha256:${String(index).padStart(64, '0')}`);
    return { number: index + 1, createdBy: `step ${index + 1}`, comment: '', diffId };
  });
  return { folders, steps, id: 'sha256:1', names: ['app:1'] };
}

const text = (question: Question): string => Buffer.concat([...answerQuestion(question)]).toString();
const rowsOf = (question: Question) =>
  text(question)
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
const link = (path: string, linkTarget: string) => entryOf(path, 'symlink', { linkTarget });

const lower = layerOf(
  { 'etc/name': 'lower', 'lib/a.so': 'shared', 'gone/x.so': 'x' },
  link('etc/host', '/etc/hostname'),
  link('etc/up', '../../../../../../etc/passwd'),
  link('so', 'lib'),
  entryOf('lib/b.so', 'hardlink', { linkTarget: 'lib/a.so' }),
);
const upper = layerOf({ 'etc/name': 'upper' }, entryOf('gone', 'whiteout'));
const image = imageOf(lower, upper);

test('a file is read from the layer that shows it', () => {
  assert.equal(text({ kind: 'read', image, path: '/etc/name' }), 'upper');
  assert.equal(text({ kind: 'read', image, path: 'so/a.so' }), 'shared');
  assert.equal(text({ kind: 'read', image: imageOf(lower), path: '/etc/name' }), 'lower');
});

test('links to files of the machine are links inside the image', () => {
  for (const path of ['/etc/host', '/etc/up', '/../../etc/passwd', '/gone/x.so'])
    assert.throws(
      () => text({ kind: 'read', image, path }),
      (error) => isFailure(error, 'not-found'),
      path,
    );
});

test('a file that is gone from the tree, shorter, or a link now is lost data', () => {
  const changes: readonly ((path: string) => void)[] = [
    (path) => rmSync(path),
    (path) => truncateSync(path, 2),
    (path) => {
      rmSync(path);
      symlinkSync('/etc/passwd', path);
    },
  ];
  for (const change of changes) {
    const folder = layerOf({ f: 'text' });
    change(join(folder, 'diff/f'));
    assert.throws(
      () => text({ kind: 'read', image: imageOf(folder), path: '/f' }),
      (error) => isFailure(error, 'data-loss'),
    );
  }
});

test('a folder is listed through links to it, a file as itself', () => {
  const names = (path: string) => rowsOf({ kind: 'files', image, path }).map(({ Path, Type }) => [Path, Type]);
  assert.deepEqual(names('/'), [
    ['/etc', 'directory'],
    ['/lib', 'directory'],
    ['/so', 'symlink'],
  ]);
  assert.deepEqual(names('/so'), [
    ['/lib/a.so', 'file'],
    ['/lib/b.so', 'hardlink'],
  ]);
  assert.deepEqual(names('/etc/host'), [['/etc/host', 'symlink']]);
});

test('a folder in a list has the bytes of all that it shows', () => {
  const totals = rowsOf({ kind: 'files', image, path: '/' }).map(({ Path, Total }) => [Path, Total]);
  assert.deepEqual(totals, [
    ['/etc', 5 + '/etc/hostname'.length + '../../../../../../etc/passwd'.length],
    ['/lib', 6],
    ['/so', undefined],
  ]);
});

test('files are found by name and by path, in every image that shows them', () => {
  const found = (pattern: string, ...images: NamedImage[]) =>
    rowsOf({ kind: 'find', images, pattern }).map(({ Path, Size, Step }) => [Path, Size, Step.Number]);
  assert.deepEqual(found('*.so', image), [
    ['/lib/a.so', 6, 1],
    ['/lib/b.so', 6, 1],
  ]);
  assert.deepEqual(found('/gone/*', imageOf(lower), image), [['/gone/x.so', 1, 1]]);
  assert.deepEqual(found('name', imageOf(lower), image), [
    ['/etc/name', 5, 1],
    ['/etc/name', 5, 2],
  ]);
  assert.deepEqual(found('nothing', image), []);
});

test('a damaged index is told as lost data, not as an image without files', () => {
  const folder = layerOf({ f: 'text' });
  truncateSync(join(folder, 'index'), 20);
  const questions: Question[] = [
    { kind: 'files', image: imageOf(lower, folder), path: '/' },
    { kind: 'blame', image: imageOf(lower, folder), path: '/f' },
    { kind: 'waste', image: imageOf(lower, folder), baseLayers: 0 },
    { kind: 'diff', first: image, second: imageOf(folder) },
    { kind: 'find', images: [image, imageOf(folder)], pattern: 'f' },
  ];
  for (const question of questions)
    assert.throws(
      () => text(question),
      (error) => isFailure(error, 'data-loss'),
      question.kind,
    );
});
