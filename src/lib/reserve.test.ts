import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Failure } from './error.ts';
import { Reserve } from './reserve.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-reserve-'));
after(() => rmSync(folder, { recursive: true }));
const pieces = () => readdirSync(folder).length;
const full = () => Object.assign(new Error('full'), { code: 'ENOSPC' });

test('space is given up piece by piece, as long as the disk is full, and no further', () => {
  const reserve = new Reserve(folder);
  reserve.fill();
  const whole = pieces();
  assert.ok(whole > 0);
  for (const name of readdirSync(folder)) {
    const { blocks, size } = statSync(join(folder, name));
    assert.ok(blocks * 512 >= size, 'a file with holes keeps no space');
  }
  let tries = 0;
  const result = reserve.spend(() => {
    if (++tries === 1) throw full();
    if (tries === 2) throw new Failure('exhausted', 'DISK_FULL', 'full');
    return 'done';
  });
  assert.equal(result, 'done');
  assert.equal(pieces(), whole - 2);
  assert.throws(
    () =>
      reserve.spend(() => {
        throw new Failure('exhausted', 'LIMIT', 'something else');
      }),
    { code: 'LIMIT' },
  );
  assert.equal(pieces(), whole - 2);
  truncateSync(join(folder, readdirSync(folder)[0] ?? ''), 5); // left by a host that was killed meanwhile
  reserve.fill();
  assert.equal(pieces(), whole);
  assert.equal(new Set(readdirSync(folder).map((name) => statSync(join(folder, name)).size)).size, 1);
});

test('when nothing is left the failure is told', () => {
  const reserve = new Reserve(folder);
  reserve.fill();
  assert.throws(
    () =>
      reserve.spend(() => {
        throw full();
      }),
    { code: 'ENOSPC' },
  );
  assert.equal(pieces(), 0);
});
