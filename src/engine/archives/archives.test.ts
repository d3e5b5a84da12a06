import assert from 'node:assert/strict';
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { Failure } from '../../lib/error.ts';
import { digestOf, hexOf } from '../../oci/digest.ts';
import { parseReference } from '../../oci/reference.ts';
import { bytesOfStream } from './archive-bytes.ts';
import { configOf, dockerArchive, NO_ROOT, ociLayout, startArchiveHost, tarOf } from './archive-fixture.ts';
import { ArchiveReader } from './archive-reader.ts';

const BASE = tarOf({ etc: undefined, 'etc/os-release': 'Test\n', 'bin/sh': Buffer.alloc(300_000, 7) });
const TOP = tarOf({ 'app/file': 'hello', 'app/link': '-> file' });
const EMPTY = Buffer.alloc(1024);
const base = configOf([BASE]);
const app = configOf([BASE, TOP, BASE, EMPTY], { config: { Cmd: ['/bin/sh'] } });
const IMAGES = [
  { config: base, layers: [BASE], tags: ['base:1'] },
  { config: app, layers: [BASE, TOP, BASE, EMPTY], tags: ['app:1', 'localhost:5000/team/app:2'] },
];

const unnamed = `Loaded image ID: ${app.id}\n`;
const named = ['Loaded image: app:1\n', 'Loaded image: localhost:5000/team/app:2\n'];
const both = ['Loaded image: base:1\n', ...named];
const whole = { 'io.containerd.image.name': 'docker.io/library/app:1', 'org.opencontainers.image.ref.name': '1' };
const oneImage = [{ config: app, layers: [BASE, TOP, BASE, EMPTY], annotations: whole }];

const forms: readonly (readonly [string, Uint8Array, readonly string[]])[] = [
  ['docker archive of folders', tarOf(dockerArchive(IMAGES)), both],
  ['the same, documents first', tarOf(Object.entries(dockerArchive(IMAGES)).reverse()), both],
  ['the same, compressed as a whole', gzipSync(tarOf(dockerArchive(IMAGES))), both],
  [
    'docker archive of compressed layers',
    tarOf(
      Object.entries(dockerArchive(IMAGES)).map(([path, content]) => [
        path,
        path.endsWith('layer.tar') ? gzipSync(content) : content,
      ]),
    ),
    both,
  ],
  [
    'docker archive without names',
    tarOf(dockerArchive([{ config: app, layers: [BASE, TOP, BASE, EMPTY] }])),
    [unnamed],
  ],
  ['OCI layout', tarOf(ociLayout(oneImage)), ['Loaded image: app:1\n']],
  ['OCI layout, gzip', tarOf(ociLayout(oneImage, gzipSync)), ['Loaded image: app:1\n']],
  ['OCI layout, zstd', tarOf(ociLayout(oneImage, (layer) => zstdCompressSync(layer))), ['Loaded image: app:1\n']],
  [
    'OCI layout with the name of skopeo',
    tarOf(
      ociLayout([
        { ...IMAGES[1], ...oneImage[0], annotations: { 'org.opencontainers.image.ref.name': 'app:9' } },
      ] as never),
    ),
    ['Loaded image: app:9\n'],
  ],
  [
    'OCI layout with a tag only',
    tarOf(ociLayout([{ ...oneImage[0], annotations: { 'org.opencontainers.image.ref.name': 'latest' } }] as never)),
    [unnamed],
  ],
  [
    'names with ./ before them',
    tarOf(Object.entries(dockerArchive(IMAGES)).map(([path, content]) => [`./${path}`, content])),
    both,
  ],
];

for (const [name, archive, lines] of forms)
  for (const way of ['load', 'loadFile'] as const)
    test(`${way}: ${name}`, { skip: NO_ROOT }, async () => {
      await using host = await startArchiveHost();
      assert.deepEqual(await host[way](Buffer.from(archive)), lines);
      assert.deepEqual(host.store.images.demand(app.id).bytes, app.bytes);
      assert.deepEqual(await host.problems(), []);
      assert.equal(host.store.layers.list().length, 3);
      assert.deepEqual(readdirSync(host.store.scratch), []);
      // again: nothing changes
      assert.deepEqual(await host[way](Buffer.from(archive)), lines);
      assert.equal(host.store.layers.list().length, 3);
      assert.equal(host.store.layers.duplicates().length, 0);
    });

test('what is saved is loaded again, whatever form it came in, and saved with the same bytes', {
  skip: NO_ROOT,
}, async () => {
  await using first = await startArchiveHost();
  await first.load(tarOf(dockerArchive(IMAGES)));
  const saved = await first.save('base', 'app', 'localhost:5000/team/app');
  assert.deepEqual(saved, await first.save('base:1', 'app:1', 'localhost:5000/team/app:2'));
  assert.equal(saved.length < 2 * BASE.length, true, 'a layer that two images share is stored once');

  await using second = await startArchiveHost();
  assert.deepEqual(await second.load(saved), both);
  assert.deepEqual(saved, await second.save('base', 'app', 'localhost:5000/team/app'));
  assert.deepEqual(
    second.events.map(({ action, id }) => [action, id]),
    [
      ['load', base.id],
      ['load', app.id],
      ['save', base.id],
      ['save', app.id],
    ],
  );
});

test('a saved archive has every form: OCI layout, manifest.json, a folder per layer', { skip: NO_ROOT }, async () => {
  await using host = await startArchiveHost();
  await host.load(tarOf(dockerArchive(IMAGES)));
  const files = await filesOf(await host.save('app'));
  const json = (path: string) => JSON.parse(files.get(path)?.toString() ?? 'null');
  assert.deepEqual([...files.keys()].slice(0, 4), ['oci-layout', 'index.json', 'manifest.json', 'repositories']);
  const [manifest] = json('manifest.json');
  assert.deepEqual(manifest.RepoTags, ['app:1']);
  assert.equal(manifest.Config, `blobs/sha256/${hexOf(app.id)}`);
  assert.deepEqual(files.get(manifest.Config), app.bytes);
  for (const [index, layer] of [BASE, TOP, BASE, EMPTY].entries()) {
    assert.equal(manifest.Layers[index], `blobs/sha256/${hexOf(digestOf(layer))}`);
    assert.deepEqual(files.get(manifest.Layers[index]), layer);
    assert.equal(manifest.LayerSources[digestOf(layer)].size, layer.length);
  }
  const [descriptor] = json('index.json').manifests;
  assert.deepEqual(descriptor.annotations, whole);
  const bytes = files.get(`blobs/sha256/${descriptor.digest.slice(7)}`) ?? Buffer.of();
  assert.equal(digestOf(bytes), descriptor.digest);
  assert.equal(JSON.parse(bytes.toString()).config.digest, app.id);

  // from the top down, as a reader from before manifest.json goes
  const layers: string[] = [];
  for (let id = json('repositories').app['1']; id !== undefined; id = json(`${id}/json`).parent) {
    assert.equal(files.get(`${id}/VERSION`)?.toString(), '1.0');
    layers.unshift(files.get(`${id}/layer.tar`)?.toString() ?? '');
  }
  assert.deepEqual(
    layers,
    manifest.Layers.map((path: string) => `-> ../${path}`),
  );
  assert.deepEqual(json(`${json('repositories').app['1']}/json`).config, { Cmd: ['/bin/sh'] });
});

test('save: what names mean', { skip: NO_ROOT }, async () => {
  await using host = await startArchiveHost();
  await host.load(tarOf(dockerArchive(IMAGES)));
  host.store.images.names.tag(parseReference('app:latest'), base.id);
  const tagsIn = async (...names: string[]) => {
    const files = await filesOf(await host.save(...names));
    return JSON.parse(files.get('manifest.json')?.toString() ?? '').map((one: { RepoTags: unknown }) => one.RepoTags);
  };
  const rows: readonly (readonly [readonly string[], readonly unknown[]])[] = [
    [['app'], [['app:1'], ['app:latest']]],
    [['app:latest'], [['app:latest']]],
    [
      ['docker.io/library/app:1', 'app:1', 'base:1'],
      [['app:1'], ['base:1']],
    ],
    [[app.id], [null]],
    [[hexOf(app.id)], [null]],
    [[hexOf(app.id).slice(0, 12)], [null]],
    [[`sha256:${hexOf(app.id).slice(0, 12)}`], [null]],
    [[hexOf(app.id), 'app:1'], [['app:1']]],
  ];
  for (const [names, tags] of rows) assert.deepEqual(await tagsIn(...names), tags, names.join(' '));
  for (const name of ['nothing', 'app:nothing', `nothing@${base.id}`, digestOf('x')])
    await assert.rejects(
      host.save('base', name),
      (error) => failed(error, 'IMAGE_NOT_FOUND', /^No such image: /),
      name,
    );
  await assert.rejects(host.save('No/Name'), (error) => failed(error, 'REFERENCE_INVALID', /lowercase/));
});

test('parents are saved and restored', { skip: NO_ROOT }, async () => {
  const history = [{ created: '2026-01-02T03:04:05Z', created_by: 'step 0' }];
  const child = configOf([BASE], { history: [...history, { created: '2026-01-02T03:04:06Z', empty_layer: true }] });
  await using host = await startArchiveHost();
  await host.load(
    tarOf(
      dockerArchive([
        { config: child, layers: [BASE], parent: base.id },
        { config: base, layers: [BASE] },
      ]),
    ),
  );
  assert.equal(host.store.images.demand(child.id).parent, base.id);
  await using other = await startArchiveHost();
  await other.load(await host.save(child.id, base.id));
  assert.equal(other.store.images.demand(child.id).parent, base.id);
  await using alone = await startArchiveHost();
  await alone.load(await host.save(child.id));
  assert.equal(alone.store.images.demand(child.id).parent, undefined);
});

test('a name moves to the loaded image, and the answer says so', { skip: NO_ROOT }, async () => {
  await using host = await startArchiveHost();
  await host.load(tarOf(dockerArchive([{ config: base, layers: [BASE], tags: ['app:1'] }])));
  const lines = await host.load(tarOf(dockerArchive(IMAGES)));
  assert.equal(lines[1], `The image app:1 already exists, renaming the old one with ID ${base.id} to empty string\n`);
  assert.equal(host.store.images.resolve('app:1').id, app.id);
});

test('a layer that changed on disk breaks the saving', { skip: NO_ROOT }, async () => {
  const changes: readonly (readonly [string, (tree: string) => void])[] = [
    ['other bytes', (tree) => writeFileSync(join(tree, 'etc/os-release'), 'test\n')],
    ['fewer bytes', (tree) => writeFileSync(join(tree, 'etc/os-release'), 'T')],
  ];
  for (const [name, change] of changes) {
    await using host = await startArchiveHost();
    await host.load(tarOf(dockerArchive([{ config: base, layers: [BASE], tags: ['b:1'] }])));
    const layer = host.store.layers.list()[0];
    assert.ok(layer);
    const tree = join(host.store.layers.folder(layer.id), 'diff');
    chmodSync(join(tree, 'etc/os-release'), 0o644);
    change(tree);
    await assert.rejects(host.save('b:1'), (error) => error instanceof Failure && error.kind === 'data-loss', name);
  }
});

test('saving keeps the layers from collection until the stream is closed', { skip: NO_ROOT }, async () => {
  await using host = await startArchiveHost();
  await host.load(tarOf(dockerArchive(IMAGES)));
  const signal = new AbortController().signal;
  const stream = await host.archives.save(['base:1'], { signal });
  const [layer] = host.store.layers.chain(base.config.rootfs.diff_ids);
  assert.ok(layer);
  assert.equal(host.store.leases.isLayerHeld(layer.id, layer.diffId), true);
  stream.destroy();
  await new Promise((resolve) => stream.once('close', resolve));
  assert.equal(host.store.leases.isLayerHeld(layer.id, layer.diffId), false);
});

test('a load whose client has gone leaves nothing, and does not wait for more', { skip: NO_ROOT }, async () => {
  await using host = await startArchiveHost();
  const stop = new AbortController();
  const body = new Readable({ read: () => {} });
  body.push(tarOf(dockerArchive(IMAGES)).subarray(0, 200_000));
  const loading = host.archives.load({
    source: { kind: 'tar', body },
    quiet: true,
    emit: async () => {},
    signal: stop.signal,
  });
  setTimeout(() => stop.abort(new Failure('cancelled', 'CLIENT_GONE', 'gone')), 100);
  await assert.rejects(loading, (error) => failed(error, 'CLIENT_GONE', /gone/));
  assert.equal(body.destroyed, true);
  assert.deepEqual(host.store.images.list(), []);
  assert.deepEqual(host.store.layers.list(), []);
  assert.deepEqual(await host.problems(), []);
});

/** The files of a tar; links as `-> target`. */
async function filesOf(tar: Buffer): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const copy = Readable.from([Buffer.from(tar)]); // reading frees the memory
  const reader = new ArchiveReader(bytesOfStream(copy, new AbortController().signal));
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    if (entry.type === 'directory') continue;
    const bytes: Buffer[] = [];
    for await (const chunk of reader.content()) bytes.push(Buffer.from(chunk));
    files.set(entry.path, entry.type === 'symlink' ? Buffer.from(`-> ${entry.linkTarget}`) : Buffer.concat(bytes));
  }
  return files;
}

function failed(error: unknown, code: string, message: RegExp): true {
  assert.ok(error instanceof Failure, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  return true;
}
