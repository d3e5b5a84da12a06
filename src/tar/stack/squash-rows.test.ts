import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareEntries, type EntryType, type LayerEntry } from '../layer-entry.ts';
import { LayerStack } from './layer-stack.ts';
import { squashRows } from './squash-rows.ts';

/** `d` folder, `f` file, `l name -> target` hard link, `s` symlink, `w` whiteout, `o` opaque folder mark. */
const TYPES: Readonly<Record<string, EntryType>> = {
  d: 'directory',
  f: 'file',
  l: 'hardlink',
  s: 'symlink',
  w: 'whiteout',
  o: 'opaque',
};

function rowsOf(text: string): LayerEntry[] {
  return text
    .split(', ')
    .filter((one) => one !== '')
    .map((one): LayerEntry => {
      const [kind = '', path = '', , linkTarget] = one.split(' ');
      const type = TYPES[kind] ?? 'file';
      const size = type === 'file' ? 1 : 0;
      return { path, type, mode: 0o644, uid: 0, gid: 0, size, mtime: 0, mtimeNsec: 0, offset: 0, linkTarget };
    })
    .sort(compareEntries);
}

/** The rows of one layer for those from number `from` on, each with the number of the layer that it comes from. */
function squashed(layers: readonly string[], from = 0): string {
  return [...squashRows(new LayerStack(layers.map(rowsOf)), from)]
    .map(({ entry: { type, path, linkTarget }, layer }) => {
      const kind = Object.entries(TYPES).find(([, name]) => name === type)?.[0];
      return `${kind} ${path}${linkTarget === undefined ? '' : ` -> ${linkTarget}`} @${layer}`;
    })
    .join(', ');
}

const rows: readonly (readonly [string, readonly string[], string])[] = [
  ['one layer', ['d a, f a/x'], 'd a @0, f a/x @0'],
  ['layers add up', ['d a, f a/x', 'f b'], 'd a @0, f a/x @0, f b @1'],
  ['the upper file wins', ['f a', 'f a'], 'f a @1'],
  ['folders are merged, the upper attributes win', ['d a, f a/x', 'd a, f a/y'], 'd a @1, f a/x @0, f a/y @1'],
  ['a deleted file', ['f a, f b', 'w a'], 'f b @0'],
  ['a deleted folder', ['d a, d a/b, f a/b/c, f z', 'w a'], 'f z @0'],
  ['deleted and made again', ['d a, f a/x', 'w a', 'd a, f a/y'], 'd a @2, f a/y @2'],
  ['an opaque folder', ['d a, f a/x, d a/s, f a/s/y', 'd a, o a, f a/z'], 'd a @1, f a/z @1'],
  ['an opaque root', ['f a, d b, f b/c', 'o , f z'], 'f z @1'],
  ['an opaque folder hides only what is below it', ['d a, f a/x', 'd a, f a/y', 'd a, o a', 'f q'], 'd a @2, f q @3'],
  ['a file in the place of a folder', ['d a, f a/x', 'f a'], 'f a @1'],
  ['a folder in the place of a file', ['f a', 'd a, f a/x'], 'd a @1, f a/x @1'],
  ['a symlink in the place of a folder', ['d a, f a/x', 's a'], 's a @1'],
  ['a folder over a file over a folder', ['d a, f a/old', 'f a', 'd a, f a/new'], 'd a @2, f a/new @2'],
  ['hard links of one layer', ['f a, l b -> a'], 'f a @0, l b -> a @0'],
  ['the first name of a file is deleted above', ['f a, l b -> a, l c -> a', 'w a'], 'f b @0, l c -> b @0'],
  ['the first name is replaced above', ['f a, l b -> a', 'f a'], 'f a @1, f b @0'],
  ['a name that sorts before the file', ['f z, l b -> z'], 'f b @0, l z -> b @0'],
  ['hard links of symlinks', ['s a, l b -> a'], 's a @0, l b -> a @0'],
  ['the same names in two layers are not one file', ['f a, l b -> a', 'f a, l c -> a'], 'f a @1, f b @0, l c -> a @1'],
  ['names that sort around a folder', ['d a, f a/x, f a-b', 'f a.c'], 'd a @0, f a/x @0, f a-b @0, f a.c @1'],
];

for (const [name, layers, expected] of rows) test(`flattened: ${name}`, () => assert.equal(squashed(layers), expected));

const upper: readonly (readonly [string, readonly string[], string])[] = [
  ['a whiteout of what is below stays', ['f a', 'w a'], 'w a @1'],
  ['a whiteout of what is not below goes', ['', 'f a', 'w a'], ''],
  ['a directory made again hides the old one', ['d a, f a/x', 'w a', 'd a, f a/y'], 'd a @2, o a @1, f a/y @2'],
  ['a directory in the place of a file needs no mark', ['f a', 'd a, f a/x'], 'd a @1, f a/x @1'],
  ['whiteouts inside a hidden directory go', ['d a, f a/x', 'd a, w a/x', 'w a'], 'w a @2'],
  ['a file in the place of a directory', ['d a, f a/x', 'd a, f a/y', 'f a'], 'f a @2'],
  ['an opaque root', ['f a', 'f b', 'o , f z'], 'o  @2, f z @2'],
];
for (const [name, layers, expected] of upper)
  test(`squashed from layer 1: ${name}`, () => assert.equal(squashed(layers, 1), expected));
