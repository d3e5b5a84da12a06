/** The build cache of one host used by another: in a folder, in an image, in a registry. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startRegistry } from './docker-registry.ts';
import { makeContext, run, startTwoHosts, type TestHost } from './harness.ts';

let host: TestHost;
let other: TestHost;

before(async () => {
  [host, other] = await startTwoHosts();
});
after(async () => {
  await host[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

const fresh = () => mkdtempSync(join(host.folder, 'out-'));

/** Steps that give something else each time they run. */
const contextOf = (mark: string) =>
  makeContext(host.folder, {
    Dockerfile: [
      'FROM busybox AS tool',
      `RUN cat /proc/sys/kernel/random/uuid > /tool && echo ${mark} > /mark`,
      'FROM busybox',
      'COPY file /data/',
      `RUN cat /proc/sys/kernel/random/uuid > /own && echo ${mark} > /mark`,
      'RUN true',
      'WORKDIR /srv',
      'COPY --from=tool /mark /got',
      'CMD ["true"]',
    ].join('\n'),
    file: mark,
  });

const layersOf = (on: TestHost, image: string) => on.inspect(image, '{{json .RootFS.Layers}}');

test('a folder with the whole cache: nothing runs again', async () => {
  const [context, folder] = [contextOf('max'), fresh()];
  await host.ok(['build', '-t', 'max', '--cache-to', `type=local,dest=${folder},mode=max`, context]);
  const said = await other.ok(['build', '-t', 'max', '--cache-from', `type=local,src=${folder}`, context]);
  assert.equal(await layersOf(other, 'max'), await layersOf(host, 'max'));
  assert.equal(said.match(/Running in/g), null, said);
  assert.equal(said.match(/Using cache/g)?.length, 6, said);
});

test('a folder with the cache of the result alone: what was only copied from runs again', async () => {
  const [context, folder] = [contextOf('min'), fresh()];
  await host.ok(['build', '-t', 'min', '--cache-to', `type=local,dest=${folder}`, context]);
  const said = await other.ok(['build', '-t', 'min', '--cache-from', `type=local,src=${folder}`, context]);
  assert.equal(said.match(/Running in/g)?.length, 1, said);
  assert.equal(await layersOf(other, 'min'), await layersOf(host, 'min'));
});

test('the folder is an OCI layout, and has what the last build gave it', async () => {
  const folder = join(fresh(), 'new');
  const build = async (mark: string) => {
    await host.ok(['build', '-q', '--cache-to', `type=local,dest=${folder},mode=max`, contextOf(mark)]);
    return readdirSync(join(folder, 'blobs/sha256')).sort();
  };
  const first = await build('one');
  assert.deepEqual(readdirSync(folder).sort(), ['blobs', 'index.json', 'oci-layout']);
  assert.deepEqual(await build('one'), first);
  const second = await build('two');
  assert.notDeepEqual(second, first);
  assert.equal(second.length, first.length, 'blobs that nothing names any more are gone');
  const sums = await run('sh', ['-c', `cd ${folder}/blobs/sha256 && sha256sum *`]);
  for (const line of sums.stdout.trim().split('\n')) assert.equal(line.slice(0, 64), line.slice(66));
  const raw = await run('skopeo', ['inspect', '--raw', `oci:${folder}`]);
  assert.match(raw.stdout, /vnd\.strake\.cache\.config/);
});

test('a cache inside the image', async () => {
  const context = contextOf('inline');
  await host.ok(['build', '-t', 'app', '--cache-to', 'type=inline', context]);
  const warm = await host.ok(['build', '-t', 'again', '--cache-to', 'type=inline', context]);
  assert.equal(warm.match(/Running in/g), null);
  assert.equal(await host.inspect('again', '{{.Id}}'), await host.inspect('app', '{{.Id}}'));
  const tar = join(fresh(), 'app.tar');
  await host.ok(['save', '-o', tar, 'app']);
  await other.ok(['load', '-i', tar]);
  const said = await other.ok(['build', '-t', 'mine', '--cache-from', 'app', context]);
  assert.equal(said.match(/Running in/g)?.length, 1, said);
  assert.equal(await layersOf(other, 'mine'), await layersOf(host, 'app'));
});

test('a cache in a registry that asks who it is, under a name of its own', async () => {
  await using registry = await startRegistry(host.folder, { users: true });
  const [context, name] = [contextOf('registry'), `${registry.host}/team/cache:main`];
  const env = { DOCKER_CONFIG: fresh() };
  await host.ok(['login', '-u', 'me', '--password-stdin', registry.host], { env, input: 'secret' });
  await host.ok(['build', '-t', 'pushed', '--cache-to', `type=registry,ref=${name},mode=max`, context], { env });
  const said = await other.ok(['build', '-t', 'pushed', '--cache-from', `type=registry,ref=${name}`, context], { env });
  assert.equal(said.match(/Running in/g), null, said);
  assert.equal(await layersOf(other, 'pushed'), await layersOf(host, 'pushed'));
  const { code, stderr } = await host.strake(['build', '--cache-to', `type=registry,ref=${name}`, context]);
  assert.equal(code, 1);
  assert.match(stderr, /no basic auth credentials/);
});

test('a cache inside an image of a registry', async () => {
  await using registry = await startRegistry(host.folder);
  const [context, name] = [contextOf('pulled'), `${registry.host}/team/app:1`];
  await host.ok(['build', '-t', name, '--cache-to', 'type=inline', context]);
  await host.ok(['push', name]);
  const said = await other.ok(['build', '-t', 'pulled', '--cache-from', name, context]);
  assert.equal(said.match(/Running in/g)?.length, 1, said);
  assert.equal(await layersOf(other, 'pulled'), await layersOf(host, name));
});

test('a changed step misses, those before it do not', async () => {
  const [context, folder] = [contextOf('changed'), fresh()];
  await host.ok(['build', '-q', '--cache-to', `type=local,dest=${folder}`, context]);
  const file = join(context, 'Dockerfile');
  writeFileSync(file, readFileSync(file, 'utf8').replace('RUN true', 'RUN true && true'));
  const said = await other.ok(['build', '--target', '1', '--cache-from', `type=local,src=${folder}`, context]);
  assert.deepEqual(said.match(/Running in|Using cache/g)?.slice(0, 4), [
    'Running in',
    'Using cache',
    'Using cache',
    'Running in',
  ]);
});

test('images without a cache, and folders without one, are said and passed over', async () => {
  const [context, folder] = [contextOf('none'), fresh()];
  const flags = ['--cache-from', 'busybox', '--cache-from', `type=local,src=${folder}`];
  const { code, stdout, stderr } = await other.strake(['build', ...flags, context]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /cache-from busybox is passed over: the image holds no build cache/);
  assert.match(stderr, /there is no build cache, it is passed over/);
});

/** Changes a cache folder; `of` gives the path of the document. */
const spoiled: readonly (readonly [string, (folder: string, document: string) => void, RegExp])[] = [
  [
    'a layer of other content',
    (folder, document) => {
      const records: { records: { layer?: string }[] } = JSON.parse(readFileSync(document, 'utf8'));
      const layer = records.records.find((record) => record.layer !== undefined)?.layer ?? '';
      const path = join(folder, 'blobs/sha256', layer.slice(7));
      const bytes = readFileSync(path);
      bytes[520] = (bytes[520] ?? 0) ^ 1;
      writeFileSync(path, bytes);
    },
    /wrong diff id|checksum|damaged/,
  ],
  [
    'a key that is not that of its components',
    (_, document) =>
      writeFileSync(document, readFileSync(document, 'utf8').replaceAll('"name":"path"', '"name":"paths"')),
    /the key is not that of its components/,
  ],
  [
    'a result of another key',
    (_, document) =>
      writeFileSync(
        document,
        readFileSync(document, 'utf8').replace(/"result":"sha256:.{64}/g, `"result":"sha256:${'0'.repeat(64)}`),
      ),
    /the result does not belong to the key/,
  ],
  ['a document that is none', (_, document) => writeFileSync(document, '{"version":2}'), /version 2, expected 1/],
  [
    'an index that leads out',
    (folder) => writeFileSync(join(folder, 'index.json'), '{"manifests":[{"digest":"sha256:../../x"}]}'),
    /no build cache: invalid digest/,
  ],
];
test('a cache that is not sound is refused whole', async () => {
  const [context, folder] = [contextOf('spoiled'), fresh()];
  await host.ok(['build', '-q', '--cache-to', `type=local,dest=${folder},mode=max`, context]);
  for (const [name, spoil, message] of spoiled) {
    const copy = join(fresh(), 'copy');
    cpSync(folder, copy, { recursive: true });
    const index: { manifests: { digest: string }[] } = JSON.parse(readFileSync(join(copy, 'index.json'), 'utf8'));
    const blob = (digest = '') => join(copy, 'blobs/sha256', digest.slice(7));
    const manifest: { config: { digest: string } } = JSON.parse(readFileSync(blob(index.manifests[0]?.digest), 'utf8'));
    spoil(copy, blob(manifest.config.digest));
    const { code, stderr } = await other.strake(['build', '--cache-from', `type=local,src=${copy}`, context]);
    assert.notEqual(code, 0, name);
    assert.match(stderr, message, name);
  }
  const said = await other.ok(['build', context]);
  assert.equal(said.match(/Running in/g)?.length, 3, 'nothing of them was kept');
});

test('a folder with other files is not written to', async () => {
  const folder = fresh();
  writeFileSync(join(folder, 'mine'), '');
  const { code, stderr } = await host.strake(['build', '--cache-to', `type=local,dest=${folder}`, contextOf('x')]);
  assert.notEqual(code, 0);
  assert.match(stderr, /the folder has other files and no build cache/);
  assert.ok(!existsSync(join(folder, 'blobs')));
});
