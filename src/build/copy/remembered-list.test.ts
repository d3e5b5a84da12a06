import assert from 'node:assert/strict';
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
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
import { type CopyInputs, joinInputs } from '../context/copy-inputs.ts';
import { copyHere, makeTestRoot, makeTree, requestOf, SKIP_UNLESS_ROOT } from './copy-test-kit.ts';
import { inputsTask } from './find-inputs.ts';
import { gatherSources, type LocalRequest } from './gather-sources.ts';

const root = makeTestRoot();
after(() => rmSync(root, { recursive: true }));
const { signal } = new AbortController();
const folder = join(root, 'context');
const memo = join(root, 'notes/memo');
const ignore = 'hidden\n!hidden/keep*\n';
const request = requestOf({ folder, memo, ignore }, '. /x/');
/** The same question to nobody who remembers. */
const fresh = requestOf({ folder, ignore }, '. /x/');
/** Long enough for a state to be settled. */
const settle = () => setTimeout(80);

const tree: Record<string, string> = { 'hidden/deep/other': '', 'link/l': '-> ../d1/f1' };
for (let i = 0; i < 40; i++) for (let n = 0; n < 60; n++) tree[`d${i}/f${n}`] = `${i} ${n}`;
makeTree(folder, tree);

async function list(of: LocalRequest): Promise<CopyInputs> {
  const posted: string[] = [];
  const first = await inputsTask({ request: of }, { signal, post: (value) => void posted.push(String(value)) });
  const [from] = posted;
  if (from === undefined) return joinInputs([first]);
  return joinInputs([first, await inputsTask({ request: of, part: { from } }, { signal, post: () => {} })]);
}

/** Whether the lists of both halves are remembered and hold. */
function isKnown(): boolean {
  const { lists } = gatherSources(request, signal);
  const first = lists?.recall(undefined);
  assert.ok(lists && first?.part && 'before' in first.part);
  const second = lists.recall({ from: first.part.before });
  assert.ok(second);
  return lists.holds(first) && lists.holds(second);
}

test('a list is remembered when nothing in it is young', async ({ mock }) => {
  await settle();
  writeFileSync(join(folder, 'd1/f7'), 'young');
  mock.timers.enable({ apis: ['Date'], now: statSync(join(folder, 'd1/f7')).ctimeMs + 20 });
  await list(request);
  mock.timers.reset();
  assert.deepEqual(
    readdirSync(join(root, 'notes'))
      .map((name) => name.slice(-2))
      .sort(),
    ['-2', 'mo'],
  );
  await settle();
  const made = await list(request);
  assert.ok(isKnown());
  assert.deepEqual(await list(request), made);
  assert.deepEqual(await list(fresh), made);
});

/** Other bytes, with the same size and time of modification. */
function overwrite(path: string): void {
  const { atime, mtime } = statSync(path);
  const fd = openSync(path, 'r+');
  writeSync(fd, 'X');
  closeSync(fd);
  utimesSync(path, atime, mtime);
}

const CHANGES: readonly (readonly [name: string, counts: boolean, change: (at: (path: string) => string) => void])[] = [
  ['other bytes with the same size and time', true, (at) => overwrite(at('d5/f5'))],
  ['a new time', false, (at) => utimesSync(at('d5/f6'), 5, 5)],
  ['a new mode', true, (at) => chmodSync(at('d39/f1'), 0o711)],
  ['a new mode of a folder', true, (at) => chmodSync(at('d38'), 0o711)],
  ['a new attribute', true, (at) => setXattr(at('d2/f2'), 'user.note', 'x')],
  ['a new file', true, (at) => writeFileSync(at('d3/new'), '')],
  ['a new file at the top', true, (at) => writeFileSync(at('zzz'), '')],
  ['a new folder', true, (at) => mkdirSync(at('d3/folder'))],
  ['a removed file', true, (at) => rmSync(at('d4/f4'))],
  ['a file that got another name', true, (at) => renameSync(at('d4/f5'), at('d4/f500'))],
  ['a file that took the place of another', true, (at) => renameSync(at('d4/f6'), at('d4/f7'))],
  ['two files that changed places', true, (at) => swap(at('d6/f1'), at('d6/f2'), at('d6/aside'))],
  ['two folders that changed places', true, (at) => swap(at('d8'), at('d9'), at('aside'))],
  ['a folder that became a link to itself', true, (at) => swapForLink(at('d10'), join(root, 'elsewhere'))],
  ['a link that leads elsewhere', true, (at) => linkAnew(at('link/l'), '../d1/f2')],
  ['a further name of a file', true, (at) => linkSync(at('d11/f1'), at('d12/linked'))],
  ['an ignored file', false, (at) => writeFileSync(at('hidden/new'), '')],
  ['an exception in an ignored folder', true, (at) => writeFileSync(at('hidden/keep'), '')],
  ['an ignored folder that is gone', true, (at) => rmSync(at('hidden'), { recursive: true })],
];
for (const [name, counts, change] of CHANGES)
  test(`${name}: the list is made anew${counts ? '' : ' and is the same'}`, async () => {
    await settle();
    const before = await list(request);
    assert.ok(isKnown());
    change((path) => join(folder, path));
    assert.ok(!isKnown());
    const now = await list(request);
    assert.deepEqual(now, await list(fresh));
    assert.equal(now.digest !== before.digest, counts);
  });

function swap(a: string, b: string, aside: string): void {
  renameSync(a, aside);
  renameSync(b, a);
  renameSync(aside, b);
}

function swapForLink(path: string, target: string): void {
  renameSync(path, target);
  symlinkSync(target, path);
}

function linkAnew(path: string, target: string): void {
  rmSync(path);
  symlinkSync(target, path);
}

test('other questions about the same folder have other lists', async () => {
  await settle();
  const made = await list(request);
  const without = await list({ ...request, excludes: ['d1'] });
  assert.ok(without.files < made.files);
  assert.deepEqual(await list(request), made);
});

test('what was copied is listed too', SKIP_UNLESS_ROOT, async () => {
  await settle();
  for (const note of readdirSync(join(root, 'notes'))) rmSync(join(root, 'notes', note));
  const { inputs } = await copyHere(request, join(root, 'layer'));
  assert.ok(isKnown());
  assert.deepEqual(await list(request), inputs);
  assert.deepEqual(await list(fresh), inputs);
});

test('a damaged note is as good as none', async () => {
  await settle();
  const made = await list(request);
  for (const name of readdirSync(join(root, 'notes')).filter((note) => note.endsWith('-1'))) {
    const path = join(root, 'notes', name);
    const bytes = readFileSync(path);
    for (const damaged of [Buffer.alloc(0), bytes.subarray(0, 100), flipped(bytes, 2000), bytes]) {
      writeFileSync(path, damaged);
      assert.equal(gatherSources(request, signal).lists?.recall(undefined) === undefined, damaged !== bytes);
      if (damaged !== bytes) assert.deepEqual(await list(request), made);
    }
  }
});

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return copy;
}
