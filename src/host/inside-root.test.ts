import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeScratchFolder } from '../lib/scratch.ts';
import { kindInside, makeInside, openInside, readInside } from './inside-root.ts';

async function withRoot(work: (root: string, outside: string) => void): Promise<void> {
  await using scratch = makeScratchFolder(tmpdir(), 'inside');
  const root = join(scratch.path, 'root');
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(scratch.path, 'secret'), 'outside');
  writeFileSync(join(root, 'secret'), 'inside');
  symlinkSync('/secret', join(root, 'etc/absolute'));
  symlinkSync('../../../secret', join(root, 'etc/relative'));
  symlinkSync('loop', join(root, 'loop'));
  symlinkSync(scratch.path, join(root, 'host'));
  work(root, scratch.path);
}

test('links and dots stay inside the root', () =>
  withRoot((root, outside) => {
    for (const path of ['/secret', 'secret', '/etc/absolute', '/etc/relative', '/../../secret', '/etc/../../secret'])
      assert.equal(readInside(root, path, 100)?.toString(), 'inside', path);
    assert.equal(readInside(root, '/secret', 3)?.toString(), 'ins');
    for (const path of ['/none', '/loop', '/etc', '/secret/x', '/host/secret', join(outside, 'secret')])
      assert.equal(readInside(root, path, 100), undefined, path);
    using opened = openInside(root, '/etc/absolute');
    assert.equal(readFileSync(opened.path, 'utf8'), 'inside');
    assert.throws(() => openInside(root, '/none'), { code: 'ENOENT' });
  }));

test('folders and files are made inside, and told', () =>
  withRoot((root) => {
    symlinkSync('/made', join(root, 'link'));
    assert.deepEqual(makeInside(root, '/a/b/c', 'folder'), ['/a', '/a/b', '/a/b/c']);
    assert.deepEqual(makeInside(root, '/a/b/f', 'file'), ['/a/b/f']);
    assert.deepEqual(makeInside(root, '/a/b', 'folder'), []);
    assert.equal(kindInside(root, '/a/b/f'), 'other');
    assert.equal(kindInside(root, '/'), 'folder');
    assert.equal(kindInside(root, '/link'), undefined);
    assert.equal(statSync(join(root, 'a/b')).mode & 0o777, 0o755);
    assert.throws(() => makeInside(root, '/secret/x', 'folder'), { code: /ENOTDIR|EEXIST/ });
    assert.deepEqual(makeInside(root, '/link/x', 'file'), ['/made', '/link/x']);
    assert.equal(kindInside(root, '/made/x'), 'other');
    assert.throws(() => makeInside(root, '/loop/x', 'folder'), { code: 'EEXIST' });
  }));
