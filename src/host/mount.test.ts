import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeScratchFolder } from '../lib/scratch.ts';
import { makeWhiteout } from './file-system-calls.ts';
import {
  bindMount,
  mountOverlay,
  mountReadOnlyOverlay,
  mountsUnder,
  parseMountPoints,
  unmount,
  unmountAllUnder,
} from './mount.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';

function makeTree(root: string) {
  for (const folder of ['1', '2', 'upper', 'work', 'merged']) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, '1/a'), 'old');
  writeFileSync(join(root, '1/b'), 'b');
  writeFileSync(join(root, '2/a'), 'new');
  makeWhiteout(join(root, '2/b'));
  const at = (name: string) => join(root, name);
  return { lower: [at('2'), at('1')], upper: at('upper'), work: at('work'), target: at('merged') };
}

for (const name of ['plain', 'with space', 'a:b,c\\d', 'line\nbreak'])
  test(`an overlay under a folder named ${JSON.stringify(name)}`, { skip }, async () => {
    await using scratch = makeScratchFolder(tmpdir(), 'mount');
    const root = join(scratch.path, name);
    const overlay = makeTree(root);
    mountOverlay({ ...overlay, volatile: true });
    try {
      assert.deepEqual(mountsUnder(root), [overlay.target]);
      assert.deepEqual(readdirSync(overlay.target), ['a']);
      writeFileSync(join(overlay.target, 'c'), '');
      assert.deepEqual(readdirSync(overlay.upper), ['c']);
    } finally {
      unmountAllUnder(root);
    }
    assert.deepEqual(mountsUnder(scratch.path), []);
  });

test('read-only overlays of one and of two layers', { skip }, async () => {
  await using scratch = makeScratchFolder(tmpdir(), 'mount');
  const { lower, target } = makeTree(scratch.path);
  for (const [layers, content] of [
    [lower, 'new'],
    [lower.slice(1), 'old'],
  ] as const) {
    mountReadOnlyOverlay({ lower: layers, target });
    try {
      assert.equal(readFileSync(join(target, 'a'), 'utf8'), content);
      assert.throws(() => writeFileSync(join(target, 'c'), ''), { code: 'EROFS' });
    } finally {
      assert.equal(unmount(target), true);
    }
    assert.equal(unmount(target), false);
  }
});

test('a busy mount is detached', { skip }, async () => {
  await using scratch = makeScratchFolder(tmpdir(), 'mount');
  const { lower, target } = makeTree(scratch.path);
  bindMount(lower[0] ?? '', target);
  const busy = openSync(join(target, 'a'), 'r');
  assert.equal(unmount(target), true);
  assert.equal(existsSync(join(target, 'a')), false);
  closeSync(busy);
});

test('refusals name the cause', { skip }, async () => {
  await using scratch = makeScratchFolder(tmpdir(), 'mount');
  const overlay = makeTree(scratch.path);
  const many = Array.from({ length: 600 }, (_, index) => `${index}/diff`);
  assert.throws(() => mountOverlay({ ...overlay, lower: many }), { code: 'TOO_MANY_LAYERS', message: /^600 layers/ });
  mountOverlay(overlay);
  try {
    const upper = join(overlay.target, 'upper');
    const work = join(overlay.target, 'work');
    mkdirSync(upper);
    mkdirSync(work);
    assert.throws(() => mountOverlay({ ...overlay, upper, work, target: join(scratch.path, '1') }), {
      code: 'OVERLAY_REFUSED',
      message: /on an overlay at/,
    });
  } finally {
    unmountAllUnder(scratch.path);
  }
});

test('mount points have their octal escapes undone', () => {
  const line = (point: string) => `36 35 98:0 /mnt1 ${point} rw,noatime master:1 - ext3 /dev/root rw\n`;
  assert.deepEqual(parseMountPoints(line('/a\\040b\\134c') + line('/tab\\011\\012')), ['/a b\\c', '/tab\t\n']);
});
