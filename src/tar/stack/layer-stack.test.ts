import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareEntries, type LayerEntry } from '../layer-entry.ts';
import { viewOf } from './image-view.ts';
import { LayerStack } from './layer-stack.ts';
import { squashRows } from './squash-rows.ts';
import { layersOf } from './test-layers.ts';

/** The slow and obvious way: a map of paths that each layer changes, lower content first. */
function stacked(layers: readonly (readonly LayerEntry[])[]): Map<string, LayerEntry> {
  const view = new Map<string, LayerEntry>();
  const below = (path: string) =>
    [...view.keys()].filter((key) => (path === '' ? key !== '' : key.startsWith(`${path}/`)));
  for (const rows of layers) {
    for (const row of rows) {
      if (row.type === 'whiteout') for (const key of [row.path, ...below(row.path)]) view.delete(key);
      if (row.type === 'opaque') for (const key of below(row.path)) view.delete(key);
    }
    for (const row of rows) {
      if (row.type === 'whiteout' || row.type === 'opaque') continue;
      if (row.type !== 'directory') for (const key of below(row.path)) view.delete(key);
      const target = row.type === 'hardlink' ? rows.find(({ path }) => path === row.linkTarget) : undefined;
      view.set(row.path, { ...(target ?? row), path: row.path });
    }
  }
  return view;
}

const shown = (entries: Iterable<LayerEntry>) =>
  [...entries].map(({ path, type, mode, digest, linkTarget }) => [path, type, mode, digest, linkTarget]).sort();

const view = (layers: readonly (readonly LayerEntry[])[]) =>
  [...viewOf(new LayerStack(layers))].map(({ path, content }) => ({ ...content, path }));

const propertyRuns = { numRuns: 400 };

test('the merged view is what applying the layers one by one gives', () => {
  fc.assert(
    fc.property(layersOf(5), (layers) => {
      assert.deepEqual(shown(view(layers)), shown(stacked(layers).values()));
    }),
    propertyRuns,
  );
});

test('a place that is looked up is the place that a walk comes by; a walk of a folder is part of the whole walk', () => {
  fc.assert(
    fc.property(layersOf(4), (layers) => {
      const stack = new LayerStack(layers);
      const all = [...stack.walk()];
      for (const place of all) {
        assert.deepEqual(stack.place(place.path), place);
        const inside = all.filter(({ path }) => path === place.path || path.startsWith(`${place.path}/`));
        if (place.path !== '') assert.deepEqual([...stack.walk(place.path)], inside);
      }
    }),
    propertyRuns,
  );
});

test('squashed from any layer on, the image shows the same', () => {
  fc.assert(
    fc.property(layersOf(5), fc.nat(4), (layers, from) => {
      const rows = [...squashRows(new LayerStack(layers), from)].map(({ entry }) => entry);
      assert.deepEqual(rows.toSorted(compareEntries), rows, 'rows are not sorted');
      assert.deepEqual(shown(view([...layers.slice(0, from), rows])), shown(view(layers)));
      const ordered = new Set<string>();
      for (const { type, path, linkTarget } of rows) {
        if (type === 'hardlink') assert.ok(ordered.has(linkTarget ?? ''), 'a hard link comes before its file');
        ordered.add(path);
      }
    }),
    propertyRuns,
  );
});

test('flattened, no whiteout and no opaque directory is left', () => {
  fc.assert(
    fc.property(layersOf(5), (layers) => {
      const rows = [...squashRows(new LayerStack(layers), 0)].map(({ entry }) => entry);
      assert.deepEqual(
        rows.filter(({ type }) => type === 'whiteout' || type === 'opaque'),
        [],
      );
    }),
    propertyRuns,
  );
});
