/** Mounts whose source the host makes first: parts of volumes, volumes that are file systems, images. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { importBusybox, makeContext, startHost, type TestHost, until } from './harness.ts';

const NONE = ['--network', 'none'];
const run = (...mounts: string[]) => [
  'run',
  '--rm',
  ...NONE,
  ...mounts.flatMap((mount) => ['--mount', mount]),
  'busybox',
];

let host: TestHost;
before(async () => {
  host = await startHost({ flags: ['--live-restore'] });
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

/** Mount points below the data root that are no root of a container. */
const mounted = () =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${host.dataRoot}/`) && !point.endsWith('/merged'));

test('a part of a volume: a folder, a file, filled from the image; never what is outside', async () => {
  const script =
    'mkdir -p /v/sub/deep /v/empty /v/links; echo hi > /v/sub/f; ln -s ../sub /v/links/good; ln -s / /v/links/root; ln -s ../.. /v/links/up';
  await host.ok([...run('source=parts,target=/v'), 'sh', '-c', script]);
  const part = (subpath: string, target = '/x') => run(`source=parts,target=${target},volume-subpath=${subpath}`);
  assert.equal(await host.ok([...part('sub'), 'ls', '/x']), 'deep\nf');
  assert.equal(await host.ok([...part('links/good'), 'cat', '/x/f']), 'hi');
  assert.equal(await host.ok([...part('sub/f', '/etc/hostname2'), 'cat', '/etc/hostname2']), 'hi');
  assert.match(await host.ok([...part('empty', '/etc'), 'ls', '/etc']), /passwd/);
  for (const [subpath, code, expected] of [
    ['../../..', 125, /invalid mount config for type "volume": subpath must be a relative path within the volume/],
    ['/sub', 125, /subpath must be a relative path within the volume/],
    ['links/root', 125, /path concatenation escapes the base directory, base: \S+, subpath: links\/root/],
    ['links/up', 125, /path concatenation escapes the base directory/],
    ['nothing', 127, /cannot access path \S+\/parts\/_data\/nothing: no such file or directory/],
  ] as const) {
    const result = await host.docker([...part(subpath), 'true']);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, expected);
  }
  await host.ok([
    'create',
    '--name',
    'parted',
    '--mount',
    'source=parts,target=/x,volume-subpath=sub',
    'busybox',
    'true',
  ]);
  assert.equal(await host.inspect('parted', '{{range .Mounts}}{{.Type}} {{.Name}}{{end}}'), 'volume parts');
  await host.ok(['cp', 'parted:/x/f', join(host.folder, 'copied')]);
  assert.equal(readFileSync(join(host.folder, 'copied'), 'utf8'), 'hi\n');
  await host.ok(['rm', 'parted']);
  await host.ok(['volume', 'rm', 'parts']);
  assert.deepEqual(mounted(), []);
});

test('a volume that is a file system: mounted while somebody uses it, also over the end of the host', async () => {
  const options = ['-o', 'type=tmpfs', '-o', 'device=tmpfs', '-o', 'o=size=1m,mode=1777'];
  await host.ok(['volume', 'create', ...options, 'memory']);
  assert.deepEqual(mounted(), []);
  const user = (name: string) => ['run', '-d', '--name', name, ...NONE, '-v', 'memory:/m', 'busybox', 'sleep', '1000'];
  await host.ok(user('first'));
  await host.ok(['exec', 'first', 'sh', '-c', 'echo kept > /m/f; ! head -c 2000000 /dev/zero > /m/big; rm /m/big']);
  await host.ok(user('second'));
  assert.equal(mounted().length, 1);
  await host.ok(['rm', '-f', 'first']);
  assert.equal(await host.ok(['exec', 'second', 'cat', '/m/f']), 'kept');
  await host.stop('SIGKILL');
  await host.restart();
  assert.equal(await host.ok([...run('source=memory,target=/m'), 'cat', '/m/f']), 'kept');
  await host.ok(['cp', 'second:/m/f', join(host.folder, 'copied')]);
  await host.ok(['rm', '-f', 'second']);
  await until(() => mounted().length === 0);
  assert.equal(await host.ok([...run('source=memory,target=/m'), 'ls', '/m']), '', 'it has begun anew');
  assert.match(await host.ok(['system', 'df', '-v']), /memory/);
  await host.ok(['volume', 'rm', 'memory']);

  // Docker's clients read the exit code from the message.
  const cases: [option: string[], code: number, expected: RegExp][] = [
    [['type=nosuchfs', 'device=x'], 125, /failed to mount local volume: mount x:\S+_data: no such device/],
    [
      ['type=none', 'o=bind,ro', 'device=/nowhere'],
      127,
      /mount \/nowhere:\S+_data, flags: 0x1001: no such file or directory/,
    ],
    [
      ['type=nfs', 'o=addr=no-such-host.invalid', 'device=:/x'],
      125,
      /network volume address: lookup no-such-host.invalid/,
    ],
    [['type=tmpfs', 'device=tmpfs', 'o=size=x,password=secret'], 125, /data: size=x,password=\*{8}: invalid argument/],
  ];
  for (const [wrong, expectedCode, expected] of cases) {
    await host.ok(['volume', 'create', ...wrong.flatMap((option) => ['-o', option]), 'wrong']);
    const { code, stderr } = await host.docker(['run', '--rm', ...NONE, '-v', 'wrong:/w', 'busybox', 'true']);
    assert.equal(code, expectedCode, stderr);
    assert.match(stderr, /error while mounting volume '\S+\/wrong\/_data'/);
    assert.match(stderr, expected);
    await host.ok(['volume', 'rm', 'wrong']);
  }
  assert.deepEqual(mounted(), []);
});

test('a host that was killed without keeping containers leaves no file system of a volume', async () => {
  await using own = await startHost();
  await importBusybox(own);
  const volume = 'type=volume,source=own,target=/m,volume-opt=type=tmpfs,volume-opt=device=tmpfs';
  await own.ok(['run', '-d', '--mount', volume, ...NONE, 'busybox', 'sleep', '1000']);
  const isMounted = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(join(own.dataRoot, 'volumes'));
  assert.ok(isMounted());
  await own.stop('SIGKILL');
  await own.restart();
  assert.ok(!isMounted());
});

test('an image as a mount: read-only, as a whole or a part, and in use', async () => {
  const context = makeContext(host.folder, {
    Dockerfile: 'FROM scratch\nCOPY foo /\nCOPY sub /sub\n',
    foo: 'bar\n',
    'sub/hello': 'world\n',
    'sub/bad': '-> ../../../../',
  });
  await host.ok(['build', '-t', 'tree', context]);
  const image = (more = '', target = '/i') => `type=image,source=tree,target=${target}${more}`;
  assert.equal(await host.ok([...run(image()), 'cat', '/i/foo']), 'bar');
  assert.equal(await host.ok([...run(image(',image-subpath=sub')), 'cat', '/i/hello']), 'world');
  assert.equal(await host.ok([...run(image(',image-subpath=sub/hello')), 'cat', '/i']), 'world');
  const both = [...run(image(), image(',image-subpath=sub', '/j')), 'sh', '-c', 'cat /i/foo /j/hello; ! touch /i/new'];
  assert.equal(await host.ok(both), 'bar\nworld');
  for (const [mount, expectedCode, expected] of [
    [image(',image-subpath=../x'), 125, /subpath must be a relative path within the volume/],
    [image(',image-subpath=sub/bad'), 125, /path concatenation escapes the base directory/],
    [image(',image-subpath=none'), 127, /cannot access path/],
    ['type=image,source=missing,target=/i', 125, /No such image: missing/],
    ['type=image,target=/i', 125, /field Source must not be empty/],
  ] as const) {
    const { code, stderr } = await host.docker([...run(mount), 'true']);
    assert.equal(code, expectedCode, stderr);
    assert.match(stderr, expected);
  }
  await host.ok(['run', '-d', '--name', 'reader', ...NONE, '--mount', image(), 'busybox', 'sleep', '1000']);
  assert.equal(
    await host.inspect('reader', '{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}'),
    'image tree /i false',
  );
  const refused = await host.strake(['rmi', 'tree']);
  assert.match(refused.stderr, /container [0-9a-f]{12} is using its referenced image [0-9a-f]{12}/);
  assert.match(await host.ok(['image', 'prune', '-af']), /0 ?B/);
  await host.ok(['stop', '-t', '0', 'reader']);
  await host.ok(['cp', 'reader:/i/foo', join(host.folder, 'copied')]);
  assert.equal(readFileSync(join(host.folder, 'copied'), 'utf8'), 'bar\n');
  // By force it goes, and what its container needs of it stays.
  await host.ok(['rmi', '-f', 'tree']);
  await host.ok(['builder', 'prune', '-af']);
  await host.ok(['start', 'reader']);
  assert.equal(await host.ok(['exec', 'reader', 'cat', '/i/sub/hello']), 'world');
  await host.ok(['rm', '-f', 'reader']);
  assert.deepEqual(mounted(), []);
});
