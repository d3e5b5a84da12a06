import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeScratchFolder } from '../../lib/scratch.ts';
import { sharedTokenKey, tokenKey } from './token-key.ts';

test('a node makes its key once, for itself alone', async () => {
  await using folder = makeScratchFolder(tmpdir(), 'strake-key');
  const path = join(folder.path, 'data/token.key');
  const key = tokenKey(path);
  assert.equal(key.length, 32);
  assert.deepEqual(tokenKey(path), key);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a key that nodes share is never made, and must be one', async () => {
  await using folder = makeScratchFolder(tmpdir(), 'strake-key');
  const path = join(folder.path, 'key');
  assert.throws(() => sharedTokenKey(path), { code: 'FILE_UNREADABLE' });
  writeFileSync(path, 'short');
  assert.throws(() => sharedTokenKey(path), { code: 'TOKEN_KEY', message: /has 5 bytes/ });
  writeFileSync(path, 'x'.repeat(40));
  assert.equal(sharedTokenKey(path).length, 40);
});
