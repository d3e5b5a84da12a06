import assert from 'node:assert/strict';
import { test } from 'node:test';
import { platformsOf, readAttributes } from './attributes.ts';

const read = (attrs: Readonly<Record<string, string>>, entitlements: readonly string[] = []) =>
  readAttributes({
    attrs: new Map(Object.entries(attrs)),
    platform: platformsOf(new Map(Object.entries(attrs)))[0],
    cacheFrom: [],
    inlineCache: false,
    entitlements,
  });

test('attributes become the options of a build', () => {
  const { options, contextName, dockerfileFolder, named, request } = read(
    {
      filename: 'sub/Dockerfile',
      target: 'two',
      'build-arg:A': 'b=c',
      'build-arg:BUILDKIT_INLINE_CACHE': '1',
      'label:x': 'y',
      'no-cache': 'one,two',
      'image-resolve-mode': 'pull',
      'force-network-mode': 'host',
      'add-hosts': 'a=1.2.3.4,b=::1',
      'shm-size': '1024',
      ulimit: 'nofile=10:20,core=0',
      'cgroup-parent': 'p',
      hostname: 'h',
      platform: 'linux/amd64',
      'cache-from': 'r/a',
      'context:img': 'docker-image://alpine',
      'context:src': 'local:src-1',
      'sharedkey:localdir:src': 'key',
      'context:git::linux/amd64': 'https://example.com/x.git#main',
      'attest:provenance': 'mode=min',
      'attest:sbom': 'disabled=true',
      'vcs:source': 'x',
      'frontend.caps': 'moby.buildkit.frontend.subrequests+forward',
      requestid: 'frontend.lint',
    },
    ['network.host'],
  );
  assert.deepEqual(
    {
      ...options,
      resources: {
        shmSize: options.resources.shmSize,
        ulimits: options.resources.ulimits,
        cgroupParent: options.resources.cgroupParent,
      },
    },
    {
      dockerfile: 'sub/Dockerfile',
      tags: [],
      remote: undefined,
      quiet: false,
      noCache: false,
      noCacheFilter: ['one', 'two'],
      cacheFrom: ['r/a'],
      inlineCache: true,
      keepImage: false,
      verify: false,
      pull: true,
      remove: true,
      forceRemove: true,
      buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: 'h', A: 'b=c', BUILDKIT_INLINE_CACHE: '1' },
      labels: { x: 'y' },
      target: 'two',
      platform: 'linux/amd64',
      networkMode: 'host',
      extraHosts: ['a:1.2.3.4', 'b:::1'],
      squash: false,
      lint: true,
      allow: ['network.host'],
      explain: false,
      resources: {
        shmSize: 1024,
        ulimits: [
          { Name: 'nofile', Soft: 10, Hard: 20 },
          { Name: 'core', Soft: 0, Hard: 0 },
        ],
        cgroupParent: 'p',
      },
    },
  );
  assert.deepEqual(Object.fromEntries(named), {
    img: { kind: 'image', reference: 'alpine' },
    src: { kind: 'local', name: 'src-1', sharedKey: 'key' },
    git: { kind: 'remote', url: 'https://example.com/x.git#main' },
  });
  assert.deepEqual(
    [contextName, dockerfileFolder, request],
    ['context', { name: 'dockerfile', asked: false }, 'frontend.lint'],
  );
});

test('no attributes are a build of the folder', () => {
  const { options, named, request } = read({});
  assert.deepEqual(
    [options.dockerfile, options.noCache, options.noCacheFilter, options.remote, options.pull, named.size, request],
    ['Dockerfile', false, [], undefined, false, 0, undefined],
  );
  assert.equal(read({ 'no-cache': '' }).options.noCache, true);
  assert.equal(read({ contextkey: 'ctx', context: 'https://x/y.git' }).options.remote, 'https://x/y.git');
  assert.deepEqual(read({ dockerfilekey: 'df' }).dockerfileFolder, { name: 'df', asked: true });
});

const refused: readonly [attribute: string, value: string, message: RegExp][] = [
  ['devices', 'x', /the frontend attribute devices is not supported by this host/],
  ['platform', 'linux/amd64,a b', /"a b" is an invalid OS\/architecture value/],
  ['image-resolve-mode', 'often', /invalid value "often" of the frontend attribute image-resolve-mode/],
  ['force-network-mode', 'host', /network.host is not allowed/],
  ['force-network-mode', 'bridge', /invalid netmode bridge/],
  ['add-hosts', 'a', /invalid key-value pair a/],
  ['shm-size', '64m', /invalid value "64m" of the frontend attribute shm-size/],
  ['ulimit', 'nofile', /invalid value "nofile" of the frontend attribute ulimit/],
  ['context:a', 'oci-layout://x@sha256:1', /invalid digest|sha256:1/],
  ['context:a', 'oci-layout://x:1', /oci-layout reference "x:1" has no digest/],
  ['context:a', 'oci-layout://@sha256:1', /oci-layout reference "@sha256:1" has no digest/],
  ['context:a', 'input:b', /unsupported context source input for a/],
];
for (const [attribute, value, message] of refused) {
  test(`refused: ${attribute}=${value}`, () => assert.throws(() => read({ [attribute]: value }), { message }));
}

test('what only a client can allow is refused when nobody here knows it', () => {
  assert.throws(() => read({}, ['device']), { message: 'the entitlement device is not supported by this host' });
});

test('platforms, each once and in one form', () => {
  const platforms = (platform: string) => platformsOf(new Map([['platform', platform]]));
  assert.deepEqual(platforms('linux/arm64/v8,amd64,linux/arm64,linux/arm/v7'), [
    'linux/arm64',
    'linux/amd64',
    'linux/arm/v7',
  ]);
  assert.deepEqual(platformsOf(new Map()), [undefined]);
  assert.throws(() => platforms(Array.from({ length: 65 }, (_, index) => `linux/a${index}`).join(',')), /65 platforms/);
});

test('a named context of the platform stands before others of its name', () => {
  const attrs = new Map([
    ['context:a::linux/arm64', 'docker-image://arm'],
    ['context:a', 'docker-image://any'],
    ['context:b::linux/amd64', 'docker-image://amd'],
  ]);
  const named = (platform: string) =>
    Object.fromEntries(
      [...readAttributes({ attrs, platform, cacheFrom: [], inlineCache: false, entitlements: [] }).named].map(
        ([name, source]) => [name, source.kind === 'image' && source.reference],
      ),
    );
  assert.deepEqual(named('linux/arm64'), { a: 'arm', b: 'amd' });
  assert.deepEqual(named('linux/amd64'), { a: 'any', b: 'amd' });
});
