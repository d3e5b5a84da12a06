/** Base images from archives (mission rows B1 to B3): where they come from, how they are packed, and hostile ones. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { paxEntry, type RawHeader, rawEntry, rawTar } from '../../src/tar/tar-fixture.ts';
import { importBusybox, type RunOptions, run, STRAKE, smallDisk, startHost, type TestHost, until } from './harness.ts';

let host: TestHost;
let root: string;
let plain: Buffer;
before(async () => {
  host = await startHost();
  root = join(host.folder, 'root');
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/os-release'), 'NAME=test\n');
  writeFileSync(join(root, 'five'), '12345');
  plain = Buffer.from((await pack('--sort=name', 'plain.tar')).content);
});
after(() => host[Symbol.asyncDispose]());

async function pack(flag: string, name: string): Promise<{ path: string; content: Buffer }> {
  const path = join(host.folder, name);
  const made = await run('tar', ['-C', root, flag, '-cf', path, '.']);
  assert.equal(made.code, 0, made.stderr);
  return { path, content: readFileSync(path) };
}

const diffIdOf = (tar: Buffer) => `sha256:${createHash('sha256').update(tar).digest('hex')}`;

const COMPRESSIONS = { plain: [], gzip: ['-n'], bzip2: [], xz: [], zstd: [] } as const;
for (const [name, flags] of Object.entries(COMPRESSIONS))
  for (const from of ['file', 'stdin'] as const)
    test(`${name} from ${from}: prints the image ID, the layer is the tar`, async () => {
      const path = join(host.folder, `archive.${name}`);
      const command = name === 'plain' ? `cat > ${path}` : `${name} -c ${flags.join(' ')} > ${path}`;
      assert.equal((await run('sh', ['-c', command], { input: plain })).code, 0);
      const id =
        from === 'file'
          ? await host.ok(['import', path, `from-${from}:${name}`])
          : await host.ok(['import', '-', `from-${from}:${name}`], { input: readFileSync(path) });
      assert.match(id, /^sha256:[0-9a-f]{64}$/);
      assert.equal(
        await host.inspect(`from-${from}:${name}`, '{{.Id}} {{json .RootFS.Layers}} {{.Size}}'),
        `${id} ["${diffIdOf(plain)}"] 15`,
      );
    });

test('from a URL, with progress; the source is in the history', async () => {
  const server = createServer((_, answer) => answer.end(plain)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  assert.ok(address && typeof address === 'object');
  const url = `http://127.0.0.1:${address.port}/root.tar`;
  try {
    const lines = (await host.ok(['import', url, 'from-url'])).split('\n');
    assert.equal(lines[0], `Downloading from ${url}`);
    assert.match(lines.at(-1) ?? '', /^sha256:[0-9a-f]{64}$/);
    assert.equal(
      await host.inspect('from-url', '{{.Comment}} {{index .RootFS.Layers 0}}'),
      `Imported from ${url} ${diffIdOf(plain)}`,
    );
  } finally {
    server.close();
  }
});

test('a URL that answers with an error, or not at all', async () => {
  const server = createServer((_, answer) => answer.writeHead(404).end()).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  assert.ok(address && typeof address === 'object');
  const url = `http://127.0.0.1:${address.port}/root.tar`;
  const missing = await host.strake(['import', url]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /404/);
  await new Promise((resolve) => server.close(resolve));
  const refused = await host.strake(['import', url]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /connection refused|ECONNREFUSED/);
});

test('--change sets the config, -m the comment; without them there is neither command nor more history', async () => {
  const changes = [
    'CMD echo hi',
    'ENV A=b',
    'EXPOSE 80',
    'WORKDIR /w',
    'USER app',
    'LABEL k=v',
    'VOLUME /data',
    'ENTRYPOINT ["e"]',
  ];
  await host.ok([
    'import',
    ...changes.flatMap((change) => ['--change', change]),
    '-m',
    'my message',
    join(host.folder, 'plain.tar'),
    'changed',
  ]);
  const config = JSON.parse(await host.inspect('changed', '{{json .Config}}'));
  assert.deepEqual(
    [
      config.Cmd,
      config.Env,
      config.ExposedPorts,
      config.WorkingDir,
      config.User,
      config.Labels,
      config.Volumes,
      config.Entrypoint,
    ],
    [['/bin/sh', '-c', 'echo hi'], ['A=b'], { '80/tcp': {} }, '/w', 'app', { k: 'v' }, { '/data': {} }, ['e']],
  );
  assert.equal(await host.inspect('changed', '{{.Comment}}'), 'my message');
  await host.ok(['import', join(host.folder, 'plain.tar'), 'unchanged']);
  assert.equal(await host.inspect('unchanged', '{{.Comment}} {{json .Config.Cmd}}'), 'Imported from - null');
  assert.equal(await host.ok(['history', '--format', '{{.Size}}|{{.Comment}}', 'unchanged']), '15B|Imported from -');
});

test('an import without a name makes a dangling image', async () => {
  const id = await host.ok(['import', '-m', 'nameless', join(host.folder, 'plain.tar')]);
  assert.ok((await host.ok(['images', '-q', '--no-trunc', '-f', 'dangling=true'])).split('\n').includes(id));
});

test('B2: an empty archive makes an empty image, like scratch', async () => {
  const empty = await run('sh', ['-c', 'tar c --files-from /dev/null | base64']);
  const id = await host.ok(['import', '-', 'scratch-like'], { input: Buffer.from(empty.stdout, 'base64') });
  assert.match(id, /^sha256:/);
  assert.equal(await host.inspect('scratch-like', '{{.Size}} {{len .RootFS.Layers}}'), '0 1');
});

test('the image runs: files, owners, modes, links and devices are as packed', async () => {
  await importBusybox(host);
  const tar = rawTar(
    { name: 'dir', flag: '5', mode: 0o1777 },
    { name: 'dir/owned', mode: 0o4750, uid: 12, gid: 34, mtime: 1_000_000_000, content: 'x' },
    { name: 'dir/hard', flag: '1', link: 'dir/owned' },
    { name: 'dir/soft', flag: '2', link: 'owned' },
    { name: 'dir/null', flag: '3', device: [1, 3], mode: 0o666 },
    { name: 'dir/pipe', flag: '6' },
    { name: 'bin', flag: '5', mode: 0o755 },
    { name: 'bin/busybox', mode: 0o755, content: readFileSync('/bin/busybox') },
  );
  await host.ok(['import', '-', 'packed'], { input: tar });
  const listing = await host.ok([
    'run',
    '--rm',
    'packed',
    '/bin/busybox',
    'stat',
    '-c',
    '%n %A %u:%g %h %Y %t,%T',
    '/dir',
    '/dir/owned',
    '/dir/hard',
    '/dir/soft',
    '/dir/null',
    '/dir/pipe',
  ]);
  assert.match(
    listing,
    /^\/dir drwxrwxrwt 0:0 .*\n\/dir\/owned -rwsr-x--- 12:34 2 1000000000 0,0\n\/dir\/hard -rwsr-x--- 12:34 2 1000000000 0,0\n\/dir\/soft lrwxrwxrwx .*\n\/dir\/null crw-rw-rw- 0:0 1 .* 1,3\n\/dir\/pipe prw-r--r-- /,
  );
});

test('duplicate entries: the last one wins, also over another type', async () => {
  const tar = rawTar(
    { name: 'file', content: 'first' },
    { name: 'was-dir', flag: '5', mode: 0o755 },
    { name: 'was-dir/inside', content: 'x' },
    { name: 'was-dir', content: 'now a file' },
    { name: 'file', content: 'last!!' },
  );
  await host.ok(['import', '-', 'duplicates'], { input: tar });
  assert.equal(await host.inspect('duplicates', '{{.Size}}'), '16');
  const context = join(host.folder, 'duplicates');
  mkdirSync(context);
  writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nCOPY --from=duplicates / /got/\n');
  await host.ok(['build', '-q', '-t', 'duplicates-seen', context]);
  assert.equal(
    await host.ok(['run', '--rm', 'duplicates-seen', 'cat', '/got/file', '/got/was-dir']),
    'last!!now a file',
  );
});

/** Runs an import that must fail: exit code 1, nothing on stdout, nothing of it in the store or beside it. */
async function refused(target: TestHost, input: Buffer, options: RunOptions = {}): Promise<string> {
  const layers = readdirSync(join(target.dataRoot, 'layers'));
  const images = await target.ok(['images', '-aq']);
  const result = await target.strake(['import', '-', 'hostile'], { ...options, input });
  assert.deepEqual([result.code, result.stdout], [1, ''], result.stderr);
  assert.equal(await target.ok(['images', '-aq']), images);
  assert.deepEqual(readdirSync(join(target.dataRoot, 'layers')), layers);
  return result.stderr;
}

const CANARY = '/tmp/strake-canary';
const file = (name: string): RawHeader => ({ name, content: 'escaped' });
const symlink = (name: string, link: string): RawHeader => ({ name, flag: '2', link });
const hardLink = (name: string, link: string): RawHeader => ({ name, flag: '1', link });
const up = '../'.repeat(12);

const HOSTILE: readonly [name: string, tar: () => Buffer, message: RegExp][] = [
  ['a name that climbs out with ..', () => rawTar(file(`${up}${CANARY.slice(1)}`)), /leads outside of the archive/],
  ['a hard link that climbs out', () => rawTar(hardLink('x', `${up}etc/passwd`)), /leads outside of the archive/],
  ['a hard link to a file of the machine', () => rawTar(hardLink('x', '/etc/passwd')), /etc\/passwd/],
  ['a hard link through a symlink', () => rawTar(symlink('out', '/etc'), hardLink('x', 'out/passwd')), /passwd/],
  ['a file as a folder', () => rawTar(file('a'), file('a/b')), /not a directory/],
  ['a loop of symlinks', () => rawTar(symlink('a', 'b'), symlink('b', 'a'), file('a/x')), /too many symbolic links/],
  ['a wrong checksum', () => rawTar(file('a'), file('b')).fill('9', 1124, 1128), /checksum/],
  [
    'an end in the middle of a file',
    () => rawEntry({ name: 'a', content: 'x'.repeat(5000) }).subarray(0, 2000),
    /ends|truncated/,
  ],
  ['an end in the middle of a header', () => rawTar(file('a')).subarray(0, 1200), /ends|truncated/],
  [
    'an end in the middle of compressed data',
    () => gzipSync(readFileSync('/bin/busybox')).subarray(0, 5000),
    /ends|truncated|checksum|tar/,
  ],
  ['compressed data that is damaged', () => gzipSync(plain).fill(0xff, 40, 60), /gzip|damaged|invalid/],
  ['garbage', () => Buffer.alloc(4096, 'garbage '), /tar/],
  [
    'an extended header larger than memory',
    () => Buffer.concat([rawEntry({ name: 'p', flag: 'x', size: 8_000_000_000 })]),
    /header/,
  ],
  ['a name of 5,000 bytes', () => Buffer.concat([paxEntry({ path: 'n'.repeat(5000) }), rawTar(file('x'))]), /too long/],
];
for (const [name, tar, message] of HOSTILE)
  test(`hostile: ${name} is refused`, async () => {
    const stderr = await refused(host, tar());
    assert.match(stderr, message);
    assert.ok(stderr.length < 1000, stderr);
    assert.equal((await run('ls', ['-d', CANARY])).code, 2);
  });

const CONFINED: readonly [name: string, tar: Buffer, path: string][] = [
  ['an absolute name', rawTar(file(CANARY)), CANARY],
  [
    'a symlink to a folder of the machine, then a file in it',
    rawTar(symlink('out', '/tmp'), file('out/strake-canary')),
    CANARY,
  ],
  ['a symlink with .., then a file in it', rawTar(symlink('out', `${up}tmp`), file('out/strake-canary')), CANARY],
  [
    'a symlink over a folder, then a file in it',
    rawTar({ name: 'd', flag: '5' }, symlink('d', '/tmp'), file('d/strake-canary')),
    CANARY,
  ],
];
for (const [index, [name, tar, path]] of CONFINED.entries())
  test(`hostile: ${name} stays inside the root`, async () => {
    await host.ok(['import', '-', `confined:${index}`], { input: tar });
    assert.equal((await run('ls', ['-d', CANARY])).code, 2);
    const context = join(host.folder, `confined-${index}`);
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), `FROM busybox\nCOPY --from=confined:${index} ${path} /got\n`);
    await host.ok(['build', '-q', '-t', 'confined-seen', context]);
    assert.equal(await host.ok(['run', '--rm', 'confined-seen', 'cat', '/got']), 'escaped');
  });

/** 10 GiB of zeros in 10 MiB: gzip members may be joined. The size needs the binary form, octal ends at 8 GiB. */
function bomb(): Buffer {
  const size = Buffer.alloc(12);
  size[0] = 0x80;
  size.writeBigUInt64BE(10n << 30n, 4);
  const zeros = gzipSync(Buffer.alloc(64 << 20));
  return Buffer.concat([
    gzipSync(rawEntry({ name: 'zeros', size })),
    ...Array<Buffer>(160).fill(zeros),
    gzipSync(Buffer.alloc(1024)),
  ]);
}

test('hostile: 10 GB of zeros in 10 MB are refused when the disk is small, before they fill it', async () => {
  using disk = smallDisk(64);
  await using small = await startHost({ dataRoot: join(disk.path, 'data') });
  const started = Date.now();
  assert.match(await refused(small, bomb()), /expands to more than \d+ bytes/);
  assert.ok(Date.now() - started < 20_000, 'took too long');
  assert.match(await small.ok(['import', '-', 'after'], { input: plain }), /^sha256:/);
});

const MANY = 100;
test('hostile: many files that are larger than the disk together', async () => {
  using disk = smallDisk(64);
  await using small = await startHost({ dataRoot: join(disk.path, 'data') });
  const content = Buffer.alloc(1 << 20, 'not zeros ');
  const entries = Array.from({ length: MANY }, (_, index) => rawEntry({ name: `file-${index}`, content }));
  assert.match(
    await refused(small, gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]))),
    /expands to more than \d+ bytes/,
  );
  assert.match(await small.ok(['import', '-', 'after'], { input: plain }), /^sha256:/);
});

const WRONG: readonly [name: string, args: string[], message: RegExp, code?: number][] = [
  ['a file that does not exist', ['import', '/nonexistent.tar', 'x'], /nonexistent\.tar.*no such file/],
  ['a folder', ['import', '/tmp', 'x'], /\/tmp.*directory/],
  [
    'a name in upper case',
    ['import', '/dev/null', 'UPPER'],
    /invalid reference format: repository name \(library\/UPPER\) must be lowercase/,
  ],
  ['a change that is no instruction', ['import', '-c', 'FOO x', '/dev/null', 'x'], /foo/i],
  ['a change that may not be one', ['import', '-c', 'RUN x', '/dev/null', 'x'], /run is not a valid change command/i],
  ['the reserved name', ['import', '/dev/null', 'scratch'], /scratch/],
  ['no source', ['import'], /requires|argument/],
];
for (const [name, args, message] of WRONG)
  test(`wrong use: ${name}`, async () => {
    const result = await host.strake(args);
    assert.ok([1, 125].includes(result.code), `exit ${result.code}`);
    assert.equal(result.stdout, '');
    assert.match(result.stderr, message);
  });

test('the client is killed in the middle: nothing stays', async () => {
  const layers = readdirSync(join(host.dataRoot, 'layers'));
  const client = spawn(STRAKE, ['-H', `unix://${host.socket}`, 'import', '-', 'half'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  client.stdin.on('error', () => {}); // it is killed while it is written to
  client.stdin.write(rawEntry({ name: 'half', size: 1 << 20 }).subarray(0, 512));
  client.stdin.write(Buffer.alloc(1 << 19));
  await until(() => readdirSync(join(host.dataRoot, 'layers')).length > layers.length);
  const ended = once(client, 'exit');
  client.kill('SIGKILL');
  await ended;
  await until(() => readdirSync(join(host.dataRoot, 'layers')).length === layers.length);
  assert.equal((await host.strake(['inspect', 'half'])).code, 1);
});
