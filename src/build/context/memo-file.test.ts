import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, truncateSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readNote, writeNote } from './memo-file.ts';

const root = mkdtempSync(join(tmpdir(), 'strake-notes-'));
after(() => rmSync(root, { recursive: true }));

test('a note is its pieces', () => {
  const path = join(root, 'some/note');
  assert.equal(readNote(path), undefined);
  assert.ok(writeNote(path, [Buffer.from('a'), Buffer.from('bc')]));
  assert.ok(writeNote(path, [Buffer.from('d'), Buffer.from('ef')]));
  assert.equal(readNote(path)?.toString(), 'def');
  assert.deepEqual(readdirSync(join(root, 'some')), ['note']);
});

const NAMES = ['1', '2', '3', '4', '5', '6'];
const CROWDS: readonly (readonly [name: string, size: (name: string) => number, left: readonly string[]])[] = [
  ['small notes stay', () => 1, NAMES],
  ['of large notes the newest stay', () => 100 << 20, ['5', '6']],
  ['a note that is too large goes alone', (name) => (name === '3' ? 300 << 20 : 1), ['1', '2', '4', '5', '6']],
];
for (const [title, size, left] of CROWDS)
  test(title, () => {
    const folder = join(root, title);
    for (const name of NAMES) {
      writeNote(join(folder, name), [Buffer.from('x')]);
      truncateSync(join(folder, name), size(name));
      utimesSync(join(folder, name), 1000 + Number(name), 1000 + Number(name));
    }
    writeNote(join(folder, 'new'), [Buffer.from('x')]);
    assert.deepEqual(readdirSync(folder).sort(), [...left, 'new'].sort());
  });

test('of many notes the newest stay', () => {
  const folder = join(root, 'many');
  for (let i = 0; i < 260; i++) {
    writeNote(join(folder, String(i)), [Buffer.from('x')]);
    utimesSync(join(folder, String(i)), 1000 + i, 1000 + i);
  }
  const names = new Set(readdirSync(folder));
  assert.equal(names.size, 256);
  assert.ok(names.has('259') && !names.has('0'));
});
