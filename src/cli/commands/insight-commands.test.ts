import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../../lib/error.ts';
import { instructionText } from '../../oci/instruction-text.ts';
import { fileMode } from '../../wire/file-mode.ts';
import type { ImageTree } from '../../wire/insight.ts';
import { findCommand } from '../command-table.ts';
import { imageListTree } from '../format/image-list-tree.ts';
import { dotGraph, textTree } from '../format/image-tree.ts';
import { shownPath } from '../format/shown-path.ts';
import { startTestHost } from '../test-host.ts';
import { testSession } from '../test-session.ts';

test('commands about the inside of images say that a Docker host cannot answer', async () => {
  await using host = await startTestHost({ routes: {} });
  const words = ['tree', 'blame i /f', 'image diff a b', 'image waste i', 'image cat i /f', 'image find i f'];
  for (const line of [...words, 'image ls i /', 'image flatten i', 'image squash i', 'image rebase --onto b i']) {
    const found = await findCommand(line.split(' '));
    assert.ok(found, line);
    await assert.rejects(
      found.command.execute(testSession(host.endpoint), found.path, found.argv),
      (error) => isFailure(error, 'unsupported') && /is a Docker host: this needs one of Strake$/.test(error.message),
      line,
    );
  }
  assert.deepEqual(host.received, []);
});

test('files of an image are listed without the flags of image lists', async () => {
  await using host = await startTestHost({ routes: {} });
  const session = testSession(host.endpoint);
  const found = await findCommand(['image', 'ls', '-q', 'app', '/']);
  assert.equal(await found?.command.execute(session, found.path, found.argv), 125);
  assert.equal(session.stderr.text, "strake: of the flags of 'strake image ls' only --format goes with a path\n");
});

const INSTRUCTIONS: readonly [createdBy: string, text: string][] = [
  ['/bin/sh -c make  -j2', 'RUN make -j2'],
  ['/bin/sh -c #(nop)  ENV A=b', 'ENV A=b'],
  [`/bin/sh -c #(nop) COPY file:${'ab'.repeat(32)} in /f `, 'COPY file:abababababab in /f'],
  ['/bin/bash -o pipefail -c #(nop) WORKDIR /w', 'WORKDIR /w'],
  ['/bin/bash -o pipefail -c make | tee log', 'RUN make | tee log'],
  ['|1 A=b c /bin/sh -c make', 'RUN make'],
  ['/bin/bash -ec make', 'RUN make'],
  ['RUN /bin/sh -c make # buildkit', 'RUN make'],
  ['RUN |1 A=b /bin/sh -c make # buildkit', 'RUN make'],
  ['COPY a b # buildkit', 'COPY a b'],
  ['Imported from -', 'Imported from -'],
  ['RUN echo \u001b[31mred\n', 'RUN echo \ufffd[31mred'],
  ['', ''],
];
for (const [createdBy, text] of INSTRUCTIONS)
  test(`instruction behind ${JSON.stringify(createdBy.slice(0, 40))}`, () =>
    assert.equal(instructionText(createdBy), text));

test('modes as ls shows them', () => {
  assert.equal(fileMode('directory', 0o1777), 'drwxrwxrwt');
  assert.equal(fileMode('file', 0o4755), '-rwsr-xr-x');
  assert.equal(fileMode('hardlink', 0o2644), '-rw-r-Sr--');
  assert.equal(fileMode('symlink', 0o777), 'lrwxrwxrwx');
});

test('names of files cannot make lines of their own', () => {
  assert.equal(shownPath('/a\nb\tc\u001b[0m'), '/a\ufffdb\ufffdc\ufffd[0m');
});

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const layer = (letter: string, parent: string, createdBy: string) => ({
  Chain: digest(letter),
  Parent: parent === '' ? '' : digest(parent),
  Layer: digest(letter),
  Size: 1000,
  CreatedBy: createdBy,
});
const image = (letter: string, chain: string, ...names: string[]) => ({
  Id: digest(letter),
  Names: names,
  Chain: chain === '' ? '' : digest(chain),
  Size: 2000,
  Created: 0,
});
const TREE: ImageTree = {
  Layers: [
    layer('a', '', 'ADD x'),
    layer('b', 'a', 'RUN say "hi\\n"'),
    layer('c', 'b', 'RUN c'),
    layer('d', 'a', 'RUN d'),
  ],
  Images: [image('1', 'a', 'base:1', 'base:2'), image('2', 'c'), image('3', 'd', 'app:1'), image('4', '', 'empty:1')],
};

test('the tree of layers and images', () => {
  assert.equal(
    textTree(TREE),
    `empty:1 (444444444444, 2kB)
aaaaaaaaaaaa 1kB ADD x
├─ base:1, base:2 (111111111111, 2kB)
├─ bbbbbbbbbbbb 1kB RUN say "hi\\n"
│  cccccccccccc 1kB RUN c
│  └─ <none> (222222222222, 2kB)
└─ dddddddddddd 1kB RUN d
   └─ app:1 (333333333333, 2kB)
`,
  );
});

test('the same as a graph: text of instructions cannot leave its quotes', () => {
  const dot = dotGraph(TREE);
  assert.ok(dot.includes(`"${digest('a')}" -> "${digest('b')}";\n`));
  assert.ok(dot.includes(`label="bbbbbbbbbbbb\\n1kB\\nRUN say \\"hi\\\\n\\""`));
  assert.ok(dot.includes(`label="base:1\\nbase:2\\n111111111111\\n2kB"`));
});

test('images --tree: names, platforms, sizes of content, and what containers use', () => {
  const summary = { ParentId: '', RepoDigests: [], Created: 0, SharedSize: -1, Labels: null };
  const manifest = (architecture: string, containers: string[]) => ({
    ID: digest('f'),
    Descriptor: { mediaType: '', digest: digest('f'), size: 1 },
    Available: true,
    Kind: 'image' as const,
    Size: { Content: 500, Total: 1500 },
    ImageData: {
      Platform: { os: 'linux', architecture, variant: 'v8' },
      Containers: containers,
      Size: { Unpacked: 1000 },
    },
  });
  assert.equal(
    imageListTree([
      { ...summary, Id: digest('a'), RepoTags: ['app:1', 'app:2'], Size: 1000, Containers: 1 },
      { ...summary, Id: digest('b'), RepoTags: [], Size: 3, Containers: -1, Manifests: [manifest('arm64', ['c'])] },
    ]).replace(/ +$/gm, ''),
    `IMAGE               ID             DISK USAGE   CONTENT SIZE   EXTRA
app:1
app:2               aaaaaaaaaaaa   1kB          0B             U
<untagged>          bbbbbbbbbbbb   3B           500B           U
└─ linux/arm64/v8   ffffffffffff   1.5kB        500B           U
`,
  );
});
