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
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { EntryHeader } from '../../tar/layer-entry.ts';
import { type RawHeader, rawTar } from '../../tar/tar-fixture.ts';
import { TarWriter } from '../../tar/tar-writer.ts';
import { unpackFolder } from './unpack-folder.ts';

const root = mkdtempSync(join(tmpdir(), 'strake-unpack-'));
after(() => rmSync(root, { recursive: true }));
let count = 0;

type Entry = Partial<EntryHeader> & { readonly path: string; readonly text?: string };

function tarOf(entries: readonly Entry[]): Buffer {
  const out: Buffer[] = [];
  const writer = new TarWriter((bytes) => out.push(Buffer.from(bytes)));
  for (const { text = '', ...entry } of entries) {
    const size = Buffer.byteLength(text);
    writer.begin({ type: 'file', mode: 0o644, uid: 7, gid: 7, size, mtime: 1000, mtimeNsec: 0, ...entry });
    if ((entry.type ?? 'file') === 'file') writer.data(Buffer.from(text));
  }
  writer.end();
  return Buffer.concat(out);
}

/** Two folders: what lies beside the target must stay as it is. */
function places(): { target: string; beside: string } {
  const place = join(root, String(count++));
  mkdirSync(join(place, 'beside'), { recursive: true });
  writeFileSync(join(place, 'beside/kept'), 'kept');
  return { target: join(place, 'target'), beside: join(place, 'beside') };
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700);
}

const folder = (path: string, more: Partial<EntryHeader> = {}): Entry => ({
  path,
  type: 'directory',
  mode: 0o755,
  ...more,
});

test('files, folders, links, modes and times', async () => {
  const { target } = places();
  const { leftOut } = await unpackFolder(
    pieces(
      tarOf([
        folder('bin', { mode: 0o555 }),
        { path: 'bin/tool', mode: 0o4755, text: 'x'.repeat(5000) },
        { path: 'bin/again', type: 'hardlink', linkTarget: 'bin/tool' },
        { path: 'etc/implied', text: '' },
        { path: 'link', type: 'symlink', linkTarget: '../beside/kept' },
        { path: 'null', type: 'char', device: { major: 1, minor: 3 } },
        { path: 'pipe', type: 'fifo' },
      ]),
    ),
    target,
  );
  assert.equal(leftOut, 2);
  assert.deepEqual(readdirSync(target, { recursive: true }).sort(), [
    'bin',
    'bin/again',
    'bin/tool',
    'etc',
    'etc/implied',
    'link',
  ]);
  const tool = lstatSync(join(target, 'bin/tool'));
  assert.equal(tool.mode & 0o7777, 0o755, 'setuid is for the owner in the image, not for the caller');
  assert.deepEqual([tool.mtimeMs, tool.size, tool.uid], [1_000_000, 5000, process.getuid?.()]);
  assert.equal(lstatSync(join(target, 'bin/again')).ino, tool.ino);
  const bin = lstatSync(join(target, 'bin'));
  assert.deepEqual([bin.mode & 0o7777, bin.mtimeMs], [0o555, 1_000_000]);
  assert.equal(readlinkSync(join(target, 'link')), '../beside/kept');
});

test('a second time: what is there already is replaced or stays', async () => {
  const { target } = places();
  const tar = tarOf([folder('ro', { mode: 0o500 }), { path: 'ro/file', text: 'new', mode: 0o400 }]);
  await unpackFolder(pieces(tar), target);
  writeFileSync(join(target, 'mine'), 'mine');
  await unpackFolder(pieces(tar), target);
  assert.equal(readFileSync(join(target, 'mine'), 'utf8'), 'mine');
  assert.equal(readFileSync(join(target, 'ro/file'), 'utf8'), 'new');
});

test('a link in the folder that leads out of it gives way', async () => {
  const { target, beside } = places();
  mkdirSync(target);
  symlinkSync(beside, join(target, 'a'));
  symlinkSync(join(beside, 'kept'), join(target, 'b'));
  await unpackFolder(
    pieces(tarOf([folder('a'), { path: 'a/kept', text: 'inside' }, { path: 'b', text: 'b' }])),
    target,
  );
  assert.equal(readFileSync(join(beside, 'kept'), 'utf8'), 'kept');
  assert.equal(readFileSync(join(target, 'a/kept'), 'utf8'), 'inside');
});

test('a link of the archive does not lead its own later entries out', async () => {
  const { target, beside } = places();
  const link = { path: 'a', type: 'symlink', linkTarget: '../beside' } as const;
  await unpackFolder(pieces(tarOf([link, { path: 'a/kept', text: 'inside' }])), target);
  assert.equal(readFileSync(join(beside, 'kept'), 'utf8'), 'kept');
  assert.equal(readFileSync(join(target, 'a/kept'), 'utf8'), 'inside');
});

const raw = (name: string, more: Partial<RawHeader> = {}) => rawTar({ name, ...more });
const refused: readonly (readonly [string, Buffer, RegExp])[] = [
  ['..', raw('../beside/kept'), /"..\/beside\/kept" leads out/],
  ['.. in the middle', raw('a/../../beside/kept'), /leads out/],
  ['an absolute path', raw('/etc/strake-test'), /leads out/],
  ['a hard link to what it did not write', raw('a', { flag: '1', link: 'beside' }), /no file of the archive/],
  ['a hard link that leads out', raw('a', { flag: '1', link: '../beside/kept' }), /leads out/],
];
for (const [name, tar, message] of refused)
  test(`refuses ${name}`, async () => {
    const { target, beside } = places();
    await assert.rejects(unpackFolder(pieces(tar), target), message);
    assert.equal(readFileSync(join(beside, 'kept'), 'utf8'), 'kept');
    assert.deepEqual(readdirSync(target), []);
    assert.ok(!existsSync('/etc/strake-test'));
  });

test('a folder that is there is not removed for a file', async () => {
  const { target } = places();
  mkdirSync(join(target, 'work'), { recursive: true });
  await assert.rejects(unpackFolder(pieces(tarOf([{ path: 'work', text: '' }])), target), /would replace a folder/);
});

test('a hard link through a link of the archive', async () => {
  const { target, beside } = places();
  const entries: Entry[] = [
    { path: 'a', text: 'a' },
    { path: 'a', type: 'symlink', linkTarget: '../beside/kept' },
    { path: 'b', type: 'hardlink', linkTarget: 'a' },
  ];
  await assert.rejects(unpackFolder(pieces(tarOf(entries)), target), /no file of the archive/);
  assert.equal(lstatSync(join(beside, 'kept')).nlink, 1);
});

test('an archive that is cut off', async () => {
  const tar = tarOf([{ path: 'a', text: 'x'.repeat(3000) }]);
  await assert.rejects(unpackFolder(pieces(tar.subarray(0, 1500)), places().target), /truncated in entry "a"/);
});
