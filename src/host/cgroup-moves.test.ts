import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { detectCgroups } from './cgroup.ts';
import { CgroupMoves } from './cgroup-moves.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';

test('making moves quick moves nothing, and ends by itself', { skip }, async () => {
  const groups = () => readFileSync('/proc/self/cgroup', 'utf8');
  const before = groups();
  const moves = new CgroupMoves(detectCgroups());
  moves.expect();
  moves.expect();
  await sleep(20);
  assert.equal(groups(), before);
});
