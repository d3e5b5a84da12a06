import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { getXattr } from '../../../host/file-system-calls.ts';
import type { ClientEntry } from './client-folder.ts';
import { FolderWriter } from './folder-writer.ts';

const scratch = mkdtempSync(join(tmpdir(), 'strake-client-folder-'));
after(() => rmSync(scratch, { recursive: true }));
let count = 0;

type Written = Partial<ClientEntry> & { readonly path: string; readonly content?: string };

const file = (path: string, content: string, more: Partial<ClientEntry> = {}): Written => ({ path, content, ...more });
const folder = (path: string, more: Partial<ClientEntry> = {}): Written => ({
  path,
  type: 'directory',
  mode: 0o755,
  ...more,
});
const symlink = (path: string, link: string): Written => ({ path, type: 'symlink', mode: 0o777, link });

/** What a client lists, given to a writer; the contents that it wants come at the end. Returns their paths. */
function send(
  root: string,
  entries: readonly Written[],
  options: { isCut?: boolean; hasXattrs?: boolean; hasList?: boolean } = {},
): string[] {
  using writer = new FolderWriter(root, {
    label: 'context',
    discard: (path) => rmSync(path, { recursive: true }),
    hasXattrs: options.hasXattrs ?? false,
    noteXattrs() {},
    list: options.hasList ? listOf(root) : undefined,
  });
  const wanted: (() => string)[] = [];
  for (const { content = '', ...entry } of entries) {
    const size = entry.size ?? Buffer.byteLength(content);
    const full: ClientEntry = {
      type: 'file',
      mode: 0o644,
      modified: 1_700_000_000_123_456_789n,
      link: '',
      xattrs: new Map(),
      ...entry,
      size,
    };
    const raw = Buffer.from(inspect(full));
    if (writer.passes(raw)) continue;
    const sink = writer.add(full, raw);
    if (sink)
      wanted.push(() => {
        if (content !== '') sink.write(Buffer.from(content));
        if (!options.isCut) sink.end();
        return entry.path;
      });
  }
  writer.listed();
  const came = wanted.map((write) => write());
  if (!options.isCut) writer.complete();
  return came;
}

const listOf = (root: string): string => `${root}.list`;

function newRoot(): string {
  const root = join(scratch, `${count++}`);
  mkdirSync(root);
  return root;
}

/** Path, type, mode, time and content of all, as another program sees them. */
function look(root: string): string[] {
  const lines = execFileSync('find', ['.', '-mindepth', '1', '-printf', '%P %y %m %T@ %l\n'], {
    cwd: root,
    encoding: 'utf8',
  });
  return lines.split('\n').filter(Boolean).sort();
}

const tree: readonly Written[] = [
  file('a', 'one'),
  folder('d', { mode: 0o2750 }),
  file('d/b', 'two', { mode: 0o4755 }),
  folder('d/e'),
  symlink('d/e/l', '../../a'),
  { path: 'd/p', type: 'fifo', mode: 0o622 },
  file('empty', ''),
  file('same', '', { link: 'a' }),
];

test('a folder becomes what its client lists', () => {
  const root = newRoot();
  assert.deepEqual(send(root, tree), ['a', 'd/b']);
  const time = '1700000000.1234567890';
  assert.deepEqual(look(root), [
    `a f 644 ${time} `,
    `d d 2750 ${time} `,
    `d/b f 4755 ${time} `,
    `d/e d 755 ${time} `,
    `d/e/l l 777 ${time} ../../a`,
    `d/p p 622 ${time} `,
    `empty f 644 ${time} `,
    `same f 644 ${time} `,
  ]);
  assert.equal(readFileSync(join(root, 'same'), 'utf8'), 'one');
  assert.equal(lstatSync(join(root, 'same')).ino, lstatSync(join(root, 'a')).ino);
});

const later = 1_700_000_001_000_000_000n;
const changes: readonly [name: string, to: readonly Written[], asked: readonly string[]][] = [
  ['nothing', tree, []],
  ['the content, and with it the time', [file('a', 'xyz', { modified: later }), ...tree.slice(1, 7)], ['a']],
  ['the size alone', [file('a', 'longer'), ...tree.slice(1, 7)], ['a']],
  ['a mode', [file('a', 'one', { mode: 0o600 }), ...tree.slice(1)], ['a']],
  ['a link', [...tree.slice(0, 4), symlink('d/e/l', 'elsewhere'), ...tree.slice(5)], []],
  ['a link that is a file now', [...tree.slice(0, 4), file('d/e/l', 'file'), ...tree.slice(5)], ['d/e/l']],
  ['a folder that is a file now', [file('a', 'one'), file('d', 'file')], ['d']],
  ['a file that is a folder now', [folder('a'), file('a/x', 'y')], ['a/x']],
  ['a folder that is a link now', [symlink('a', 'd'), symlink('d', '/etc')], []],
  ['the time of a folder', [file('a', 'one'), folder('d', { modified: later })], []],
  ['everything is gone', [], []],
];
for (const hasList of [false, true])
  for (const [name, to, asked] of changes)
    test(`only what changed comes again, ${hasList ? 'by the list of the copy' : 'by its files'}: ${name}`, () => {
      const root = newRoot();
      send(root, tree, { hasList });
      for (const again of [asked, []]) {
        assert.deepEqual(send(root, to, { hasList }), again);
        const fresh = newRoot();
        send(fresh, to);
        assert.deepEqual(look(root), look(fresh));
      }
      for (const { path, content } of to)
        if (content !== undefined && content !== '') assert.equal(readFileSync(join(root, path), 'utf8'), content);
    });

test('files are not looked at when the list of the copy has them, and are when it was broken off', () => {
  const root = newRoot();
  send(root, tree, { hasList: true });
  writeFileSync(join(root, 'd/b'), 'nobody else does so');
  assert.deepEqual(send(root, tree, { hasList: true }), []);
  const more = [...tree, file('z', 'new')];
  assert.deepEqual(send(root, more, { hasList: true, isCut: true }), ['z']);
  assert.ok(!existsSync(listOf(root)));
  assert.deepEqual(send(root, more, { hasList: true }), ['d/b', 'z']);
});

test('lists of any two trees lead to the same copy as the second alone', () => {
  const name = fc.constantFrom('a', 'b', 'c');
  const leaf = fc.oneof(
    fc.record({ type: fc.constant('file' as const), content: fc.constantFrom('', 'x', 'y'), late: fc.boolean() }),
    fc.record({ type: fc.constant('symlink' as const), content: fc.constantFrom('a', '../b'), late: fc.boolean() }),
  );
  type Node = { type: 'file' | 'symlink'; content: string; late: boolean } | { inside: Record<string, Node> };
  const { node } = fc.letrec<{ node: Node }>((tie) => ({
    node: fc.oneof({ maxDepth: 3 }, leaf, fc.record({ inside: fc.dictionary(name, tie('node')) })),
  }));
  const entriesOf = (inside: Record<string, Node>, at = ''): Written[] =>
    Object.keys(inside)
      .sort()
      .flatMap((key): Written[] => {
        const one = inside[key];
        if (!one) return [];
        if ('inside' in one) return [folder(`${at}${key}`), ...entriesOf(one.inside, `${at}${key}/`)];
        const made = one.type === 'file' ? file(`${at}${key}`, one.content) : symlink(`${at}${key}`, one.content);
        return [{ ...made, ...(one.late ? { modified: later } : {}) }];
      });
  const trees = fc.array(fc.dictionary(name, node), { minLength: 2, maxLength: 4 });
  fc.assert(
    fc.property(trees, (all) => {
      const root = newRoot();
      for (const one of all) {
        send(root, entriesOf(one), { hasList: true });
        const fresh = newRoot();
        send(fresh, entriesOf(one));
        assert.deepEqual(look(root), look(fresh));
      }
    }),
    { numRuns: 60 },
  );
});

test('what was broken off comes again', () => {
  const root = newRoot();
  assert.deepEqual(send(root, tree, { isCut: true }), ['a', 'd/b']);
  assert.deepEqual(send(root, tree), ['a', 'd/b']);
  assert.deepEqual(send(root, tree), []);
});

test('attributes of a file: capabilities and those of users are kept, others mean something to this host', () => {
  const root = newRoot();
  const xattrs = new Map<string, Uint8Array>([
    ['user.note', Buffer.from('x')],
    ['trusted.overlay.opaque', Buffer.from('y')],
  ]);
  const withNote = [file('a', 'one', { xattrs })];
  assert.deepEqual(send(root, withNote), ['a']);
  assert.equal(getXattr(join(root, 'a'), 'user.note')?.toString(), 'x');
  assert.equal(getXattr(join(root, 'a'), 'trusted.overlay.opaque'), undefined);
  assert.deepEqual(send(root, withNote, { hasXattrs: true }), []);
  assert.deepEqual(send(root, [file('a', 'one')], { hasXattrs: true }), ['a']);
  assert.equal(getXattr(join(root, 'a'), 'user.note'), undefined);
});

const deep = Array.from({ length: 250 }, (_, i) =>
  folder(
    Array(i + 1)
      .fill('d')
      .join('/'),
  ),
);
const hostile: readonly [name: string, entries: readonly Written[], message: RegExp][] = [
  ['a path that leads out', [file('../x', 'x')], /"\.\.\/x" is not taken/],
  ['a name that leads out', [folder('a'), folder('a/..')], /"a\/\.\." is not taken: it is not a path below/],
  ['an absolute path', [file('/x', 'x')], /"\/x" is not taken/],
  ['the folder itself', [folder('.')], /not a path below/],
  ['no path', [folder('')], /not a path below/],
  ['a path with a NUL', [file('a\0b', 'x')], /not a path below/],
  ['an empty name', [folder('a'), file('a//b', 'x')], /its folder was not listed/],
  ['a file below a symlink', [symlink('a', '/etc'), file('a/passwd', 'x')], /its folder was not listed/],
  ['a file below a file', [file('a', 'x'), file('a/b', 'x')], /its folder was not listed/],
  ['a file below nothing', [file('a/b', 'x')], /its folder was not listed/],
  ['a folder that is over', [folder('a'), folder('b'), file('a/x', 'x')], /its folder was not listed/],
  ['a name twice', [file('a', 'x'), file('a', 'y')], /out of order/],
  ['a wrong order', [file('b', 'x'), file('a', 'y')], /out of order/],
  ['a name that is too long', [file('n'.repeat(256), 'x')], /its name is too long/],
  ['folders without end', deep, /more than 200 folders deep/],
  ['a device', [{ path: 'a', type: 'device' }], /it is a device/],
  ['more than its size', [file('a', 'long', { size: 3 })], /more than its 3 bytes/],
  ['less than its size', [file('a', 'short', { size: 30 })], /5 of its 30 bytes came/],
  ['a size below nothing', [file('a', '', { size: -1 })], /its size is -1/],
  ['a link to nothing', [file('a', '', { link: 'b' })], /no file before it/],
  ['a link that leads out', [file('a', '', { link: '../../../etc/passwd' })], /no file before it/],
  [
    'a link by a symlink that leads out',
    [symlink('a', '/etc'), file('b', '', { link: 'a/passwd' })],
    /no file before it/,
  ],
  ['a symlink to nothing', [symlink('a', '')], /it leads nowhere/],
];
for (const [name, entries, message] of hostile)
  test(`a client that lists ${name} is refused`, () => {
    const root = newRoot();
    const outside = join(scratch, 'outside');
    writeFileSync(outside, 'mine');
    const open = readdirSync('/proc/self/fd').length;
    assert.throws(() => send(root, entries), message);
    assert.equal(readdirSync('/proc/self/fd').length, open);
    assert.deepEqual([readFileSync(outside, 'utf8'), existsSync(join(scratch, 'x'))], ['mine', false]);
  });

test('sockets and what has no known type are left out; names are in the order of their bytes', () => {
  const root = newRoot();
  const names = ['Z', 'a', 'a-b', 'b', '\uffee', '\u{1f600}'];
  send(root, [
    ...names.map((name) => file(name, name)),
    { path: '\u{1f600}s', type: 'socket' },
    { path: '\u{1f600}t', type: 'other' },
  ]);
  assert.deepEqual(readdirSync(root).sort(), names.toSorted());
});

test('a kept link that leads to the outside is replaced, not followed', () => {
  const root = newRoot();
  const outside = join(scratch, 'victim');
  writeFileSync(outside, 'mine');
  send(root, [symlink('a', outside)]);
  send(root, [file('a', 'theirs')]);
  assert.deepEqual([readFileSync(outside, 'utf8'), readFileSync(join(root, 'a'), 'utf8')], ['mine', 'theirs']);
  send(root, [symlink('a', outside)]);
  assert.equal(readlinkSync(join(root, 'a')), outside);
});
