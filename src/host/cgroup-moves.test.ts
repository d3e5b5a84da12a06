import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeScratchFolder } from '../lib/scratch.ts';
import { type Cgroups, detectCgroups } from './cgroup.ts';
import { CgroupMoves } from './cgroup-moves.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';

test('this process is moved to where it is, again and again, and then no more', async () => {
  await using scratch = makeScratchFolder(tmpdir(), 'moves');
  const lines = readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n');
  const [, names = '', path = ''] = (lines.find((line) => line.split(':')[1] !== '') ?? lines[0] ?? '').split(':');
  const cgroups: Cgroups = {
    mode: names === '' ? 'v2' : 'v1',
    controllers: new Map([[names.split(',')[0] ?? '', scratch.path]]),
    trees: [scratch.path],
    swap: false,
  };
  const place = join(scratch.path, path, 'cgroup.procs');
  mkdirSync(join(scratch.path, path), { recursive: true });
  writeFileSync(place, '');
  const moves = new CgroupMoves(cgroups);
  moves.expect();
  const isMoved = async () => {
    for (let i = 0; i < 500 && readFileSync(place, 'utf8') !== String(process.pid); i++) await sleep(10);
    return readFileSync(place, 'utf8') === String(process.pid);
  };
  assert.ok(await isMoved());
  writeFileSync(place, '');
  moves.expect();
  assert.ok(await isMoved(), 'again');
  await sleep(400);
  writeFileSync(place, '');
  await sleep(100);
  assert.equal(readFileSync(place, 'utf8'), '', 'no more');
});

test('the kernel takes it, and nothing has moved', { skip }, async () => {
  const groups = () => readFileSync('/proc/self/cgroup', 'utf8');
  const before = groups();
  new CgroupMoves(detectCgroups()).expect();
  await sleep(50);
  assert.equal(groups(), before);
});
