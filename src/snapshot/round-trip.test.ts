import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { deviceNumber, makeNode, makeWhiteout, setTimes, setXattr, statFile } from '../host/file-system-calls.ts';
import { isFailure, systemCode } from '../lib/error.ts';
import type { LayerEntry } from '../tar/layer-entry.ts';
import { compareEntries } from '../tar/layer-entry.ts';
import { readLayerIndex } from '../tar/layer-index.ts';
import { packPieces } from '../tar/pack-layer.ts';
import { paxEntry, type RawHeader, rawEntry, rawTar } from '../tar/tar-fixture.ts';
import { OPAQUE_VALUE, OPAQUE_XATTR } from '../tar/whiteout.ts';
import { OVERWRITTEN_LIMIT } from './file-contents.ts';
import { applyBytes, scanLayer } from './scratch-layer.ts';
import { type TreeDifference, verifyTree } from './verify-tree.ts';

const skip = process.getuid?.() !== 0 && 'changes owners and makes device nodes: needs root';
const folder = mkdtempSync(join(tmpdir(), 'strake-round-trip-'));
after(() => rmSync(folder, { recursive: true }));
const signal = new AbortController().signal;
let count = 0;
const freshLayer = (): string => {
  const layer = join(folder, String(count++));
  mkdirSync(layer);
  return layer;
};

async function pack(layer: string): Promise<Buffer> {
  return Buffer.concat([...packPieces(join(layer, 'index'), join(layer, 'diff'))]);
}

const verify = (layer: string): TreeDifference[] =>
  verifyTree({ tree: join(layer, 'diff'), index: join(layer, 'index'), limit: 100 }, { signal });

const rowsOf = (layer: string): readonly LayerEntry[] => readLayerIndex(join(layer, 'index')).entries;

/** Unpacks, checks every promise about a received layer, and returns its folder. */
async function checkReceived(tar: Buffer): Promise<string> {
  const layer = freshLayer();
  const facts = await applyBytes(layer, tar);
  const digest = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
  const rows = rowsOf(layer);
  assert.deepEqual({ ...facts, size: 0 }, { diffId: digest, size: 0, tarSize: tar.length, entries: rows.length });
  assert.ok((await pack(layer)).equals(tar), 'the tar is not re-created');
  assert.deepEqual(verify(layer), []);
  assert.deepEqual(rows.toSorted(compareEntries), rows, 'rows are not sorted');
  return layer;
}

/** Indexes a tree, unpacks its canonical tar elsewhere, and expects the same tree and the same tar. */
async function checkCanonical(layer: string): Promise<void> {
  const facts = scanLayer(layer);
  assert.deepEqual(verify(layer), []);
  const tar = await pack(layer);
  assert.equal(`sha256:${createHash('sha256').update(tar).digest('hex')}`, facts.diffId);
  assert.equal(tar.length, facts.tarSize);
  const copy = await checkReceived(tar);
  const inSeconds = (rows: readonly LayerEntry[]) => rows.map((row) => ({ ...row, mtimeNsec: 0 }));
  assert.deepEqual(rowsOf(copy), inSeconds(rowsOf(layer)));
  assert.deepEqual(scanLayer(copy), facts);
  assert.deepEqual(rowsOf(copy), inSeconds(rowsOf(layer)));
}

function makeTree(tree: string): void {
  mkdirSync(join(tree, 'etc/sub'), { recursive: true });
  mkdirSync(join(tree, 'gone'));
  writeFileSync(join(tree, 'etc/passwd'), 'root:x:0:0\n');
  writeFileSync(join(tree, 'etc/empty'), '');
  writeFileSync(join(tree, 'big'), Buffer.alloc(3_100_000, 'big content '));
  writeFileSync(join(tree, 'setuid'), 'x');
  chownSync(join(tree, 'setuid'), 1000, 70_000);
  chmodSync(join(tree, 'setuid'), 0o4711);
  linkSync(join(tree, 'etc/passwd'), join(tree, 'etc/sub/again'));
  linkSync(join(tree, 'etc/passwd'), join(tree, 'zz-last'));
  symlinkSync('../passwd', join(tree, 'etc/sub/link'));
  symlinkSync('t'.repeat(400), join(tree, 'long-link'));
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/b`), Buffer.from([0xff, 0x80])]), 'bytes');
  writeFileSync(join(tree, 'ünï'), 'unicode');
  mkdirSync(join(tree, 'd'.repeat(200), 'e'.repeat(200)), { recursive: true });
  writeFileSync(join(tree, 'd'.repeat(200), 'e'.repeat(200), 'f'), 'deep');
  execFileSync('mkfifo', [join(tree, 'pipe')]);
  writeFileSync(join(tree, 'sparse'), 'start');
  truncateSync(join(tree, 'sparse'), 5_000_000);
}

for (const [format, ...options] of [
  ['gnu'],
  ['gnu', '--sparse'],
  ['oldgnu', '--sparse'],
  ['posix'],
  ['posix', '--sparse'],
  ['posix', '--sparse', '--sparse-version=0.0'],
  ['ustar'],
  ['v7'],
] as const)
  test(`GNU tar --format=${format} ${options.join(' ')} comes back byte for byte`, { skip }, async () => {
    const source = join(folder, `source-${count++}`);
    makeTree(source);
    if (format === 'ustar' || format === 'v7')
      for (const name of ['long-link', 'd'.repeat(200), 'pipe']) rmSync(join(source, name), { recursive: true });
    const tar = execFileSync('tar', [`--format=${format}`, ...options, '-cf', '-', '-C', source, '.'], {
      maxBuffer: 1 << 26,
    });
    const layer = await checkReceived(tar);
    assert.equal(scanLayer(layer).diffId, scanLayer(copyOf(source)).diffId, 'not the tree that GNU tar packed');
    await checkCanonical(layer);
  });

function copyOf(source: string): string {
  const layer = freshLayer();
  execFileSync('cp', ['-a', source, join(layer, 'diff')]);
  return layer;
}

test('GNU tar reads what Strake writes', { skip }, async () => {
  const layer = freshLayer();
  makeTree(join(layer, 'diff'));
  scanLayer(layer);
  const other = freshLayer();
  mkdirSync(join(other, 'diff'));
  execFileSync('tar', ['-xpf', '-', '-C', join(other, 'diff'), '--xattrs', '--xattrs-include=*'], {
    input: await pack(layer),
  });
  assert.equal(scanLayer(other).diffId, scanLayer(layer).diffId);
});

test('a tree with everything that overlayfs makes', { skip }, async () => {
  const layer = freshLayer();
  const tree = join(layer, 'diff');
  makeTree(tree);
  makeWhiteout(join(tree, 'etc/deleted'));
  setXattr(join(tree, 'gone'), OPAQUE_XATTR, OPAQUE_VALUE);
  setXattr(join(tree, 'etc'), 'trusted.overlay.impure', 'y');
  setXattr(join(tree, 'etc/passwd'), 'user.note', 'kept');
  setXattr(join(tree, 'setuid'), 'security.capability', Buffer.from('0100000200040000000000000000000000000000', 'hex'));
  makeNode(join(tree, 'null'), 0o020666, deviceNumber(1, 3));
  setTimes(join(tree, 'etc/passwd'), 1_234_567_890, 123_456_789);
  setTimes(join(tree, 'etc/sub/link'), -5, 1);
  setTimes(tree, 1_000_000_000, 0);
  await checkCanonical(layer);
  const rows = new Map(rowsOf(layer).map((row) => [`${row.type} ${row.path}`, row]));
  assert.equal(rows.get('file etc/passwd')?.mtimeNsec, 123_456_789);
  assert.equal(rows.get('symlink etc/sub/link')?.mtime, -5);
  assert.equal(rows.get('hardlink zz-last')?.linkTarget, 'etc/passwd');
  assert.ok(rows.has('whiteout etc/deleted'));
  assert.ok(rows.has('opaque gone'));
  assert.deepEqual(rows.get('directory etc')?.xattrs, undefined);
  assert.ok(!rows.has('directory '), 'a root directory like any other has no row');
});

test('a root directory that differs gets a row', { skip }, async () => {
  const layer = freshLayer();
  mkdirSync(join(layer, 'diff'), { mode: 0o700 });
  await checkCanonical(layer);
  assert.deepEqual(
    rowsOf(layer).map((row) => [row.path, row.type, row.mode]),
    [['', 'directory', 0o700]],
  );
});

test('an empty upper folder is the empty layer', { skip }, () => {
  const layer = freshLayer();
  mkdirSync(join(layer, 'diff'), { mode: 0o755 });
  assert.deepEqual(scanLayer(layer), {
    diffId: 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef',
    size: 0,
    tarSize: 1024,
    entries: 0,
  });
});

test('times of received entries are exact, of directories too', { skip }, async () => {
  const time = paxEntry({ mtime: '1700000000.123456789' });
  const tar = Buffer.concat([
    ...[time, rawEntry({ name: 'd', flag: '5' }), time, rawEntry({ name: 'd/f', content: 'x' })],
    ...[time, rawEntry({ name: 'd/l', flag: '2', link: 'f' }), rawTar({ name: 'd/late', content: 'later' })],
  ]);
  const layer = await checkReceived(tar);
  for (const name of ['d', 'd/f', 'd/l'])
    assert.deepEqual(statFile(join(layer, 'diff', name)).modified, {
      seconds: 1_700_000_000,
      nanoseconds: 123_456_789,
    });
});

test('directories that a tar implies', { skip }, async () => {
  const layer = await checkReceived(rawTar({ name: 'a/b/c', content: 'x' }));
  assert.deepEqual(
    rowsOf(layer).map((row) => [row.path, row.offset]),
    [
      ['a', -1],
      ['a/b', -1],
      ['a/b/c', 0],
    ],
  );
});

test('whiteouts and names of the same layer', { skip }, async () => {
  const dir = (name: string): RawHeader => ({ name, flag: '5', mode: 0o755 });
  const layer = await checkReceived(
    rawTar(
      ...[{ name: 'f', content: 'stays' }, { name: '.wh.f' }],
      ...[dir('d'), { name: 'd/in', content: 'stays' }, { name: '.wh.d' }],
      ...[{ name: '.wh.back' }, { name: 'back', content: 'new' }],
      ...[{ name: '.wh.dir' }, dir('dir'), { name: 'dir/new' }],
      ...[{ name: '.wh.deep' }, { name: 'deep/er/x' }],
      ...[{ name: '.wh.gone' }, { name: '.wh.gone' }],
      ...[dir('o'), { name: 'o/.wh..wh..opq' }, { name: 'o/x' }],
      { name: 'dev', flag: '3' },
    ),
  );
  assert.deepEqual(
    rowsOf(layer)
      .filter((row) => row.type === 'whiteout' || row.type === 'opaque')
      .map((row) => `${row.type} ${row.path}`),
    ['opaque d', 'opaque deep', 'whiteout dev', 'opaque dir', 'whiteout gone', 'opaque o'],
  );
  await checkCanonical(layer);
});

test('content of overwritten files stays in the index', { skip }, async () => {
  const big = 'x'.repeat(1_500_000);
  const layer = await checkReceived(
    rawTar(
      ...[
        { name: 'a', content: 'one' },
        { name: 'a', content: 'two' },
        { name: 'a', flag: '2', link: 'b' },
      ],
      ...[{ name: 'big', content: big }, { name: 'big' }],
      ...[
        { name: 'h', content: 'linked' },
        { name: 'g', flag: '1', link: 'h' },
        { name: 'i', flag: '1', link: 'h' },
      ],
      ...[{ name: 'h', content: 'new h' }],
      ...[
        { name: 'j', content: 'gone' },
        { name: 'k', flag: '1', link: 'j' },
        { name: 'k' },
        { name: 'j', content: 'j' },
      ],
      ...[
        { name: 'd/deep/file', content: 'in a tree' },
        { name: 'd', content: 'a file now' },
      ],
    ),
  );
  const rows = new Map(rowsOf(layer).map((row) => [row.path, row]));
  assert.deepEqual([rows.get('g')?.type, rows.get('i')?.type, rows.get('i')?.linkTarget], ['file', 'hardlink', 'g']);
  assert.equal(readFileSync(join(layer, 'diff/g'), 'utf8'), 'linked');
  await checkCanonical(layer);
});

test('an archive that overwrites its own files without end is refused', { skip }, async () => {
  const sparse = paxEntry({ 'GNU.sparse.map': '0,1', 'GNU.sparse.size': String(OVERWRITTEN_LIMIT + 1) });
  const tar = Buffer.concat([sparse, rawEntry({ name: 'f', content: 'x' }), rawTar({ name: 'f' })]);
  await assert.rejects(
    applyBytes(freshLayer(), tar),
    (error) => isFailure(error, 'exhausted') && /overwrites more than .*"f"/.test(error.message),
  );
});

test('missing padding and anything behind the end come back', { skip }, async () => {
  await checkReceived(Buffer.alloc(0));
  await checkReceived(Buffer.alloc(10_240));
  await checkReceived(rawEntry({ name: 'a', content: 'x' }).subarray(0, 513));
  await checkReceived(Buffer.concat([rawTar({ name: 'a', content: 'x' }), Buffer.from('garbage'), Buffer.alloc(99)]));
});

const name = fc.constantFrom('a', 'b', 'c', '.wh.a', '.wh.b', '.wh..wh..opq', 'ü');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
const header: fc.Arbitrary<RawHeader> = fc.record({
  name: path,
  flag: fc.constantFrom('0', '0', '0', '1', '2', '5', '5', '6'),
  link: fc.oneof(path, fc.constantFrom('..', '/', '../a', '/b/c')),
  mode: fc.nat(0o7777),
  uid: fc.nat(3),
  mtime: fc.nat(2 ** 31),
  content: fc.string({ maxLength: 1200 }),
});

test('any archive is refused or comes back byte for byte', { skip }, async () => {
  let received = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(header, { maxLength: 12 }), async (generated) => {
      const tar = rawTar(...generated.map((entry) => (entry.flag === '0' ? entry : { ...entry, content: '' })));
      try {
        const layer = await checkReceived(tar);
        received++;
        await checkCanonical(layer);
      } catch (error) {
        if (!isFailure(error, 'invalid')) throw error;
      }
    }),
    { numRuns: 250 },
  );
  assert.ok(received > 40, `only ${received} archives were good`);
});

/** Something of a generated tree, at a path that may be taken or lead through what is no folder: then it is left out. */
interface TreeItem {
  readonly path: string;
  readonly kind:
    | 'file'
    | 'sparse'
    | 'directory'
    | 'opaque'
    | 'symlink'
    | 'hardlink'
    | 'fifo'
    | 'char'
    | 'block'
    | 'whiteout';
  readonly text: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: readonly [seconds: number, nanoseconds: number];
  readonly xattrs: readonly (readonly [string, Uint8Array])[];
  readonly size: number;
}

const treeName = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'd', 'ü', 'A b', 'é\n', '.hidden', 'x'.repeat(101), 'y'.repeat(255)),
  fc.string({ minLength: 1, maxLength: 8 }).filter((text) => !/[/\0]/.test(text) && !/^\.{1,2}$|^\.wh\./.test(text)),
);
const treePath = fc.array(treeName, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
const owner = fc.oneof(fc.constantFrom(0, 1000, 0o7777777, 0o10000000, 2 ** 32 - 2), fc.nat(70_000));
const treeItem: fc.Arbitrary<TreeItem> = fc.record({
  path: treePath,
  kind: fc.constantFrom(
    ...(['file', 'file', 'directory', 'directory', 'sparse', 'opaque', 'symlink'] as const),
    ...(['hardlink', 'hardlink', 'fifo', 'char', 'block', 'whiteout'] as const),
  ),
  text: fc.string({ minLength: 1, maxLength: 300 }).map((text) => text.replaceAll('\0', '0')),
  mode: fc.nat(0o7777),
  uid: owner,
  gid: owner,
  mtime: fc.tuple(fc.oneof(fc.constantFrom(-5, 0, 2 ** 33), fc.nat(2 ** 31)), fc.nat(999_999_999)),
  xattrs: fc.array(
    fc.tuple(fc.constantFrom('user.note', 'trusted.x-y', 'user.ü'), fc.uint8Array({ minLength: 1, maxLength: 60 })),
    { maxLength: 2 },
  ),
  size: fc.nat(2_500_000),
});

const LINKABLE: ReadonlySet<string> = new Set(['file', 'sparse', 'symlink', 'fifo', 'char', 'block']);

/** Returns the kinds that were made. */
function makeItems(tree: string, items: readonly TreeItem[]): Set<string> {
  const made = new Map<string, TreeItem>();
  for (const item of items) {
    const disk = join(tree, item.path);
    try {
      mkdirSync(dirname(disk), { recursive: true });
      const linked = [...made].find(([, other]) => LINKABLE.has(other.kind))?.[0] ?? 'nothing';
      MAKERS[item.kind](disk, item, join(tree, linked));
    } catch (error) {
      if (['EEXIST', 'ENOTDIR', 'ENAMETOOLONG', 'ENOENT'].includes(systemCode(error) ?? '')) continue;
      throw error;
    }
    made.set(item.path, item);
  }
  for (const [path, item] of [...made].reverse()) {
    const disk = join(tree, path);
    if (item.kind === 'whiteout' || item.kind === 'hardlink') continue;
    lchownSync(disk, item.uid, item.gid);
    if (item.kind !== 'symlink') chmodSync(disk, item.mode);
    if (item.kind === 'file' || item.kind === 'directory')
      for (const [name, value] of item.xattrs) setXattr(disk, name, Buffer.from(value));
    setTimes(disk, ...item.mtime);
  }
  return new Set([...made.values()].map(({ kind }) => kind));
}

const MAKERS: Readonly<Record<TreeItem['kind'], (disk: string, item: TreeItem, linked: string) => void>> = {
  file: (disk, { text }) => writeFileSync(disk, text, { flag: 'wx' }),
  sparse(disk, { text, size }) {
    writeFileSync(disk, text, { flag: 'wx' });
    truncateSync(disk, Buffer.byteLength(text) + size);
  },
  directory: (disk) => mkdirSync(disk),
  opaque(disk) {
    mkdirSync(disk);
    setXattr(disk, OPAQUE_XATTR, OPAQUE_VALUE);
  },
  symlink: (disk, { text }) => symlinkSync(text, disk),
  hardlink: (disk, _, linked) => linkSync(linked, disk),
  whiteout: (disk) => makeWhiteout(disk),
  fifo: (disk) => makeNode(disk, 0o010600),
  char: (disk, { size }) => makeNode(disk, 0o020600, deviceNumber(size % 4000, 1 + (size % 1_000_000))),
  block: (disk, { size }) => makeNode(disk, 0o060600, deviceNumber(size % 4000, 1 + (size % 1_000_000))),
};

test('any tree comes back from its tar, and the tar from the tree', { skip }, async () => {
  const kinds = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(treeItem, { maxLength: 14 }), async (items) => {
      const layer = freshLayer();
      mkdirSync(join(layer, 'diff'));
      for (const kind of makeItems(join(layer, 'diff'), items)) kinds.add(kind);
      await checkCanonical(layer);
      rmSync(layer, { recursive: true });
    }),
    { numRuns: 120 },
  );
  assert.equal(kinds.size, 10, `not every kind of file was made: ${[...kinds]}`);
});

test('scan refuses names that a tar cannot carry', { skip }, () => {
  const layer = freshLayer();
  mkdirSync(join(layer, 'diff'));
  writeFileSync(join(layer, 'diff/.wh.file'), '');
  assert.throws(
    () => scanLayer(layer),
    (error) => isFailure(error, 'unsupported') && /\.wh\.file/.test(error.message),
  );
  rmSync(join(layer, 'diff/.wh.file'));
  mkdirSync(join(layer, 'diff/noted'));
  setXattr(join(layer, 'diff/noted'), 'user.a=b', 'c');
  assert.throws(
    () => scanLayer(layer),
    (error) => isFailure(error, 'unsupported') && /user\.a=b/.test(error.message),
  );
});

test('verify tells every kind of difference', { skip }, async () => {
  const layer = await checkReceived(
    rawTar(
      ...['content', 'size', 'mode', 'owner', 'missing', 'type', 'same'].map((file) => ({
        name: file,
        content: 'abc',
      })),
      ...[
        { name: 'hard', flag: '1', link: 'same' },
        { name: 'link', flag: '2', link: 'same' },
      ],
      ...[{ name: 'dir', flag: '5', mode: 0o755 }, { name: 'dir/.wh..wh..opq' }, { name: '.wh.w' }],
    ),
  );
  const tree = join(layer, 'diff');
  writeFileSync(join(tree, 'content'), 'abd');
  writeFileSync(join(tree, 'size'), 'abcd');
  chmodSync(join(tree, 'mode'), 0o600);
  chownSync(join(tree, 'owner'), 9, 9);
  for (const gone of ['missing', 'type', 'hard', 'link', 'w']) rmSync(join(tree, gone));
  mkdirSync(join(tree, 'type'));
  writeFileSync(join(tree, 'hard'), 'abc', { mode: 0o644 });
  symlinkSync('other', join(tree, 'link'));
  writeFileSync(join(tree, 'w'), '');
  setXattr(join(tree, 'dir'), OPAQUE_XATTR, 'n');
  writeFileSync(join(tree, 'dir/surprise'), '');
  const found = verify(layer).map(({ path: at, problem }) => `${at}: ${problem}`);
  assert.deepEqual(found.sort(), [
    'content: content',
    'dir/surprise: unexpected',
    'dir: opaque',
    'hard: link',
    'link: link',
    'missing: missing',
    'mode: mode',
    'owner: owner',
    'size: size',
    'type: type',
    'w: type',
  ]);
});

test('a lost or shortened file is data loss when its layer is packed', { skip }, async () => {
  const layer = await checkReceived(rawTar({ name: 'f', content: 'abc' }));
  writeFileSync(join(layer, 'diff/f'), 'a');
  await assert.rejects(pack(layer), (error) => isFailure(error, 'data-loss') && /"f"/.test(error.message));
  rmSync(join(layer, 'diff/f'));
  await assert.rejects(pack(layer), (error) => isFailure(error, 'data-loss'));
});
