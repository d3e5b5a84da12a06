/** Archives that are damaged or made to do harm: a clear error, nothing visible, nothing left. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Failure } from '../../lib/error.ts';
import { digestOf, hexOf } from '../../oci/digest.ts';
import {
  type ArchiveHost,
  type ArchiveImage,
  configOf,
  dockerArchive,
  NO_ROOT,
  ociLayout,
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
    await assert.rejects(host.load(archive instanceof Uint8Array ? archive : tarOf(archive)), (error) => {
      assert.ok(error instanceof Failure, `${error instanceof Error ? error.stack : error}`);
      assert.equal(error.code, code, error.message);
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
    }
    await expectNothing(host);
    await host.load(archive);
  }
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
