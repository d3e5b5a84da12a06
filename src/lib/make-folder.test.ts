import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFolder } from './make-folder.ts';

test('folders are made as far as they are missing', () => {
  const root = mkdtempSync(join(tmpdir(), 'make-folder-'));
  try {
    makeFolder(join(root, 'a/b/c'), 0o700);
    makeFolder(join(root, 'a/b/c'), 0o700);
    assert.equal(statSync(join(root, 'a/b/c')).mode & 0o777, 0o700);
    writeFileSync(join(root, 'file'), '');
    assert.throws(() => makeFolder(join(root, 'file/x'), 0o700), /cannot make the folder .*EEXIST/);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('where no folder can be made it ends with an error', () => {
  assert.throws(() => makeFolder('/proc/strake/data', 0o700), /cannot make the folder .proc.strake: ENOENT/);
});
