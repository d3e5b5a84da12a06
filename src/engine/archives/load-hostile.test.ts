/** Archives that are damaged or made to do harm: a clear error, nothing visible, nothing left. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Failure } from '../../lib/error.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import { digestOf, hexOf } from '../../oci/digest.ts';
import type { FileOffer } from '../../wire/file-offer.ts';
import {
  type ArchiveHost,
  type ArchiveImage,
  configOf,
  dockerArchive,
  NO_ROOT,
  ociLayout,
  offerOf,
  startArchiveHost,
  type TarFiles,
  tarOf,
} from './archive-fixture.ts';

const LAYER = tarOf({ 'bin/tool': 'tool', etc: undefined });
const OTHER = tarOf({ other: 'other' });
const config = configOf([LAYER]);
const image: ArchiveImage = { config, layers: [LAYER], tags: ['tool:1'] };
const docker = dockerArchive([image]);
const layout = ociLayout([image]);
const layerFile = Object.keys(docker).find((path) => path.endsWith('layer.tar')) ?? '';
const configFile = `${hexOf(config.id)}.json`;
const layerBlob = `blobs/sha256/${hexOf(digestOf(LAYER))}`;
const manifest = (change: Record<string, unknown>) =>
  JSON.stringify([{ Config: configFile, RepoTags: ['tool:1'], Layers: [layerFile], ...change }]);
const without = (files: TarFiles, path: string): TarFiles =>
  Object.fromEntries(Object.entries(files).filter(([name]) => name !== path));

interface Row {
  readonly name: string;
  readonly archive: TarFiles | Uint8Array | readonly (readonly [string, string | Uint8Array | undefined])[];
  readonly code: string;
  readonly message: RegExp;
}

const windows = configOf([LAYER], { os: 'windows' });
const noHistory = configOf([LAYER], { history: [{ created_by: 'a' }, { created_by: 'b' }] });
const stranger = configOf([LAYER], { history: [{ created: '2020-01-01T00:00:00Z', created_by: 'other' }] });

const rows: readonly Row[] = [
  { name: 'no archive', archive: Buffer.from('hello'.repeat(300)), code: 'TAR_INVALID', message: /not a tar archive/ },
  { name: 'nothing', archive: Buffer.of(), code: 'ARCHIVE_KIND', message: /does not contain a manifest.json/ },
  {
    name: 'a root file system',
    archive: { 'bin/sh': 'x' },
    code: 'ARCHIVE_KIND',
    message: /does not contain a manifest.json/,
  },
  {
    name: 'corrupt gzip',
    archive: gzipSync(tarOf(docker)).fill(0, 300, 340),
    code: 'COMPRESSED_INVALID',
    message: /corrupt gzip/,
  },
  {
    name: 'missing config',
    archive: without(docker, configFile),
    code: 'ARCHIVE_INCOMPLETE',
    message: /has no file "[0-9a-f]{64}\.json"/,
  },
  {
    name: 'missing layer',
    archive: without(docker, layerFile),
    code: 'ARCHIVE_INCOMPLETE',
    message: /has no file "[0-9a-f]{64}\/layer\.tar"/,
  },
  {
    name: 'missing blob of a layout',
    archive: without(layout, layerBlob),
    code: 'ARCHIVE_INCOMPLETE',
    message: /has no file "blobs/,
  },
  {
    name: 'another layer',
    archive: { ...docker, [layerFile]: OTHER },
    code: 'LAYER_DIFF_ID',
    message: /invalid diffID for layer 0: expected "sha256:[0-9a-f]{64}", got "sha256:/,
  },
  {
    name: 'another layer under a digest',
    archive: { ...layout, [layerBlob]: OTHER },
    code: 'ARCHIVE_DIGEST',
    message: /has the digest sha256:/,
  },
  {
    name: 'another compressed layer under a digest',
    archive: { ...layout, [layerBlob]: gzipSync(LAYER) },
    code: 'ARCHIVE_DIGEST',
    message: /has the digest sha256:/,
  },
  {
    name: 'another config under a digest',
    archive: { ...docker, [configFile]: configOf([LAYER], { author: 'x' }).bytes },
    code: 'ARCHIVE_DIGEST',
    message: /has the digest sha256:/,
  },
  {
    name: 'a layer that is no tar',
    archive: { ...docker, [layerFile]: 'x'.repeat(2000) },
    code: 'ARCHIVE_LAYER',
    message: /is not a layer: it is no tar/,
  },
  {
    name: 'a layer that is cut off',
    archive: { ...docker, [layerFile]: LAYER.subarray(0, 514) },
    code: 'TAR_INVALID',
    message: /layer ".*layer\.tar" in the archive: .*truncated/,
  },
  {
    name: 'a layer with a path that leads out',
    archive: { ...docker, [layerFile]: tarOf({ '../../escape': 'x' }) },
    code: 'TAR_ENTRY_REFUSED',
    message: /leads outside of the archive/,
  },
  {
    name: 'a layer as config',
    archive: { ...docker, 'manifest.json': manifest({ Config: layerFile }) },
    code: 'ARCHIVE_DOCUMENT',
    message: /no readable document/,
  },
  {
    name: 'a config that is no JSON',
    archive: { ...docker, 'manifest.json': manifest({ Config: 'c' }), c: '{' },
    code: 'CONFIG_INVALID',
    message: /not JSON/,
  },
  {
    name: 'a config of too many steps',
    archive: dockerArchive([{ ...image, config: noHistory }]),
    code: 'CONFIG_INVALID',
    message: /history names 2 layers, rootfs 1/,
  },
  {
    name: 'an image of another system',
    archive: dockerArchive([{ ...image, config: windows }]),
    code: 'ARCHIVE_OS',
    message: /cannot load a windows image on linux/,
  },
  {
    name: 'more layers than the config has',
    archive: { ...docker, 'manifest.json': manifest({ Layers: [layerFile, layerFile] }) },
    code: 'ARCHIVE_LAYERS',
    message: /layers length mismatch: expected 1, got 2/,
  },
  {
    name: 'a manifest that is no JSON',
    archive: { ...docker, 'manifest.json': '[{' },
    code: 'ARCHIVE_DOCUMENT',
    message: /"manifest.json" in the archive is malformed/,
  },
  {
    name: 'a manifest that is null',
    archive: { ...docker, 'manifest.json': 'null' },
    code: 'ARCHIVE_DOCUMENT',
    message: /manifest cannot be null/,
  },
  {
    name: 'a manifest of another shape',
    archive: { ...docker, 'manifest.json': '[{"Config":{}}]' },
    code: 'ARCHIVE_DOCUMENT',
    message: /a text is missing/,
  },
  {
    name: 'a manifest with a list of lists',
    archive: { ...docker, 'manifest.json': '[[]]' },
    code: 'ARCHIVE_DOCUMENT',
    message: /an object is missing/,
  },
  {
    name: 'an absolute path',
    archive: { ...docker, 'manifest.json': manifest({ Config: '/etc/passwd' }) },
    code: 'ARCHIVE_PATH',
    message: /"\/etc\/passwd" leads out of the archive/,
  },
  {
    name: 'a path that leads out',
    archive: { ...docker, 'manifest.json': manifest({ Layers: ['a/../../../etc/passwd'] }) },
    code: 'ARCHIVE_PATH',
    message: /leads out of the archive/,
  },
  {
    name: 'an entry that leads out',
    archive: { ...docker, '../evil': 'x' },
    code: 'ARCHIVE_PATH',
    message: /"\.\.\/evil" leads out/,
  },
  {
    name: 'a link that leads out',
    archive: { ...docker, link: '-> ../../etc/shadow' },
    code: 'ARCHIVE_PATH',
    message: /etc\/shadow" leads out/,
  },
  {
    name: 'an absolute link',
    archive: { ...docker, link: '-> /etc/shadow' },
    code: 'ARCHIVE_PATH',
    message: /"\/etc\/shadow" leads out/,
  },
  {
    name: 'links in a circle',
    archive: { ...docker, a: '-> b', b: '-> a', 'manifest.json': manifest({ Config: 'a' }) },
    code: 'ARCHIVE_LINKS',
    message: /leads in a circle/,
  },
  {
    name: 'a link to nothing',
    archive: { ...docker, a: '-> b', 'manifest.json': manifest({ Config: 'a' }) },
    code: 'ARCHIVE_INCOMPLETE',
    message: /has no file "a"/,
  },
  {
    name: 'two manifests',
    archive: [...Object.entries(docker), ['./manifest.json', '[]']],
    code: 'ARCHIVE_DUPLICATE',
    message: /two files named "manifest.json"/,
  },
  {
    name: 'a name for two images',
    archive: dockerArchive([image, { config: configOf([OTHER]), layers: [OTHER], tags: ['tool:1'] }]),
    code: 'ARCHIVE_NAMES',
    message: /gives the name "tool:1" to two images/,
  },
  {
    name: 'a name without a tag',
    archive: { ...docker, 'manifest.json': manifest({ RepoTags: ['tool'] }) },
    code: 'TAG_INVALID',
    message: /invalid tag "tool"/,
  },
  {
    name: 'a bad name',
    archive: { ...docker, 'manifest.json': manifest({ RepoTags: ['Tool:1'] }) },
    code: 'REFERENCE_INVALID',
    message: /must be lowercase/,
  },
  {
    name: 'the reserved name',
    archive: { ...docker, 'manifest.json': manifest({ RepoTags: ['scratch:latest'] }) },
    code: 'SCRATCH_RESERVED',
    message: /reserved name/,
  },
  {
    name: 'a parent that is none',
    archive: dockerArchive([
      { ...image, parent: stranger.id },
      { config: stranger, layers: [LAYER] },
    ]),
    code: 'ARCHIVE_PARENT',
    message: /is not a valid parent for/,
  },
  {
    name: 'an image that is its own parent',
    archive: dockerArchive([{ ...image, parent: config.id }]),
    code: 'ARCHIVE_PARENT',
    message: /is not a valid parent for/,
  },
  {
    name: 'a digest of another kind',
    archive: { 'oci-layout': '{}', 'index.json': '{"manifests":[{"digest":"sha512:00"}]}' },
    code: 'DIGEST_INVALID',
    message: /invalid digest "sha512:00"/,
  },
  { name: 'an index that contains itself', archive: circle(), code: 'ARCHIVE_DIGEST', message: /has the digest/ },
  {
    name: 'an index without this platform',
    archive: strangeIndex(),
    code: 'ARCHIVE_PLATFORM',
    message: /no image for this platform/,
  },
  {
    name: 'an absurd size',
    archive: withSize(tarOf(docker), 0o77777777777),
    code: 'TAR_INVALID',
    message: /truncated in entry/,
  },
];

function circle(): TarFiles {
  const digest = digestOf('circle');
  const index = JSON.stringify({ mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [{ digest }] });
  return { 'index.json': index, [`blobs/sha256/${hexOf(digest)}`]: index };
}

function strangeIndex(): TarFiles {
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const inner = JSON.stringify({
    mediaType,
    manifests: [{ digest: digestOf('x'), platform: { os: 'linux', architecture: 'mips' } }],
  });
  const digest = digestOf(inner);
  return {
    'index.json': JSON.stringify({ manifests: [{ mediaType, digest }] }),
    [`blobs/sha256/${hexOf(digest)}`]: inner,
  };
}

/** The same with another size in the header of its largest entry. */
function withSize(tar: Buffer, size: number): Buffer {
  const at = tar.indexOf('layer.tar') & ~511;
  tar.write(`${size.toString(8).padStart(11, '0')}\0`, at + 124, 'latin1');
  tar.fill(' ', at + 148, at + 156);
  const sum = tar.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
  return tar;
}

for (const { name, archive, code, message } of rows)
  test(`refuses ${name}`, { skip: NO_ROOT }, async () => {
    await using host = await startArchiveHost();
    const bytes = archive instanceof Uint8Array ? archive : tarOf(archive);
    for (const way of ['load', 'loadFile'] as const)
      await assert.rejects(host[way](Buffer.from(bytes)), (error) => {
        assert.ok(error instanceof Failure, `${error instanceof Error ? error.stack : error}`);
        assert.equal(error.code, code, `${way}: ${error.message}`);
        assert.match(error.message, message);
        return true;
      });
    await expectNothing(host);
  });

test('refuses an archive that is cut off at any block', { skip: NO_ROOT }, async () => {
  for (const archive of [tarOf(docker), tarOf(layout)]) {
    await using host = await startArchiveHost();
    // The last two blocks are the mark of the end, which is not needed.
    for (let end = 512; end < archive.length - 1024; end += 512) {
      await assert.rejects(host.load(archive.subarray(0, end)), Failure, `cut off at ${end}`);
      await assert.rejects(host.load(archive.subarray(0, end - 100)), Failure, `cut off at ${end - 100}`);
      await assert.rejects(host.loadFile(archive.subarray(0, end)), Failure, `a file that is cut off at ${end}`);
    }
    await expectNothing(host);
    await host.loadFile(archive);
    await host.load(archive);
  }
});

test('a layer in a file that ends in the middle of it', { skip: NO_ROOT }, async () => {
  await using host = await startArchiveHost();
  const large = tarOf({ large: Buffer.alloc(3 << 20, 'large') });
  const archive = tarOf(dockerArchive([{ config: configOf([large]), layers: [large] }]));
  for (const length of [1 << 20, 2 << 20, archive.length - 4096])
    await assert.rejects(host.loadFile(archive.subarray(0, length)), (error) => {
      assert.ok(error instanceof Failure);
      assert.match(error.message, /truncated in entry "[0-9a-f]{64}\/layer.tar"/);
      return true;
    });
  await expectNothing(host);
  await host.loadFile(archive);
});

const offers: readonly [what: string, offer: (folder: string) => FileOffer, why: RegExp][] = [
  ['a file that is not there', (folder) => ({ ...offerOf(folder), path: join(folder, 'none') }), /ENOENT/],
  [
    'another file',
    (folder) => {
      writeFileSync(join(folder, 'other'), 'x');
      return { ...offerOf(join(folder, 'other')), inode: '1' };
    },
    /another one/,
  ],
  ['a folder', offerOf, /another one|EISDIR/],
  ['a device', () => offerOf('/dev/zero'), /another one/],
  [
    'a pipe',
    (folder) => {
      execFileSync('mkfifo', [join(folder, 'pipe')]);
      return offerOf(join(folder, 'pipe'));
    },
    /another one|ENXIO/,
  ],
  [
    'a link to the file',
    (folder) => {
      writeFileSync(join(folder, 'file'), '');
      symlinkSync('file', join(folder, 'link'));
      return { ...offerOf(join(folder, 'file')), path: join(folder, 'link') };
    },
    /ELOOP/,
  ],
];
for (const [what, offer, why] of offers)
  test(`refuses the offer of ${what}`, { skip: NO_ROOT }, async () => {
    await using host = await startArchiveHost();
    await using folder = makeScratchFolder(host.store.root, 'offer');
    await host.load(tarOf(docker));
    const refused = (error: unknown) =>
      error instanceof Failure && error.code === 'FILE_NOT_VISIBLE' && why.test(error.message);
    const offered = offer(folder.path);
    const { signal } = new AbortController();
    const source = { kind: 'file', offer: offered } as const;
    await assert.rejects(host.archives.load({ source, quiet: true, emit: async () => {}, signal }), refused);
    await assert.rejects(host.archives.saveTo(offered, ['tool:1'], { signal }), refused);
  });

test('saves into an offered file, but never over bytes', { skip: NO_ROOT }, async () => {
  await using host = await startArchiveHost();
  await using folder = makeScratchFolder(host.store.root, 'offer');
  await host.load(tarOf(docker));
  assert.deepEqual(await host.saveFile('tool:1'), await host.save('tool:1'));
  const full = join(folder.path, 'full');
  writeFileSync(full, 'precious');
  const { signal } = new AbortController();
  await assert.rejects(host.archives.saveTo(offerOf(full), ['tool:1'], { signal }), { code: 'FILE_NOT_VISIBLE' });
  assert.equal(readFileSync(full, 'utf8'), 'precious');
});

test('a bad image keeps the good ones of the archive out, and the old ones whole', { skip: NO_ROOT }, async () => {
  await using host = await startArchiveHost();
  await host.load(tarOf(docker));
  const good = configOf([OTHER]);
  const bad = configOf([OTHER, LAYER]);
  const archive = dockerArchive([
    { config: good, layers: [OTHER], tags: ['tool:1', 'good:1'] },
    { config: bad, layers: [OTHER, OTHER], tags: ['bad:1'] },
  ]);
  await assert.rejects(host.load(tarOf(archive)), Failure);
  assert.equal(host.store.images.resolve('tool:1').id, config.id);
  assert.deepEqual(
    host.store.images.list().map(({ id }) => id),
    [config.id],
  );
  assert.equal(host.store.layers.list().length, 1);
  assert.deepEqual(await host.problems(), []);
});

test('files that no image needs are passed over', { skip: NO_ROOT }, async () => {
  await using host = await startArchiveHost();
  await host.load(
    tarOf({
      ...docker,
      'README.md': 'read me',
      'extra/layer.tar': OTHER,
      'broken.tar.gz': gzipSync(LAYER).subarray(0, 60),
      'large.bin': Buffer.alloc(9 << 20, 'x'),
    }),
  );
  assert.equal(host.store.images.list().length, 1);
  assert.equal(host.store.layers.list().length, 1, 'the extra layer was collected');
  assert.deepEqual(await host.problems(), []);
});

async function expectNothing(host: ArchiveHost): Promise<void> {
  assert.deepEqual(host.store.images.list(), []);
  assert.deepEqual(host.store.layers.list(), []);
  assert.deepEqual(await host.problems(), []);
}
