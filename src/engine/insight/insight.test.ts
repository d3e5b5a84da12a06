import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDiffId } from '../../oci/digest.ts';
import { countedSize, type LayerEntry } from '../../tar/layer-entry.ts';
import { viewOf } from '../../tar/stack/image-view.ts';
import { LayerStack } from '../../tar/stack/layer-stack.ts';
import { historyOf } from '../../tar/stack/path-history.ts';
import { entryOf, fileOf, layersOf } from '../../tar/stack/test-layers.ts';
import type { DiffLine } from '../../wire/insight.ts';
import { blamePath } from './blame-path.ts';
import { diffImages, type StackedImage } from './diff-images.ts';
import { findWaste } from './find-waste.ts';
import { layerChanges } from './layer-changes.ts';
import { resolvePath } from './resolve-path.ts';

/** An image of these layers; each is the layer of a step of its own, made by the command of the same place. */
function imageOf(layers: readonly (readonly LayerEntry[])[], commands: readonly string[] = []): StackedImage {
  const steps = layers.map((rows, index) => ({
    number: index + 1,
    createdBy: commands[index] ?? `/bin/sh -c step ${index + 1}`,
    comment: '',
    // Equal layers have equal digests.
    diffId: parseDiffId(`sha256:${Buffer.from(JSON.stringify(rows)).toString('hex').slice(-64).padStart(64, '0')}`),
  }));
  return { stack: new LayerStack(layers), steps };
}

const folder = (path: string) => entryOf(path, 'directory');
const whiteout = (path: string) => entryOf(path, 'whiteout');

test('blame tells the life of a path: made, changed, repeated, deleted, made again, shadowed', () => {
  const image = imageOf([
    [folder('d'), fileOf('d/f', 'one')],
    [folder('d'), fileOf('d/f', 'two', { mode: 0o600 })],
    [folder('d'), fileOf('d/f', 'two', { mode: 0o600 })],
    [folder('d'), whiteout('d/f')],
    [folder('d'), fileOf('d/f', 'three')],
    [whiteout('d')],
    [folder('d')],
  ]);
  assert.deepEqual(
    blamePath(image, '/d/f').map(({ Step, Kind, Changes, By }) => [Step.Number, Kind, Changes, By]),
    [
      [1, 'added', undefined, undefined],
      [2, 'changed', ['content', 'mode'], undefined],
      [3, 'repeated', [], undefined],
      [4, 'deleted', undefined, undefined],
      [5, 'added', undefined, undefined],
      [6, 'shadowed', undefined, '/d'],
    ],
  );
  assert.throws(() => blamePath(image, '/d/other'), /no step of the image made "\/d\/other"/);
});

test('the changes of one layer, folder by folder, with the bytes that it stored and hid', () => {
  const image = imageOf([
    [folder('d'), fileOf('d/f', 'one'), folder('gone'), folder('gone/in'), fileOf('gone/in/x', '12345')],
    [folder('d'), folder('d/e'), fileOf('d/e/g', 'gg'), fileOf('d/f', 'four'), whiteout('gone'), fileOf('new', 'n')],
    [fileOf('later', 'l')],
  ]);
  const changes = (step: number, path: string) =>
    [...layerChanges(image, step, path)].map(({ Path, Kind, Stored, Hidden }) => [Path, Kind, Stored, Hidden]);
  assert.deepEqual(changes(2, '/'), [
    ['/d', 'inside', 6, 3],
    ['/gone', 'deleted', 0, 5],
    ['/new', 'added', 1, 0],
  ]);
  assert.deepEqual(changes(2, '/d/'), [
    ['/d/e', 'added', 2, 0],
    ['/d/f', 'changed', 4, 3],
  ]);
  assert.deepEqual(changes(2, 'gone'), [['/gone/in', 'shadowed', 0, 5]]);
  assert.deepEqual(changes(1, '/gone/in'), [['/gone/in/x', 'added', 5, 0]]);
  assert.deepEqual(changes(3, '/d'), []);
  assert.throws(() => changes(4, '/'), /step 4 of the image has no layer: layers are of steps 1, 2, 3/);
});

test('the changes of a layer at the root add up to what blame says of every path', () => {
  fc.assert(
    fc.property(layersOf(4), fc.nat(3), (layers, at) => {
      const image = imageOf(layers);
      const layer = at % layers.length;
      const stored = [...image.stack.walk()]
        .filter(({ path }) => path !== '')
        .flatMap(({ path }) => historyOf(image.stack, image.stack.place(path)).events)
        .reduce(
          (sum, event) =>
            sum + (event.layer === layer && event.kind !== 'removed' ? countedSize(event.after.entry) : 0),
          0,
        );
      const rows = [...layerChanges(image, layer + 1, '/')];
      assert.equal(
        rows.reduce((sum, { Stored }) => sum + Stored, 0),
        stored,
      );
    }),
  );
});

test('blame of a file in an opaque directory and of one that becomes a directory', () => {
  const image = imageOf([
    [folder('d'), fileOf('d/f', 'x'), fileOf('p', 'x')],
    [folder('d'), entryOf('d', 'opaque'), folder('p'), fileOf('p/q', 'y')],
  ]);
  const kinds = (path: string) => blamePath(image, path).map(({ Kind, Changes }) => [Kind, Changes]);
  assert.deepEqual(
    kinds('d/f').map(([kind]) => kind),
    ['added', 'shadowed'],
  );
  assert.deepEqual(kinds('p'), [
    ['added', undefined],
    ['changed', ['type']],
  ]);
});

test('symlinks are followed inside the image only', () => {
  const link = (path: string, linkTarget: string) => entryOf(path, 'symlink', { linkTarget });
  const { stack } = imageOf([
    [
      link('absolute', '/d/f'),
      folder('d'),
      fileOf('d/f', 'x'),
      link('d/up', '../../../d'),
      link('loop', 'loop'),
      link('outside', '../../etc/shadow'),
    ],
  ]);
  const paths: readonly [text: string, path: string, there: boolean][] = [
    ['/absolute', 'd/f', true],
    ['d/up/up/f', 'd/f', true],
    ['../../d/./f', 'd/f', true],
    ['/outside', 'etc/shadow', false],
  ];
  for (const [text, path, there] of paths) {
    const resolved = resolvePath(stack, text, 'followed');
    assert.deepEqual([resolved.path, resolved.found !== undefined], [path, there], text);
  }
  assert.equal(resolvePath(stack, '/absolute', 'kept').path, 'absolute');
  assert.throws(() => resolvePath(stack, '/loop', 'followed'), /too many symbolic links/);
  assert.throws(() => resolvePath(stack, 'x/'.repeat(3000), 'followed'), /the path has 6000 characters/);
});

const summaryOf = (lines: readonly DiffLine[]) => lines.at(-1);

test('diff: each file with the last step that is not of both images; only times that differ are counted alone', () => {
  const shared = [folder('a'), fileOf('a/gone', '123'), fileOf('a/kept', 'k'), fileOf('a/old', 'o')];
  const first = imageOf([shared, [folder('a'), fileOf('a/old', 'first')]]);
  const second = imageOf([
    shared,
    [folder('a'), whiteout('a/gone'), fileOf('a/new', '12345')],
    [folder('a'), fileOf('a/kept', 'k', { mtime: 5 })],
  ]);
  const lines = [...diffImages(first, second)];
  assert.deepEqual(
    lines.flatMap((row) =>
      'Path' in row ? [[row.Kind, row.Path, row.SizeBefore, row.SizeAfter, row.StepOf, row.Step.Number]] : [],
    ),
    [
      ['removed', '/a/gone', 3, undefined, 'second', 2],
      ['added', '/a/new', undefined, 5, 'second', 2],
      ['changed', '/a/old', 5, 1, 'first', 2],
    ],
  );
  assert.deepEqual(summaryOf(lines), { Added: 1, Changed: 1, Removed: 1, Bytes: -3 + 5 - 4, TimeOnly: 1 });
});

test('diff: the rows lead from what one image shows to what the other shows', () => {
  fc.assert(
    fc.property(layersOf(4), layersOf(4), fc.nat(3), (own, other, common) => {
      const base = own.slice(0, common);
      const [first, second] = [imageOf(own), imageOf([...base, ...other])];
      const paths = ({ stack }: StackedImage) => new Map([...viewOf(stack)].map((entry) => [`/${entry.path}`, entry]));
      const [before, after] = [paths(first), paths(second)];
      const expected = new Set([...after.keys()]);
      let bytes = 0;
      for (const { content } of after.values()) bytes += countedSize(content);
      for (const { content } of before.values()) bytes -= countedSize(content);
      const lines = [...diffImages(first, second)];
      const result = new Set(before.keys());
      for (const row of lines)
        if ('Path' in row) {
          if (row.Kind === 'added') result.add(row.Path);
          if (row.Kind === 'removed') result.delete(row.Path);
          const steps = row.StepOf === 'first' ? first.steps : second.steps;
          assert.equal(steps[row.Step.Number - 1]?.diffId, row.Step.Layer);
        }
      assert.deepEqual(result, expected);
      const summary = summaryOf(lines);
      assert.ok(summary && 'Bytes' in summary);
      assert.equal(summary.Bytes, bytes);
    }),
    { numRuns: 300 },
  );
});

test('waste: what is of no use and what is shown add up to all bytes, each content counted once', () => {
  fc.assert(
    fc.property(layersOf(5), (layers) => {
      const { Total, Wasted, Efficiency, Groups } = findWaste(imageOf(layers), 0);
      const stack = new LayerStack(layers);
      const shown = new Map<string, { bytes: number; layer: number; digest: string | undefined }>();
      for (const { layer, content } of viewOf(stack))
        shown.set(`${layer} ${content.path}`, { bytes: countedSize(content), layer, digest: content.digest });
      const lowest = new Map<string, number>();
      for (const { digest = '', layer } of shown.values())
        lowest.set(digest, Math.min(layer, lowest.get(digest) ?? layer));
      let useful = 0;
      for (const { bytes, layer, digest } of shown.values())
        if (digest === undefined || lowest.get(digest) === layer) useful += bytes;
      assert.equal(
        Total,
        layers.flat().reduce((sum, row) => sum + countedSize(row), 0),
      );
      assert.equal(Wasted, Total - useful);
      assert.equal(
        Wasted,
        Groups.reduce((sum, group) => sum + group.Bytes, 0),
      );
      assert.ok(Efficiency >= 0 && Efficiency <= 1);
    }),
    { numRuns: 500 },
  );
});

const RUN = '/bin/sh -c make';
const COPY = '/bin/sh -c #(nop) COPY dir:12ab in /d ';
const WASTE: readonly [
  name: string,
  layers: LayerEntry[][],
  commands: string[],
  group: [kind: string, bytes: number, stored: number, by: number],
  advice: RegExp,
][] = [
  [
    'deleted by a later RUN',
    [[fileOf('f', 'text')], [whiteout('f')]],
    [RUN, 'RUN /bin/sh -c rm /f # buildkit'],
    ['deleted', 4, 1, 2],
    /^delete them in step 1, at the end of the RUN that makes them: step 2 only hides them$/,
  ],
  [
    'lists of a package manager',
    [[folder('var/lib/apt/lists'), fileOf('var/lib/apt/lists/x', 'text')], [whiteout('var/lib/apt/lists/x')]],
    [RUN, RUN],
    ['deleted', 4, 1, 2],
    /RUN --mount=type=cache,target=\/var\/lib\/apt\/lists/,
  ],
  [
    'copied, then deleted',
    [[fileOf('f', 'text')], [whiteout('f')]],
    [COPY, RUN],
    ['deleted', 4, 1, 2],
    /^leave them out of step 1 \(\.dockerignore\), or mount them .*--mount=type=bind in step 2$/,
  ],
  [
    'moved',
    [[fileOf('f', 'text')], [whiteout('f'), fileOf('g', 'text')]],
    [COPY, RUN],
    ['moved', 4, 1, 2],
    /^let step 1 copy them to their final place instead of moving them in step 2$/,
  ],
  [
    'another owner after COPY',
    [[fileOf('f', 'text')], [fileOf('f', 'text', { uid: 1000, gid: 1001 })]],
    [COPY, RUN],
    ['attributes', 4, 1, 2],
    /^let step 1 set them: COPY --chown=1000:1001, and drop the change in step 2$/,
  ],
  [
    'another mode after RUN',
    [[fileOf('f', 'text')], [fileOf('f', 'text', { mode: 0o755 })]],
    [RUN, RUN],
    ['attributes', 4, 1, 2],
    /^change them in step 1, in the same RUN that makes them$/,
  ],
  [
    'replaced by RUN',
    [[fileOf('f', 'text')], [fileOf('f', 'other')]],
    [RUN, RUN],
    ['replaced', 4, 1, 2],
    /^join step 2 to step 1 with &&/,
  ],
  [
    'the same content elsewhere',
    [[fileOf('f', 'text')], [fileOf('g', 'text')]],
    [COPY, COPY],
    ['repeated', 4, 2, 1],
    /^step 1 has the same content already/,
  ],
];
for (const [name, layers, commands, group, advice] of WASTE)
  test(`waste: ${name}`, () => {
    const { Groups } = findWaste(imageOf(layers, commands), 0);
    assert.deepEqual(
      Groups.map(({ Kind, Bytes, Stored, By }) => [Kind, Bytes, Stored.Number, By.Number]),
      [group],
    );
    assert.match(Groups[0]?.Advice ?? '', advice);
  });

test('waste: a file with several names is lost with the last of them', () => {
  const lower = [fileOf('a', 'text'), entryOf('b', 'hardlink', { linkTarget: 'a' })];
  assert.deepEqual(findWaste(imageOf([lower, [whiteout('a')]]), 0).Groups, []);
  const { Groups } = findWaste(imageOf([lower, [whiteout('b')], [whiteout('a')]]), 0);
  assert.deepEqual(
    Groups.map(({ Bytes, By }) => [Bytes, By.Number]),
    [[4, 3]],
  );
});

test('waste: files of the base image are not for this Dockerfile to change', () => {
  const { Groups } = findWaste(imageOf([[fileOf('f', 'text')], [whiteout('f')]], [RUN, RUN]), 1);
  assert.match(Groups[0]?.Advice ?? '', /^step 1 belongs to the base image: start from a base without these files$/);
});
