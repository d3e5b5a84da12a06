import assert from 'node:assert/strict';
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
import { gzipSync } from 'node:zlib';
import { getXattr, listXattrs } from '../host/file-system-calls.ts';
import { isFailure } from '../lib/error.ts';
import { readLayerIndex } from '../tar/layer-index.ts';
import { paxEntry, type RawHeader, rawEntry, rawTar } from '../tar/tar-fixture.ts';
import type { ApplyRequest } from './apply-stream.ts';
import { applyBytes } from './scratch-layer.ts';

const skip = process.getuid?.() !== 0 && 'makes device nodes and trusted attributes: needs root';
const folder = mkdtempSync(join(tmpdir(), 'strake-hostile-'));
after(() => rmSync(folder, { recursive: true }));
let count = 0;

/** Unpacks in a fresh folder beside a file that hostile archives try to reach. */
async function unpack(tar: Buffer, options: Partial<ApplyRequest> = {}): Promise<string> {
  const place = join(folder, String(count++));
  mkdirSync(join(place, 'outside'), { recursive: true });
  writeFileSync(join(place, 'outside/secret'), 'untouched');
  try {
    await applyBytes(join(place, 'layer'), tar, options);
    return join(place, 'layer/diff');
  } finally {
    assert.equal(readFileSync(join(place, 'outside/secret'), 'utf8'), 'untouched');
    assert.equal(lstatSync(join(place, 'outside/secret')).nlink, 1);
    assert.deepEqual(readdirSync(join(place, 'outside')), ['secret']);
    assert.deepEqual(readdirSync(place).sort(), ['layer', 'outside']);
  }
}

const dir = (name: string): RawHeader => ({ name, flag: '5', mode: 0o755 });
const link = (name: string, target: string): RawHeader => ({ name, flag: '2', link: target });
const hard = (name: string, target: string): RawHeader => ({ name, flag: '1', link: target });
const file = (name: string, content = 'evil'): RawHeader => ({ name, content });

const refusals: readonly [name: string, entries: RawHeader[], message: RegExp][] = [
  ['.. at the start', [file('../outside/secret')], /"\.\.\/outside\/secret" .*leads outside|leads outside/],
  ['.. behind a directory', [dir('a'), file('a/../../outside/secret')], /leads outside/],
  ['.. after an absolute path', [file('/../outside/secret')], /leads outside/],
  ['.. as the last name', [dir('a'), dir('a/..')], /"a\/\.\." ends in "\.\."/],
  ['a hard link to an absolute path outside', [hard('x', '/etc/passwd')], /hard link to "\/etc\/passwd"/],
  ['a hard link with ..', [hard('x', '../outside/secret')], /leads outside/],
  [
    'a hard link through a symlink that leads outside',
    [link('esc', '../outside'), hard('x', 'esc/secret')],
    /hard link to "esc\/secret", which the archive does not have/,
  ],
  ['a hard link to a later file', [hard('x', 'later'), file('later')], /does not have before it/],
  ['a hard link to a directory', [dir('d'), hard('x', 'd')], /is a directory/],
  ['a hard link to a whiteout', [file('.wh.gone', ''), hard('x', 'gone')], /does not have before it/],
  ['a loop of symlinks', [link('a', 'b'), link('b', 'a'), file('a/x')], /too many symbolic links/],
  ['a file as a directory', [file('a'), file('a/b')], /goes through "a", which is not a directory/],
  ['a symlink as the root', [link('.', '/etc')], /would replace the root/],
  ['a symlink without target', [link('a', '')], /without a target/],
  ['a whiteout of nothing', [file('a/.wh.', '')], /without a usable name/],
  ['a whiteout of .', [file('a/.wh..', '')], /without a usable name/],
  ['a whiteout of ..', [file('a/.wh...', '')], /without a usable name/],
  ['a directory with the name of a whiteout', [file('.wh.d/file')], /"\.wh\.d" is a directory with the name of/],
  ['such a directory through a symlink', [link('s', 'a/.wh.d'), file('s/file')], /"a\/\.wh\.d" is a directory/],
  ['a name of 300 bytes', [], /too long/],
];
for (const [name, entries, message] of refusals) {
  test(`refused: ${name}`, { skip }, async () => {
    const tar = name.includes('300 bytes')
      ? Buffer.concat([paxEntry({ path: 'n'.repeat(300) }), rawTar(file('x'))])
      : rawTar(...entries);
    await assert.rejects(unpack(tar), (error) => isFailure(error, 'invalid') && message.test(error.message));
  });
}

const confined: readonly [name: string, entries: RawHeader[], path: string][] = [
  ['an absolute name', [file('/outside/secret')], 'outside/secret'],
  ['leading ./ and doubled slashes', [file('.//a/./b//c')], 'a/b/c'],
  ['.. that stays inside', [dir('a'), dir('b'), file('a/../b/c')], 'b/c'],
  ['a symlink to the parent folder', [link('esc', '..'), file('esc/outside/secret')], 'outside/secret'],
  ['a symlink with many ..', [link('esc', '../../../../..'), file('esc/etc/x')], 'etc/x'],
  ['an absolute symlink', [link('esc', '/tmp'), file('esc/x')], 'tmp/x'],
  ['a chain of symlinks', [link('a', 'b/..'), link('b', '/c/d'), file('a/x')], 'c/x'],
  ['a symlink over a directory', [dir('d'), link('d', '../outside'), file('d/secret')], 'outside/secret'],
  ['a hard link to an absolute name', [file('a/b'), hard('x', '/a/b')], 'x'],
  ['a hard link to a symlink', [link('s', '../outside/secret'), hard('x', 's')], 'x'],
];
for (const [name, entries, path] of confined)
  test(`stays inside: ${name}`, { skip }, async () => {
    const tree = await unpack(rawTar(...entries));
    assert.ok(lstatSync(join(tree, path)), path);
  });

test('a symlink that is overwritten by a file is not followed', { skip }, async () => {
  const tree = await unpack(rawTar(link('x', '../outside/secret'), file('x', 'mine')));
  assert.equal(readFileSync(join(tree, 'x'), 'utf8'), 'mine');
  assert.ok(lstatSync(join(tree, 'x')).isFile());
});

test('the last of several entries wins, and types may change', { skip }, async () => {
  const tree = await unpack(
    rawTar(
      ...[file('a', 'first'), file('a', 'second')],
      ...[dir('d'), file('d/in'), file('d', 'now a file')],
      ...[file('f'), dir('f'), file('f/in', 'inside')],
      ...[dir('k'), file('k/kept', 'kept'), { ...dir('k'), mode: 0o700 }],
      ...[link('l', 'a'), dir('l'), file('l/in')],
    ),
  );
  assert.equal(readFileSync(join(tree, 'a'), 'utf8'), 'second');
  assert.equal(readFileSync(join(tree, 'd'), 'utf8'), 'now a file');
  assert.equal(readFileSync(join(tree, 'f/in'), 'utf8'), 'inside');
  assert.equal(readFileSync(join(tree, 'k/kept'), 'utf8'), 'kept');
  assert.equal(lstatSync(join(tree, 'k')).mode & 0o7777, 0o700);
  assert.ok(lstatSync(join(tree, 'l')).isDirectory());
  assert.equal(readFileSync(join(tree, 'a'), 'utf8'), 'second', 'written through the replaced link');
});

test('devices are made or refused as asked; fifos always are', { skip }, async () => {
  const tar = rawTar({ name: 'null', flag: '3', device: [1, 3], mode: 0o666 }, { name: 'pipe', flag: '6' });
  const tree = await unpack(tar);
  assert.ok(lstatSync(join(tree, 'null')).isCharacterDevice());
  assert.equal(lstatSync(join(tree, 'null')).rdev, 0x103);
  assert.ok(lstatSync(join(tree, 'pipe')).isFIFO());
  await assert.rejects(
    unpack(tar, { devices: 'refuse' }),
    (error) => isFailure(error, 'denied') && error.message.includes('"null"'),
  );
});

test('attributes of overlayfs in a tar are dropped', { skip }, async () => {
  const smuggled = {
    'SCHILY.xattr.trusted.overlay.opaque': 'y',
    'SCHILY.xattr.trusted.overlay.redirect': '/etc',
    'SCHILY.xattr.trusted.overlay.metacopy': '',
    'SCHILY.xattr.user.overlay.whiteout': 'y',
    'SCHILY.xattr.user.mine': 'kept',
  };
  const tree = await unpack(
    Buffer.concat([paxEntry(smuggled), rawEntry(dir('d')), paxEntry(smuggled), rawTar(file('f'))]),
  );
  for (const name of ['d', 'f']) assert.deepEqual(listXattrs(join(tree, name)), ['user.mine']);
  const { entries } = readLayerIndex(join(tree, '../index'));
  for (const { xattrs } of entries) assert.deepEqual([...(xattrs?.keys() ?? [])], ['user.mine']);
});

test('an attribute named __proto__ is an attribute', { skip }, async () => {
  const records = { 'SCHILY.xattr.user.__proto__': 'x', 'SCHILY.xattr.user.constructor': 'y' };
  const tree = await unpack(Buffer.concat([paxEntry(records), rawTar(file('f'))]));
  assert.equal(String(getXattr(join(tree, 'f'), 'user.__proto__')), 'x');
});

const IMPOSSIBLE: readonly [name: string, records: Record<string, string>, message: RegExp][] = [
  ['an access list that is none', { 'SCHILY.xattr.system.posix_acl_access': 'bad' }, /no file can have: EINVAL/],
  ['an attribute with a long name', { [`SCHILY.xattr.user.${'n'.repeat(300)}`]: 'x' }, /no file can have: ERANGE/],
  ['an attribute that is too large', { 'SCHILY.xattr.user.a': 'x'.repeat(70_000) }, /no file can have: E2BIG/],
  ['an owner that is none', { uid: '4294967295' }, /the owner 4294967295, above the highest/],
];
for (const [name, records, message] of IMPOSSIBLE)
  test(`${name} is refused`, { skip }, async () => {
    await assert.rejects(
      unpack(Buffer.concat([paxEntry(records), rawTar(file('f'))])),
      (error) => isFailure(error, 'invalid') && message.test(error.message),
    );
  });

test('marks of aufs are skipped', { skip }, async () => {
  const tree = await unpack(rawTar(dir('.wh..wh.plnk'), file('.wh..wh.plnk/1.2'), file('.wh..wh.aufs'), file('a')));
  assert.deepEqual(readdirSync(tree), ['a']);
});

test('in the plain form whiteouts are files', { skip }, async () => {
  const tree = await unpack(rawTar(file('.wh.x', 'a'), file('d/.wh..wh..opq', 'b'), file('.wh..', 'c')), {
    form: 'plain',
  });
  assert.deepEqual(readdirSync(tree).sort(), ['.wh..', '.wh.x', 'd']);
  assert.equal(readFileSync(join(tree, 'd/.wh..wh..opq'), 'utf8'), 'b');
  await assert.rejects(unpack(rawTar({ name: 'w', flag: '3' }), { form: 'plain' }), /device 0:0/);
});

test('an owner that is forced holds for everything, and setuid bits survive', { skip }, async () => {
  const tree = await unpack(
    rawTar(
      { ...dir('d'), uid: 7, gid: 7 },
      { ...file('d/s'), uid: 7, gid: 7, mode: 0o6755 },
      { ...link('l', 'd'), uid: 7 },
    ),
    { form: 'plain', owner: { uid: 5, gid: 6 } },
  );
  for (const name of ['d', 'd/s', 'l']) {
    const { uid, gid } = lstatSync(join(tree, name));
    assert.deepEqual([uid, gid], [5, 6], name);
  }
  assert.equal(lstatSync(join(tree, 'd/s')).mode & 0o7777, 0o6755);
});

test('limits: bytes, sparse bytes, entries, and a gzip bomb', { skip }, async () => {
  const exhausted = (what: RegExp) => (error: unknown) => isFailure(error, 'exhausted') && what.test(error.message);
  await assert.rejects(
    unpack(rawTar(file('a', 'x'.repeat(9000))), { limits: { bytes: 5000 } }),
    exhausted(/5000 bytes/),
  );
  const sparse = Buffer.concat([
    paxEntry({ 'GNU.sparse.map': '0,1', 'GNU.sparse.size': String(2 ** 50) }),
    rawTar(file('s', 'x')),
  ]);
  await assert.rejects(unpack(sparse), exhausted(/sparse files expand/));
  await assert.rejects(
    unpack(rawTar(file('a'), file('b'), file('c')), { limits: { entries: 2 } }),
    exhausted(/more than 2 entries/),
  );
  const bomb = gzipSync(Buffer.concat([rawEntry({ name: 'zeros', size: 64 << 20 }), Buffer.alloc(64 << 20)]));
  assert.ok(bomb.length < 200_000);
  await assert.rejects(unpack(bomb, { limits: { bytes: 1 << 20 } }), exhausted(/expands to more than 1048576 bytes/));
});

test('a folder that is not empty is not touched', { skip }, async () => {
  const layer = join(folder, 'full');
  mkdirSync(join(layer, 'diff'), { recursive: true });
  writeFileSync(join(layer, 'diff/there'), '');
  await assert.rejects(applyBytes(layer, rawTar(file('a'))), /not empty/);
  assert.deepEqual(readdirSync(join(layer, 'diff')), ['there']);
});

test('after a failure there is no index', { skip }, async () => {
  const layer = join(folder, 'failed');
  await assert.rejects(applyBytes(layer, rawTar(file('a'), file('../b'))));
  assert.ok(!existsSync(join(layer, 'index')));
  assert.deepEqual(readdirSync(layer), ['diff']);
});

test('links are kept as they are written', { skip }, async () => {
  const tree = await unpack(rawTar(link('abs', '/etc/../x'), link('weird', '../../../outside/secret')));
  assert.equal(readlinkSync(join(tree, 'abs')), '/etc/../x');
  assert.equal(readlinkSync(join(tree, 'weird')), '../../../outside/secret');
});
