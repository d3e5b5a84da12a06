import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { setXattr } from '../../host/file-system-calls.ts';
import { compareInputs, joinInputs, listInputs } from '../context/copy-inputs.ts';
import { DigestMemo } from '../context/digest-memo.ts';
import { quickStat } from '../context/quick-stat.ts';
import { copyHere, makeTestRoot, makeTree, requestOf, SKIP_UNLESS_ROOT } from './copy-test-kit.ts';
import { inputsTask } from './find-inputs.ts';
import type { LocalRequest } from './gather-sources.ts';

const root = makeTestRoot();
after(() => rmSync(root, { recursive: true }));
const task = { signal: new AbortController().signal, post: () => {} };
const TREE = { 'a.txt': 'aaaa', 'd/b.txt': 'bbbb', 'd/c/': '', 'd/l': '-> b.txt' };
let count = 0;

function newContext(tree: Readonly<Record<string, string>> = TREE): string {
  const folder = join(root, `context-${++count}`);
  makeTree(folder, tree);
  return folder;
}
const requestFor = (folder: string) => requestOf({ folder, memo: `${folder}.memos/memo` }, '. /x/');
const listed = async (request: LocalRequest) => joinInputs([await inputsTask({ request }, task)]);
const inputsOf = (folder: string) => listed(requestFor(folder));
/** Long enough for a digest to be remembered. */
const settle = () => setTimeout(80);

test('the digest of the inputs is that of names, types, modes, contents and links', async () => {
  const one = await inputsOf(newContext());
  const two = await inputsOf(newContext());
  assert.equal(one.digest, two.digest);
  assert.deepEqual(
    [...listInputs(one.listing)].map(({ path, type }) => `${path} ${type}`),
    [' directory', 'a.txt file', 'd directory', 'd/b.txt file', 'd/c directory', 'd/l symlink'],
  );
});

const CHANGES: readonly (readonly [name: string, change: (folder: string) => void, expected: readonly string[]])[] = [
  ['time', (folder) => utimesSync(join(folder, 'a.txt'), 5, 5), []],
  ['content', (folder) => writeFileSync(join(folder, 'a.txt'), 'AAAA'), ['a.txt content']],
  ['mode', (folder) => chmodSync(join(folder, 'd/b.txt'), 0o755), ['d/b.txt mode']],
  ['folder mode', (folder) => chmodSync(join(folder, 'd'), 0o700), ['d mode']],
  ['new file', (folder) => writeFileSync(join(folder, 'd/new'), ''), ['d/new added']],
  ['removed file', (folder) => rmSync(join(folder, 'd/b.txt')), ['d/b.txt removed']],
  ['rename', (folder) => renameSync(join(folder, 'd'), join(folder, 'e')), ['e added', 'e/b.txt added', 'e/c added']],
  [
    'link',
    (folder) => {
      rmSync(join(folder, 'd/l'));
      symlinkSync('c', join(folder, 'd/l'));
    },
    ['d/l target'],
  ],
  [
    'type',
    (folder) => {
      rmSync(join(folder, 'd/c'), { recursive: true });
      writeFileSync(join(folder, 'd/c'), '');
    },
    ['d/c type'],
  ],
  ['attribute', (folder) => setXattr(join(folder, 'a.txt'), 'user.note', 'x'), ['a.txt attributes']],
];
for (const [name, change, expected] of CHANGES)
  test(`a changed ${name} ${expected.length > 0 ? 'is seen and named' : 'does not count'}`, async () => {
    const folder = newContext();
    await settle();
    const before = await inputsOf(folder);
    change(folder);
    const now = await inputsOf(folder);
    const { changes, total } = compareInputs(before.listing, now.listing, 3);
    assert.deepEqual(
      changes.map(({ path, what }) => `${path} ${what}`),
      expected,
    );
    assert.equal(total > 0, before.digest !== now.digest);
  });

for (const wait of [0, 80])
  test(`other bytes of the same size and time are seen, ${wait} ms after the file was made`, async () => {
    const folder = newContext();
    const file = join(folder, 'a.txt');
    const stamp = join(root, `stamp-${++count}`);
    writeFileSync(stamp, '');
    await setTimeout(wait);
    const digests = new Set<string>();
    for (const content of ['1111', '2222', '3333', '4444', '5555']) {
      execFileSync('touch', ['-r', file, stamp]);
      const fd = openSync(file, 'r+'); // the same inode
      writeSync(fd, content);
      closeSync(fd);
      execFileSync('touch', ['-r', stamp, file]);
      assert.equal(statSync(file).mtimeMs, statSync(stamp).mtimeMs);
      digests.add((await inputsOf(folder)).digest);
      // Without the tools in between, all within a clock tick of the digest before.
      writeFileSync(file, `${content.slice(0, 3)}x`);
      utimesSync(file, 1, 1);
      digests.add((await inputsOf(folder)).digest);
    }
    assert.equal(digests.size, 10);
  });

test('a file whose digest is remembered is not read', async () => {
  const folder = newContext();
  const request = requestFor(folder);
  const stat = quickStat(join(folder, 'a.txt'));
  assert.ok(stat);
  const memo = new DigestMemo(`${folder}.memos/memo`);
  memo.put(stat, { digest: Buffer.alloc(32, 0xab), hasXattrs: false }, Date.now() + 1000);
  memo.save();
  const found = [...listInputs((await listed(request)).listing)].find(({ path }) => path === 'a.txt');
  assert.equal(found?.digest, `sha256:${'ab'.repeat(32)}`);
});

test('a copy says the same of its inputs as looking before', SKIP_UNLESS_ROOT, async () => {
  const folder = newContext();
  const copied = await copyHere(requestFor(folder), join(root, `layer-${++count}`));
  const looked = await inputsOf(folder);
  assert.deepEqual({ ...copied.inputs, listing: 0 }, { ...looked, listing: 0 });
});

test('copying twice makes the same layer', SKIP_UNLESS_ROOT, async () => {
  const folder = newContext();
  const one = await copyHere(requestFor(folder), join(root, `layer-${++count}`));
  const two = await copyHere(requestFor(folder), join(root, `layer-${++count}`));
  assert.deepEqual(one.facts, two.facts);
});

test('a stage is a source without reading its files, owners and all', SKIP_UNLESS_ROOT, async () => {
  const folder = newContext();
  const layer = join(root, `layer-${++count}`);
  await copyHere({ ...requestFor(folder), chown: '7:8' }, layer);
  const from = { ...requestOf({ folder }, 'x/d /y/'), from: { kind: 'layers' as const, folders: [layer] } };
  const inputs = await listed(from);
  const target = join(root, `layer-${++count}`);
  const copied = await copyHere(from, target);
  assert.equal(copied.inputs.digest, inputs.digest);
  assert.deepEqual([statSync(join(target, 'diff/y/b.txt')).uid, statSync(join(target, 'diff/y/b.txt')).gid], [7, 8]);
  assert.equal(statSync(join(target, 'diff/y/b.txt')).ino, statSync(join(layer, 'diff/x/d/b.txt')).ino);
  const other = await listed({ ...from, chown: '0:0' });
  assert.notEqual(other.digest, inputs.digest);
});

test('a context that was unpacked from a tar gives its files by link', SKIP_UNLESS_ROOT, async () => {
  const { applyStream } = await import('../../snapshot/apply-stream.ts');
  const source = newContext();
  mkdirSync(join(root, 'unpacked'));
  const index = join(root, 'unpacked/index');
  const folder = join(root, 'unpacked/tree');
  const tar = execFileSync('tar', ['-C', source, '-cf', '-', '.']);
  const owner = { uid: 0, gid: 0 };
  await applyStream(chunksOf(tar), { target: folder, index, form: 'plain', owner }, task);
  const request = requestOf({ folder, index }, '. /x/');
  const target = join(root, `layer-${++count}`);
  const copied = await copyHere(request, target);
  assert.equal(statSync(join(target, 'diff/x/a.txt')).ino, statSync(join(folder, 'a.txt')).ino);
  assert.equal(copied.inputs.digest, (await inputsOf(source)).digest);
  const owned = join(root, `layer-${++count}`);
  await copyHere({ ...request, chown: '5' }, owned);
  assert.equal(statSync(join(owned, 'diff/x/a.txt')).uid, 5);
  assert.equal(statSync(join(folder, 'a.txt')).uid, 0);
});

test(
  'a folder that only this host writes to gives its files by link, and what becomes of links changes no file',
  SKIP_UNLESS_ROOT,
  async () => {
    const folder = newContext();
    const file = join(folder, 'a.txt');
    utimesSync(file, 1, 1);
    await settle();
    const request = requestOf({ folder, memo: `${folder}.memos/memo`, isOwn: true }, '. /x/');
    const target = join(root, `layer-${++count}`);
    const { digest } = (await copyHere(request, target)).inputs;
    assert.equal(statSync(join(target, 'diff/x/a.txt')).ino, statSync(file).ino);
    writeFileSync(file, 'BBBB'); // nobody does so; it shows that the file is not read again
    utimesSync(file, 1, 1);
    rmSync(target, { recursive: true });
    assert.equal((await listed(request)).digest, digest);
    rmSync(file);
    writeFileSync(file, 'cccc');
    utimesSync(file, 1, 1);
    assert.notEqual((await listed(request)).digest, digest);
  },
);

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

test('a large folder is listed in two parts, with the same result', async () => {
  const tree: Record<string, string> = { 'm.txt': 'between', 'z/last': 'l' };
  for (let i = 0; i < 40; i++) tree[`d${i}/deep/f`] = tree[`d${i}.txt`] = `content ${i}`;
  const request = requestFor(newContext(tree));
  const posted: string[] = [];
  const first = await inputsTask({ request }, { ...task, post: (value) => void posted.push(String(value)) });
  const [from = ''] = posted;
  assert.match(from, /^d\d+/);
  const rest = await inputsTask({ request, part: { from } }, task);
  const whole = joinInputs([await inputsTask({ request, part: { before: '~' } }, task)]);
  assert.ok(first.files > 20 && rest.files > 20, `${first.files} and ${rest.files} of ${whole.files} files`);
  assert.deepEqual(joinInputs([first, rest]), whole);
  assert.equal(whole.files, 1 + 2 + 1 + 40 * 4);
});
