import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeScratchFolder } from '../../../lib/scratch.ts';
import { MountedTree, type TreeMount } from './mounted-tree.ts';
import { absolutePath, findPath, statPath } from './path-stat.ts';

/** A root with links, a volume, a volume inside of it and a file of the host. */
async function withTree(work: (tree: MountedTree, folder: string) => void): Promise<void> {
  await using scratch = makeScratchFolder(tmpdir(), 'tree');
  const at = (...parts: string[]) => join(scratch.path, ...parts);
  for (const path of ['root/etc', 'root/data/sub', 'root/run', 'root/v', 'volume/inner', 'deep', 'outside'])
    mkdirSync(at(path), { recursive: true });
  writeFileSync(at('outside/secret'), 'of the machine');
  writeFileSync(at('root/etc/passwd'), 'of the container');
  writeFileSync(at('volume/f'), 'of the volume');
  writeFileSync(at('deep/g'), 'of the inner one');
  writeFileSync(at('hosts'), 'of the host');
  for (const [path, target] of [
    ['root/data/up', '../../../../../etc'],
    ['root/data/absolute', '/etc/passwd'],
    ['root/data/out', at('outside')],
    ['root/data/loop', 'loop'],
    ['root/data/tovol', '../v/inner'],
    ['root/var', 'run'],
    ['volume/back', '../etc/passwd'],
  ] as const)
    symlinkSync(target, at(path));
  const mounts: TreeMount[] = [
    { destination: '/v', source: at('volume'), kind: 'folder', readOnly: false },
    { destination: '/v/inner', source: at('deep'), kind: 'folder', readOnly: true },
    { destination: '/etc/hosts', source: at('hosts'), kind: 'file', readOnly: false },
    { destination: '/var/w', source: at('volume'), kind: 'folder', readOnly: false },
  ];
  work(new MountedTree({ root: at('root'), mounts }), scratch.path);
}

const read = (tree: MountedTree, path: string) => {
  using place = tree.place(tree.resolve(path, { missing: 'throw' }));
  return readFileSync(place.path, 'utf8');
};

test('paths lead through links and mounts, and never out', () =>
  withTree((tree) => {
    for (const [path, real, content] of [
      ['/data/up/passwd', '/etc/passwd', 'of the container'],
      ['/../../data/absolute', '/etc/passwd', 'of the container'],
      ['/v/f', '/v/f', 'of the volume'],
      ['/v/back', '/etc/passwd', 'of the container'],
      ['/v/inner/g', '/v/inner/g', 'of the inner one'],
      ['/data/tovol/g', '/v/inner/g', 'of the inner one'],
      ['/etc/hosts', '/etc/hosts', 'of the host'],
      ['/run/w/f', '/run/w/f', 'of the volume'],
    ] as const) {
      assert.equal(tree.resolve(path, { missing: 'throw' }), real, path);
      assert.equal(read(tree, path), content, path);
    }
    assert.throws(() => read(tree, '/data/out/secret'), { code: 'ENOENT' });
    assert.throws(() => tree.resolve('/data/loop', { missing: 'throw' }), { code: 'ELOOP' });
    assert.equal(tree.resolve('/data/none/../x', { missing: 'keep' }), '/data/x');
    assert.equal(tree.mountOf('/v/inner/g')?.readOnly, true);
    assert.ok(tree.holdsMount('/v') && tree.isMount('/v/inner') && !tree.holdsMount('/data'));
  }));

test('what a client of cp names, and its stat', () =>
  withTree((tree) => {
    for (const [path, real, base] of [
      ['data/sub', '/data/sub', 'sub'],
      ['/data/up', '/data/up', 'up'],
      ['/data/up/', '/etc', 'up'],
      ['/data/sub/.', '/data/sub', '.'],
      ['/', '/', '/'],
    ] as const) {
      const found = findPath(tree, path, 'box');
      assert.deepEqual([found.real, found.base], [real, base], path);
    }
    assert.equal(statPath(tree, findPath(tree, '/data/up', 'box')).linkTarget, '/etc');
    assert.equal(statPath(tree, findPath(tree, '/data/sub', 'box')).mode, 2 ** 31 + 0o755);
    assert.throws(() => findPath(tree, '/nope', 'box'), {
      kind: 'not-found',
      message: 'Could not find the file /nope in container box',
    });
    assert.throws(() => findPath(tree, '/etc/passwd/', 'box'), { message: 'lstat /etc/passwd/: not a directory' });
    assert.equal(absolutePath('a//b/./'), '/a/b/');
    assert.equal(absolutePath('..'), '/');
  }));
