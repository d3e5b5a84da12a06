import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseMode } from './file-mode.ts';

const root = mkdtempSync(join(tmpdir(), 'strake-mode-'));
after(() => rmSync(root, { recursive: true }));
const MODES = [0o644, 0o755, 0o600, 0o000, 0o4755, 0o2775, 0o1777, 0o111, 0o7777];
/** A file and a folder for each mode. */
const places = MODES.flatMap((mode) => [
  { path: join(root, `file-${mode}`), mode, isFolder: false },
  { path: join(root, `folder-${mode}`), mode, isFolder: true },
]);
for (const { path, isFolder } of places)
  if (isFolder) mkdirSync(path);
  else writeFileSync(path, '');

const CHANGES = [
  ...[
    'u+x',
    '+x',
    'a+x',
    'go-w',
    'u=rwX,go=rX',
    'a=rX',
    '-X',
    '+X',
    'a=',
    'u=',
    'o=u',
    'g=u-w',
    'go=u',
    'u=o',
    'ug+rw,o-rwx',
  ],
  ...[
    'u+s',
    'g+s',
    'ug-s',
    '+t',
    '-t',
    'a+t',
    'u=rws',
    'g=rxs',
    '=rwx',
    'a-rwx,u+rw',
    'u+r-w+x',
    'u=rw,g=u,o=g',
    '+',
    'o+s',
    'u+t',
  ],
];

test('symbolic modes do what chmod(1) does without a umask', () => {
  for (const change of CHANGES) {
    for (const { path, mode } of places) chmodSync(path, mode);
    const words = ['-c', 'umask 0; chmod -- "$@"', 'sh', change, ...places.map(({ path }) => path)];
    const done = spawnSync('sh', words, { encoding: 'utf8' });
    assert.equal(done.status, 0, done.stderr);
    for (const { path, mode, isFolder } of places) {
      const expected = statSync(path).mode & 0o7777;
      const found = parseMode(change)(mode, isFolder);
      assert.equal(found.toString(8), expected.toString(8), `${change} of ${mode.toString(8)} ${path}`);
    }
  }
});

for (const [text, mode] of [
  ['0', 0],
  ['755', 0o755],
  ['07777', 0o7777],
] as const)
  test(`octal ${text}`, () => assert.equal(parseMode(text)(0o123, false), mode));

for (const text of ['', '8', '77777', '010000', 'x', 'u', 'u+z', 'u+ug', 'u+x,', ',u+x', 'u +x', 'z+x', 'u+x;o+x'])
  test(`"${text}" is no mode`, () => assert.throws(() => parseMode(text), { code: 'CHMOD_INVALID' }));
