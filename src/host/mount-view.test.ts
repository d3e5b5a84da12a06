import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../lib/run-program.ts';
import { makeScratchFolder } from '../lib/scratch.ts';
import { bindMount, unmount } from './mount.ts';
import { withCover } from './mount-view.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const signal = new AbortController().signal;

test('a mount is covered for what is started, and for nobody else', { skip }, async () => {
  await using scratch = makeScratchFolder(tmpdir(), 'view');
  const [source, target, shown] = ['source', 'target', 'shown'].map((name) => join(scratch.path, name)) as [
    string,
    string,
    string,
  ]; // three names
  for (const folder of [source, target, shown]) mkdirSync(folder);
  writeFileSync(join(source, 'file'), 'mounted');
  writeFileSync(join(shown, 'other'), '');
  bindMount(source, target);
  try {
    const folder = process.cwd();
    const started = withCover({ path: target, shown }, () => runProgram('ls', [target], { signal }));
    assert.equal(readFileSync(join(target, 'file'), 'utf8'), 'mounted');
    assert.ok(existsSync(join(folder, 'package.json')) && existsSync('package.json'), 'the working folder is the same');
    assert.deepEqual(await started, { exitCode: 0, stdout: 'other\n', stderr: '' });
    assert.equal((await runProgram('ls', [target], { signal })).stdout, 'file\n');
    assert.throws(() => {
      withCover({ path: target, shown }, () => {
        throw new Error('of the action');
      });
    }, /of the action/);
    assert.equal(readFileSync(join(target, 'file'), 'utf8'), 'mounted');
  } finally {
    unmount(target);
  }
});
