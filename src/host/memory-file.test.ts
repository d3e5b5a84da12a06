import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { copyProgram } from './memory-file.ts';

test('a program in memory can be executed, and nobody can change it', () => {
  const fd = copyProgram('/bin/echo');
  try {
    const path = `/proc/${process.pid}/fd/${fd}`;
    assert.equal(spawnSync(path, ['from memory'], { encoding: 'utf8' }).stdout, 'from memory\n');
    assert.throws(() => writeSync(fd, 'x', 0), { code: 'EPERM' });
  } finally {
    closeSync(fd);
  }
});
