import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isInMemory, memoryFolder } from './memory-folder.ts';
import { mountsUnder } from './mount.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';

test('what is in a memory folder is on no disk, and ends with it', { skip }, () => {
  const around = mkdtempSync(join(tmpdir(), 'strake-memory-'));
  const folder = join(around, 'a/b');
  try {
    {
      using _memory = memoryFolder(folder);
      assert.equal(isInMemory(folder), true);
      writeFileSync(join(folder, 'secret'), 'x');
      // That of a host that was killed is taken over, not covered.
      using _again = memoryFolder(folder);
      assert.equal(existsSync(join(folder, 'secret')), true);
      assert.ok(mountsUnder(around).length <= 1);
    }
    assert.deepEqual(mountsUnder(around), []);
    assert.equal(existsSync(join(folder, 'secret')), false);
  } finally {
    rmSync(around, { recursive: true });
  }
});
