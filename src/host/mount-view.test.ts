import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../lib/run-program.ts';
import { makeScratchFolder } from '../lib/scratch.ts';
import { bindMount, unmount } from './mount.ts';
import { withoutMount } from './mount-view.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const signal = new AbortController().signal;

test('a mount is out of sight for what is started, and for nobody else', { skip }, async () => {
  await using scratch = makeScratchFolder(tmpdir(), 'view');
  const [source, target] = [join(scratch.path, 'source'), join(scratch.path, 'target')];
  for (const folder of [source, target]) mkdirSync(folder);
  writeFileSync(join(source, 'file'), 'mounted');
  bindMount(source, target);
  try {
    const folder = process.cwd();
    const started = withoutMount(target, () => runProgram('ls', [target], { signal }));
    assert.equal(readFileSync(join(target, 'file'), 'utf8'), 'mounted');
    assert.ok(existsSync(join(folder, 'package.json')) && existsSync('package.json'), 'the working folder is the same');
    assert.deepEqual(await started, { exitCode: 0, stdout: '', stderr: '' });
    assert.equal((await runProgram('ls', [target], { signal })).stdout, 'file\n');
    assert.throws(() => {
      withoutMount(target, () => {
        throw new Error('of the action');
      });
    }, /of the action/);
    assert.equal(readFileSync(join(target, 'file'), 'utf8'), 'mounted');
  } finally {
    unmount(target);
  }
});
