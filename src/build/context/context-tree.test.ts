import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { IgnoreMatcher, parseIgnore } from '../../dockerfile/ignore.ts';
import { encodeName } from '../../tar/names.ts';
import { ContextTree, type IgnoreRules } from './context-tree.ts';

const root = mkdtempSync(join(tmpdir(), 'strake-context-'));
after(() => rmSync(root, { recursive: true }));

for (const file of ['a', 'b/c/d', 'b/c/e', 'b/f', 'b-', 'n/m/x', 'n/m/y', 'n/k/z', 'keep/in/deep', 'keep/out']) {
  mkdirSync(dirname(join(root, 'tree', file)), { recursive: true });
  writeFileSync(join(root, 'tree', file), file);
}
symlinkSync('a', join(root, 'tree/link'));

const walk = (tree: ContextTree, folder = ''): string[] => {
  const paths: string[] = [];
  tree.walk(folder, ({ path }) => void paths.push(path));
  return paths;
};
const treeOf = (ignore: string) => new ContextTree(join(root, 'tree'), new IgnoreMatcher(parseIgnore(ignore)));

const WALKS: readonly (readonly [ignore: string, folder: string, paths: string])[] = [
  ['', '', 'a b b/c b/c/d b/c/e b/f b- keep keep/in keep/in/deep keep/out link n n/k n/k/z n/m n/m/x n/m/y'],
  ['n\nkeep', '', 'a b b/c b/c/d b/c/e b/f b- link'],
  ['*\n!keep/in', '', 'keep keep/in keep/in/deep'],
  ['*\n!n/m/x\n!n/k/z', '', 'n n/k n/k/z n/m n/m/x'],
  ['*\n!nothing/here', '', ''],
  ['**/d\nlink', 'b', 'b/c b/c/e b/f'],
  ['n/*\n!n/m', 'n', 'n/m n/m/x n/m/y'],
];
for (const [ignore, folder, paths] of WALKS)
  test(`walk of "${folder}" ignoring ${JSON.stringify(ignore)}`, () => {
    assert.equal(walk(treeOf(ignore), folder).join(' '), paths);
  });

const FINDS: readonly (readonly [ignore: string, path: string, type: string | undefined])[] = [
  ['', 'a', 'file'],
  ['', 'link', 'symlink'],
  ['', '', 'directory'],
  ['', 'nothing', undefined],
  ['', 'a/below', undefined],
  ['a', 'a', undefined],
  ['*', '', 'directory'],
  ['*\n!n/m/x', 'n', 'directory'],
  ['*\n!n/m/x', 'n/k', undefined],
  ['*\n!n/nothing', 'n', undefined],
];
for (const [ignore, path, type] of FINDS)
  test(`"${path}" ignoring ${JSON.stringify(ignore)} is ${type}`, () => {
    assert.equal(treeOf(ignore).find(path)?.type, type);
  });

test('an ignored folder without exceptions is not entered', () => {
  const asked: string[] = [];
  const rules: IgnoreRules = {
    ignores: (path) => asked.push(path) > 0 && path === 'n',
    mayContainExceptions: () => false,
  };
  walk(new ContextTree(join(root, 'tree'), rules));
  assert.deepEqual(
    asked.filter((path) => path.startsWith('n')),
    ['n'],
  );
});

test('names that are not UTF-8 keep their bytes', () => {
  const folder = join(root, 'bytes');
  mkdirSync(folder);
  const name = Buffer.from([0x66, 0xff, 0xfe, 0x67]);
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), name]), 'x');
  const [path = ''] = walk(new ContextTree(folder, undefined));
  assert.deepEqual(encodeName(path), name);
});

test('sockets are left out', async () => {
  const folder = join(root, 'socket');
  mkdirSync(folder);
  writeFileSync(join(folder, 'z'), '');
  const server = createServer().listen(join(folder, 's'));
  await once(server, 'listening');
  assert.deepEqual(walk(new ContextTree(folder, undefined)), ['z']);
  server.close();
});

test('what vanishes during the walk is not there', () => {
  const folder = join(root, 'vanishing');
  for (const name of ['a', 'b', 'c/d', 'e']) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), name);
  }
  const paths: string[] = [];
  new ContextTree(folder, undefined).walk('', ({ path }) => {
    paths.push(path);
    if (path === 'a') rmSync(join(folder, 'b'));
    if (path === 'c') rmSync(join(folder, 'c'), { recursive: true });
  });
  assert.deepEqual(paths, ['a', 'c', 'e']);
});
