import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { makeScratchFolder } from '../lib/scratch.ts';
import {
  copyFileRange,
  deviceNumber,
  freeSpace,
  getXattr,
  listXattrs,
  makeNode,
  makeWhiteout,
  removeXattr,
  rename2,
  setTimes,
  setXattr,
  spreadSubfolders,
  statFile,
  syncFileSystem,
} from './file-system-calls.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';

test('extended attributes are set, listed, read and removed', { skip }, async () => {
  await using folder = makeScratchFolder(tmpdir(), 'xattr');
  const file = join(folder.path, 'ä');
  writeFileSync(file, '');
  const big = Buffer.alloc(3000, 7);
  setXattr(file, 'user.small', 'x\0y');
  setXattr(Buffer.from(file), 'user.big', big);
  setXattr(file, 'trusted.overlay.opaque', '');
  assert.deepEqual(listXattrs(file).sort(), ['trusted.overlay.opaque', 'user.big', 'user.small']);
  assert.equal(getXattr(file, 'user.small')?.toString(), 'x\0y');
  assert.deepEqual(getXattr(file, 'user.big'), big);
  assert.deepEqual(getXattr(file, 'trusted.overlay.opaque'), Buffer.alloc(0));
  removeXattr(file, 'user.big');
  assert.equal(getXattr(file, 'user.big'), undefined);
  assert.throws(() => removeXattr(file, 'user.big'), { code: 'ENODATA' });
  assert.throws(() => listXattrs(join(folder.path, 'none')), { code: 'ENOENT' });
  assert.throws(() => setXattr(`${file}\0/etc`, 'user.a', ''), { code: 'PATH_INVALID' });
});

test('xattrs of a symbolic link are its own', { skip }, async () => {
  await using folder = makeScratchFolder(tmpdir(), 'xattr');
  const link = join(folder.path, 'link');
  symlinkSync('target', link);
  setXattr(link, 'trusted.own', 'v');
  assert.deepEqual(listXattrs(link), ['trusted.own']);
});

test('device nodes, fifos and whiteouts', { skip }, async () => {
  await using folder = makeScratchFolder(tmpdir(), 'node');
  const device = join(folder.path, 'device');
  makeNode(device, 0o020640, deviceNumber(259, 70000));
  assert.deepEqual([statFile(device).major, statFile(device).minor], [259, 70000]);
  assert.equal(lstatSync(device).rdev, deviceNumber(259, 70000));
  makeNode(join(folder.path, 'fifo'), 0o010600);
  assert.ok(lstatSync(join(folder.path, 'fifo')).isFIFO());
  makeWhiteout(join(folder.path, 'whiteout'));
  const whiteout = lstatSync(join(folder.path, 'whiteout'));
  assert.ok(whiteout.isCharacterDevice() && whiteout.rdev === 0);
  assert.throws(() => makeWhiteout(device), { code: 'EEXIST' });
  assert.throws(() => deviceNumber(4096, 0), { code: 'DEVICE_INVALID' });
});

test('times are exact, may lie before the epoch, and a link keeps its target untouched', async () => {
  await using folder = makeScratchFolder(tmpdir(), 'times');
  const link = join(folder.path, 'link');
  symlinkSync('none', link);
  for (const [seconds, nanoseconds] of [
    [1_234_567_890, 123_456_789],
    [-1_000_000, 1],
    [5_000_000_000, 999_999_999],
  ] as const) {
    setTimes(link, seconds, nanoseconds);
    assert.deepEqual(statFile(link).modified, { seconds, nanoseconds });
  }
  assert.equal(readlinkSync(link), 'none');
});

test('statFile agrees with lstat', () => {
  const file = '/proc/self/exe';
  for (const path of ['/etc/passwd', '/tmp', '/dev/null', file]) {
    const ours = statFile(path);
    const theirs = lstatSync(path, { bigint: true });
    assert.deepEqual(
      [ours.mode, ours.links, ours.uid, ours.gid, ours.inode, ours.size],
      [
        Number(theirs.mode),
        Number(theirs.nlink),
        Number(theirs.uid),
        Number(theirs.gid),
        theirs.ino,
        Number(theirs.size),
      ],
    );
    if (path !== file)
      assert.equal(BigInt(ours.changed.seconds) * 1_000_000_000n + BigInt(ours.changed.nanoseconds), theirs.ctimeNs);
  }
});

test('rename2 does not replace, and exchanges', async () => {
  await using folder = makeScratchFolder(tmpdir(), 'rename');
  const [a, b] = [join(folder.path, 'a'), join(folder.path, 'b')];
  writeFileSync(a, 'A');
  writeFileSync(b, 'B');
  assert.throws(() => rename2(a, b, 'no-replace'), { code: 'EEXIST' });
  rename2(a, b, 'exchange');
  assert.equal(readFileSync(a, 'utf8') + readFileSync(b, 'utf8'), 'BA');
  rename2(a, join(folder.path, 'c'), 'no-replace');
  assert.equal(readFileSync(join(folder.path, 'c'), 'utf8'), 'B');
});

test('copyFileRange copies between open files', async () => {
  await using folder = makeScratchFolder(tmpdir(), 'copy');
  const [a, b] = [join(folder.path, 'a'), join(folder.path, 'b')];
  writeFileSync(a, 'x'.repeat(100_000));
  const from = openSync(a, 'r');
  const to = openSync(b, 'w');
  let copied = 0;
  for (let n = 1; n > 0; copied += n) n = copyFileRange(from, to, 60_000);
  closeSync(from);
  closeSync(to);
  assert.equal(copied, 100_000);
  assert.equal(readFileSync(b).length, 100_000);
  syncFileSystem(folder.path);
  assert.ok(freeSpace(folder.path) > 0);
});

test('calls work in a worker thread', async () => {
  await using folder = makeScratchFolder(tmpdir(), 'worker');
  const module = JSON.stringify(new URL('./file-system-calls.ts', import.meta.url).href);
  const code = `import(${module}).then((calls) => calls.makeNode(${JSON.stringify(join(folder.path, 'f'))}, 0o010600))`;
  const worker = new Worker(code, { eval: true });
  await new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
  assert.ok(lstatSync(join(folder.path, 'f')).isFIFO());
});

test('subfolders are spread where the file system can, and elsewhere nothing happens', { skip }, async () => {
  await using folder = makeScratchFolder(tmpdir(), 'spread');
  spreadSubfolders(folder.path);
  spreadSubfolders(folder.path);
  const { status, stdout } = spawnSync('lsattr', ['-d', folder.path], { encoding: 'utf8' });
  // Only ext4 knows the flag; lsattr itself fails on file systems without any.
  if (status === 0 && statfsSync(folder.path).type === 0xef53) assert.match(stdout, /^[^ ]*T/);
  spreadSubfolders('/proc');
});
