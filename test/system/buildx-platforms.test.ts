/** Builds of buildx for several platforms at once: as an index in a registry, in the store, in an OCI layout, as files. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { hostPlatform } from '../../src/oci/platform.ts';
import { importBusybox, makeContext, type Result, run, startHost, type TestHost } from './harness.ts';
import { NEWER_DOCKER, pluginConfig, withoutNewerClients } from './newer-clients.ts';
import { type StrakeRegistry, startStrakeRegistry } from './strake-registry.ts';

let host: TestHost;
let registry: StrakeRegistry;
let env: Record<string, string>;

const own = hostPlatform().architecture;
const foreign = own === 'arm64' ? 'amd64' : 'arm64';
const both = ['--platform', `linux/${own},linux/${foreign}`];

before(async () => {
  if (withoutNewerClients) return;
  host = await startHost();
  await importBusybox(host);
  registry = await startStrakeRegistry(host.folder);
  env = { DOCKER_HOST: `unix://${host.socket}`, DOCKER_CONFIG: pluginConfig(host.folder), DOCKER_BUILDKIT: '1' };
});
after(async () => {
  await registry?.[Symbol.asyncDispose]();
  await host?.[Symbol.asyncDispose]();
});

const docker = (args: readonly string[]): Promise<Result> => run(NEWER_DOCKER, args, { env, timeout: 60_000 });

async function ok(args: readonly string[]): Promise<string> {
  const result = await docker(args);
  assert.equal(result.code, 0, `docker ${args.join(' ')}\n${result.stdout}\n${result.stderr}`);
  return result.stdout + result.stderr;
}

const build = (context: string, ...args: readonly string[]) =>
  ok(['buildx', 'build', '--progress=plain', ...both, ...args, context]);

/** One stage that runs here and makes something for each platform. */
const CROSS = [
  'FROM --platform=$BUILDPLATFORM busybox AS make',
  'ARG TARGETARCH',
  'RUN echo "made for $TARGETARCH on $(uname -s)" >/made',
  'FROM scratch',
  'ARG TARGETPLATFORM',
  'LABEL for=$TARGETPLATFORM',
  'COPY --from=make /made /made',
].join('\n');

const options = { skip: withoutNewerClients };

test('an index is pushed, and each platform pulls and builds on what is its own', options, async () => {
  const name = `${registry.host}/cross`;
  const context = makeContext(host.folder, { Dockerfile: CROSS });
  const said = await build(context, '-t', name, '--push');
  for (const architecture of [own, foreign]) assert.match(said, new RegExp(`\\[linux/${architecture} make 2/2\\] RUN`));
  assert.equal((await ok(['images', '-q', name])).trim().split('\n').length, 1);
  assert.doesNotMatch(await ok(['images']), /<none>/);
  const listed = await ok(['buildx', 'imagetools', 'inspect', name]);
  const platforms = [...listed.matchAll(/Platform: +(\S+)/g)].map(([, platform]) => platform);
  assert.deepEqual(platforms, [`linux/${own}`, `linux/${foreign}`]);
  assert.equal(await host.inspect(name, '{{.Architecture}} {{index .Config.Labels "for"}}'), `${own} linux/${own}`);

  await ok(['rmi', name]);
  await ok(['buildx', 'prune', '-af']);
  assert.deepEqual((await ok(['images', '-aq'])).trim().split('\n').length, 1, 'only busybox is left');
  const onIt = makeContext(host.folder, {
    Dockerfile: `FROM ${name}\nARG TARGETARCH\nCOPY own /own-$TARGETARCH\n`,
    own: '',
  });
  const files = join(host.folder, 'files');
  await build(onIt, '--output', files);
  for (const architecture of [own, foreign]) {
    const folder = join(files, `linux_${architecture}`);
    assert.equal(readFileSync(join(folder, 'made'), 'utf8'), `made for ${architecture} on Linux\n`);
    assert.ok(existsSync(join(folder, `own-${architecture}`)));
  }
  assert.equal(await host.inspect(name, '{{.Architecture}}'), own, 'the tag stays with the image for this machine');
  await ok(['rmi', name]);
});

test('an index as an OCI layout, whose image for this machine can be loaded', options, async () => {
  const context = makeContext(host.folder, { Dockerfile: CROSS });
  const file = join(host.folder, 'index.tar');
  const metadata = join(host.folder, 'index-metadata');
  await build(context, '-t', 'laid:1', '--output', `type=oci,dest=${file}`, '--metadata-file', metadata);
  const layout = join(host.folder, 'index');
  mkdirSync(layout);
  await run('tar', ['-xf', file, '-C', layout]);
  const blob = (digest: string) => JSON.parse(readFileSync(join(layout, 'blobs', digest.replace(':', '/')), 'utf8'));
  const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
  assert.equal(manifests.length, 1);
  assert.equal(manifests[0].annotations['org.opencontainers.image.ref.name'], '1');
  const told = JSON.parse(readFileSync(metadata, 'utf8'));
  const { annotations: _, ...descriptor } = manifests[0];
  assert.deepEqual([told['containerimage.descriptor'], told['containerimage.digest']], [descriptor, descriptor.digest]);
  const index = blob(manifests[0].digest);
  assert.deepEqual(
    index.manifests.map((entry: { platform: unknown; digest: string }) => [
      entry.platform,
      blob(blob(entry.digest).config.digest).architecture,
    ]),
    [own, foreign].map((architecture) => [{ os: 'linux', architecture }, architecture]),
  );
  assert.equal(readdirSync(join(layout, 'blobs/sha256')).length, 7); // the index, two each of manifest, config and layer
  await ok(['load', '-i', file]);
  assert.equal(await host.inspect('laid:1', '{{.Architecture}}'), own);
  await ok(['rmi', 'laid:1']);
});

test('bake: a target for several platforms is the base of another, each of its own platform', options, async () => {
  const platforms = [`linux/${own}`, `linux/${foreign}`];
  const targets = {
    base: { platforms, 'dockerfile-inline': CROSS },
    default: { platforms, contexts: { base: 'target:base' }, 'dockerfile-inline': 'FROM base\nCOPY mine /mine\n' },
  };
  const context = makeContext(host.folder, { 'bake.json': JSON.stringify({ target: targets }), mine: '' });
  const files = join(host.folder, 'baked');
  const set = [
    '--set',
    `*.context=${context}`,
    '--set',
    `default.output=${files}`,
    '--set',
    'base.output=type=cacheonly',
  ];
  await ok(['buildx', 'bake', '-f', join(context, 'bake.json'), '--progress=plain', ...set]);
  for (const architecture of [own, foreign]) {
    const folder = join(files, `linux_${architecture}`);
    assert.deepEqual(readdirSync(folder).sort(), ['made', 'mine']);
    assert.equal(readFileSync(join(folder, 'made'), 'utf8'), `made for ${architecture} on Linux\n`);
  }
});

test('RUN of a program of another processor fails with the words of the kernel', options, async () => {
  const context = makeContext(host.folder, {
    Dockerfile: `FROM scratch\nCOPY program /program\nRUN ["/program"]\n`,
    // A program of another processor: the head of an ELF file is all that the kernel looks at.
    program: foreignProgram(),
  });
  const { code, stderr } = await docker([
    'buildx',
    'build',
    '--progress=plain',
    '--platform',
    `linux/${foreign}`,
    context,
  ]);
  assert.equal(code, 1);
  assert.match(stderr, /exec format error/i);
});

test('a tag that is built anew for one platform is no index any more', options, async () => {
  const name = `${registry.host}/again`;
  const context = makeContext(host.folder, { Dockerfile: CROSS });
  await build(context, '-t', name);
  await ok(['push', name]);
  assert.match(await ok(['buildx', 'imagetools', 'inspect', name]), new RegExp(`linux/${foreign}`));
  await ok(['buildx', 'build', '-t', name, '--label', 'again=yes', context]);
  await ok(['push', name]);
  assert.doesNotMatch(await ok(['buildx', 'imagetools', 'inspect', name]), /Platform/);
  await ok(['rmi', name]);
});

test(
  'a provenance, annotations and compression of an index go to the registry, with any push of its tag',
  options,
  async () => {
    const name = `${registry.host}/stated`;
    const context = makeContext(host.folder, { Dockerfile: CROSS });
    const annotations = ['--annotation', 'manifest:k=v', '--annotation', 'index:i=w'];
    const form = ['--output', `type=registry,name=${name},compression=zstd,force-compression=true`, ...annotations];
    const metadata = join(host.folder, 'stated-metadata');
    await build(context, '-t', name, ...form, '--provenance=mode=max,builder-id=me', '--metadata-file', metadata);
    const raw = async (reference: string) =>
      JSON.parse(await ok(['buildx', 'imagetools', 'inspect', '--raw', reference]));
    const index = await raw(name);
    assert.deepEqual(index.annotations, { i: 'w' });
    assert.equal(index.manifests.length, 4);
    const [image, , statement] = index.manifests;
    assert.equal(statement.annotations['vnd.docker.reference.digest'], image.digest);
    const manifest = await raw(`${name}@${image.digest}`);
    assert.deepEqual(manifest.annotations, { k: 'v' });
    for (const { mediaType } of manifest.layers) assert.match(mediaType, /\+zstd$/);
    const { SLSA } = JSON.parse(
      await ok(['buildx', 'imagetools', 'inspect', name, '--format', `{{json (index .Provenance "linux/${own}")}}`]),
    );
    assert.equal(SLSA.builder.id, 'me');
    assert.equal(SLSA.materials[0].uri, `pkg:docker/busybox@latest?platform=linux%2F${own}`);
    const listed = await ok(['buildx', 'imagetools', 'inspect', name]);
    const digest = /^Digest: +(\S+)/m.exec(listed)?.[1];
    assert.equal(JSON.parse(readFileSync(metadata, 'utf8'))['containerimage.digest'], digest);
    assert.match(await ok(['push', name]), new RegExp(`digest: ${digest}`));
    await ok(['tag', name, `${name}:again`]);
    await ok(['push', '-q', `${name}:again`]);
    const again = await raw(`${name}:again`);
    assert.deepEqual([again.annotations, again.manifests[0]], [index.annotations, image]);
    assert.equal(again.manifests.length, 4);
    await ok(['rmi', `${name}:again`]);
    await ok(['rmi', name]);
    await ok(['pull', '-q', name]);
    assert.equal(await host.inspect(name, '{{.Architecture}}'), own);
    await ok(['rmi', name]);
  },
);

test('a provenance in an OCI layout, which is an index then; what cannot be stated is refused', options, async () => {
  const context = makeContext(host.folder, { Dockerfile: CROSS });
  const file = join(host.folder, 'stated.tar');
  const one = [
    'buildx',
    'build',
    '--progress=plain',
    '--output',
    `type=oci,dest=${file},name=stated:1,compression=gzip`,
  ];
  await ok([...one, '--provenance=mode=min', context]);
  const layout = join(host.folder, 'stated');
  mkdirSync(layout);
  await run('tar', ['-xf', file, '-C', layout]);
  const blob = (digest: string) => JSON.parse(readFileSync(join(layout, 'blobs', digest.replace(':', '/')), 'utf8'));
  const index = blob(JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')).manifests[0].digest);
  const [image, stated] = index.manifests.map(({ digest }: { digest: string }) => blob(digest));
  assert.match(image.layers[0].mediaType, /\+gzip$/);
  const statement = blob(stated.layers[0].digest);
  assert.equal(`sha256:${statement.subject[0].digest.sha256}`, index.manifests[0].digest);
  assert.equal(statement.predicate.invocation.parameters.args, undefined);
  await ok(['load', '-i', file]);
  await ok(['rmi', 'stated:1']);
  for (const [args, message] of [
    [['--attest', 'type=sbom,generator=busybox'], /scanner busybox does not have cmd/],
    [['--attest', 'type=provenance,mode=most'], /invalid mode "most" of provenance/],
    [['--push', '-t', `${registry.host}/x`, '--annotation', 'index:a=b'], /index annotations not supported for single/],
    [['--output', `type=oci,dest=${file},compression=estargz`], /unsupported layer compression type estargz/],
  ] as const) {
    const { code, stderr } = await docker(['buildx', 'build', '--progress=plain', ...args, context]);
    assert.notEqual(code, 0);
    assert.match(stderr, message);
  }
});

test('what is stated about an image for a variant of a processor that its base does not name', options, async () => {
  const base = `${registry.host}/arm`;
  const context = makeContext(host.folder, { Dockerfile: 'FROM scratch\nCOPY a /a\n', a: '' });
  const on = makeContext(host.folder, { Dockerfile: `FROM ${base}\nCOPY b /b\n`, b: '' });
  await ok(['buildx', 'build', '--platform', 'linux/arm', '-t', base, context]);
  const variant = ['--platform', 'linux/arm/v7', '--annotation', 'manifest[linux/arm/v7]:k=v', '--provenance=mode=min'];
  await ok(['buildx', 'build', ...variant, '-t', `${base}:v7`, '--push', on]);
  const listed = await ok(['buildx', 'imagetools', 'inspect', `${base}:v7`]);
  const platforms = [...listed.matchAll(/Platform: +(\S+)/g)].map(([, platform]) => platform);
  assert.deepEqual(platforms, ['linux/arm/v7', 'unknown/unknown']);
  await ok(['rmi', base, `${base}:v7`]);
});

test('a scanner image says what is in the result for each platform', options, async () => {
  const scanner = makeContext(host.folder, {
    Dockerfile: 'FROM busybox\nCOPY --chmod=755 scan /scan\nENTRYPOINT ["/bin/sh", "/scan"]\n',
    scan: [
      'name=$(cat "$BUILDKIT_SCAN_SOURCE/made")',
      'cat >"$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json" <<END',
      '{"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document",',
      '  "predicate": {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "$name"}}',
      'END',
    ].join('\n'),
  });
  await ok(['buildx', 'build', '-t', 'scanner', scanner]);
  const name = `${registry.host}/scanned`;
  const context = makeContext(host.folder, { Dockerfile: CROSS });
  const said = await build(context, '-t', name, '--push', '--attest', 'type=sbom,generator=scanner');
  for (const architecture of [own, foreign]) {
    assert.ok(said.includes(`[linux/${architecture}] generating sbom using scanner`), said);
    const format = `{{(index .SBOM "linux/${architecture}").SPDX.name}}`;
    assert.match(
      await ok(['buildx', 'imagetools', 'inspect', name, '--format', format]),
      new RegExp(`^made for ${architecture} `),
    );
  }
  await ok(['rmi', name, 'scanner']);
});

test('bases for other platforms that were pulled once are found without their registry', options, async () => {
  const name = `${registry.host}/base`;
  await build(makeContext(host.folder, { Dockerfile: CROSS }), '-t', name, '--push');
  await ok(['rmi', name]);
  const context = makeContext(host.folder, { Dockerfile: `FROM ${name}\nCOPY own /own\n`, own: '' });
  await build(context, '--output', join(host.folder, 'online'));
  await registry.stop('SIGKILL');
  await build(context, '--no-cache', '--output', join(host.folder, 'offline'));
  assert.deepEqual(readdirSync(join(host.folder, 'offline', `linux_${foreign}`)).sort(), ['made', 'own']);
});

/** An ELF file for another processor than this machine's. */
function foreignProgram(): Buffer {
  const head = Buffer.alloc(64);
  head.write('\x7fELF\x02\x01\x01', 'latin1');
  head.writeUInt16LE(2, 16);
  head.writeUInt16LE(foreign === 'arm64' ? 183 : 62, 18);
  return head;
}
