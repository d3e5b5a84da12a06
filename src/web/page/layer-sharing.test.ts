import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageTree } from '../../wire/insight.ts';
import { sharersOf } from './layer-sharing.ts';

const layer = (Chain: string, Parent: string) => ({ Chain, Parent, Layer: Chain, Size: 1, CreatedBy: '' });
const image = (Id: string, Chain: string) => ({ Id, Names: [Id], Chain, Size: 1, Created: 1 });
const tree: ImageTree = {
  Layers: [layer('1', ''), layer('2', '1'), layer('3', '2'), layer('4', '1')],
  Images: [image('base', '1'), image('app', '3'), image('copy', '3'), image('other', '4'), image('empty', '')],
};

const CASES: readonly [id: string, sharers: string[][]][] = [
  ['app', [['base', 'copy', 'other'], ['copy'], ['copy']]],
  ['other', [['base', 'app', 'copy'], []]],
  ['empty', []],
  ['unknown', []],
];
for (const [id, sharers] of CASES)
  test(`who shares the layers of ${id}`, () =>
    assert.deepEqual(
      sharersOf(id, tree).map((images) => images.map(({ Id }) => Id)),
      sharers,
    ));
