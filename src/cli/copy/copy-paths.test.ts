import assert from 'node:assert/strict';
import { test } from 'node:test';
import { absolutePath, parseCopyArgument, planCopy, renameEntry, splitPath } from './copy-paths.ts';

test('arguments of cp', () => {
  for (const [argument, container, path] of [
    ['box:/a', 'box', '/a'],
    ['box:a:b', 'box', 'a:b'],
    ['box:', 'box', ''],
    ['/a:b', undefined, '/a:b'],
    ['./box:x', undefined, './box:x'],
    ['file', undefined, 'file'],
    ['-', undefined, '-'],
  ] as const)
    assert.deepEqual(parseCopyArgument(argument), { container, path }, argument);
});

test('paths keep what says that a folder or its content is meant', () => {
  for (const [path, absolute, folder, base] of [
    ['a/b', '/w/a/b', '/w/a', 'b'],
    ['a/b/', '/w/a/b/', '/w/a', 'b'],
    ['a/b/.', '/w/a/b/.', '/w/a/b', '.'],
    ['.', '/w/.', '/w', '.'],
    ['/', '/', '/', '/'],
    ['../x//y', '/x/y', '/x', 'y'],
  ] as const) {
    assert.equal(absolutePath(path, '/w'), absolute, path);
    assert.deepEqual(splitPath(absolute), { folder, base }, path);
  }
});

test('entries get their new name', () => {
  for (const [name, from, to, expected] of [
    ['dir/x', 'dir', 'new', 'new/x'],
    ['dir', 'dir', 'new', 'new'],
    ['dirt/x', 'dir', 'new', 'dirt/x'],
    ['./x', '.', 'new', 'new/x'],
    ['/etc/x', '/', 'new', 'new/etc/x'],
  ] as const)
    assert.equal(renameEntry(name, from, to), expected);
});

const FILE = { path: '/s/f', base: 'f', exists: true, isFolder: false };
const FOLDER = { path: '/s/d', base: 'd', exists: true, isFolder: true };
const there = (path: string, isFolder: boolean) => ({ path, exists: true, isFolder });
const missing = (path: string) => ({ path, exists: false, isFolder: false });

test('where a copy goes', () => {
  for (const [source, destination, folder, name] of [
    [FILE, there('/d', true), '/d', 'f'],
    [FILE, there('/d/x', false), '/d', 'x'],
    [FILE, missing('/d/x'), '/d', 'x'],
    [FOLDER, there('/t', true), '/t', 'd'],
    [FOLDER, missing('/t/new'), '/t', 'new'],
    [FOLDER, missing('/t/new/'), '/t', 'new'],
  ] as const) {
    const plan = planCopy(source, destination);
    assert.deepEqual([plan.folder, plan.rename(source.base)], [folder, name]);
  }
  assert.throws(() => planCopy(FOLDER, there('/d/x', false)), { message: 'cannot copy directory' });
  assert.throws(() => planCopy(FILE, missing('/d/x/')), { message: 'no such directory' });
});
