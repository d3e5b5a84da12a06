/** Files between a container and this machine: cp both ways, with the docker commands of two ages and strake's; diff. */
import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { EntryHeader } from '../../src/tar/layer-entry.ts';
import { TarWriter } from '../../src/tar/tar-writer.ts';
import {
  importBusybox,
  type Result,
  type RunOptions,
  run,
  STRAKE,
  startHost,
  type TestHost,
  until,
} from './harness.ts';

const CLIENTS = [...new Set(['docker', '/usr/bin/docker', STRAKE])];
const NONE = ['--network', 'none'];

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

const shell = (container: string, script: string) => host.ok(['exec', container, 'sh', '-c', script]);
/** Starts a container that stays, with a volume, a read-only volume, a tmpfs and some files. */
async function start(name: string, ...flags: string[]): Promise<void> {
  const mounts = ['-v', '/vol', '-v', 'fixed:/fixed:ro', '--tmpfs', '/memory'];
  await host.ok(['run', '-d', '--name', name, ...NONE, ...mounts, ...flags, 'busybox', 'sleep', '1000']);
  await shell(
    name,
    `mkdir -p /data/sub && echo one > /data/f && chmod 640 /data/f && chown 5:6 /data/f && ln -s f /data/link &&
     ln -s ../../../../../etc /data/out && echo deep > /data/sub/g && echo v > /vol/x && ln /data/f /data/hard`,
  );
}

for (const client of CLIENTS) {
  const name = client === STRAKE ? 'strake' : client;
  const cp = (args: readonly string[], options: RunOptions = {}): Promise<Result> =>
    run(client, ['cp', ...args], {
      ...options,
      cwd: host.folder,
      env: { DOCKER_HOST: `unix://${host.socket}`, STRAKE_HOST: '', DOCKER_CONFIG: host.folder, ...options.env },
    });
  const copied = async (...args: string[]) => {
    const { code, stdout, stderr } = await cp(args);
    assert.equal(code, 0, `${client} cp ${args.join(' ')}: ${code}\n${stdout}\n${stderr}`);
  };
  const tag = CLIENTS.indexOf(client);
  // The older client does the same with the same host: once is enough.
  const states = client.startsWith('/usr') ? ['stopped'] : ['running', 'stopped'];

  test(`${name} cp: out of a container, running and stopped`, async () => {
    const box = `out${tag}`;
    await start(box);
    const to = join(host.folder, box);
    mkdirSync(to);
    if (!states.includes('running')) await host.ok(['stop', '-t', '0', box]);
    for (const state of states) {
      const at = join(to, state);
      mkdirSync(at);
      await copied(`${box}:/data/sub`, at);
      assert.equal(readFileSync(join(at, 'sub/g'), 'utf8'), 'deep\n');
      await copied(`${box}:/data/f`, join(at, 'renamed'));
      assert.equal(readFileSync(join(at, 'renamed'), 'utf8'), 'one\n');
      assert.equal(lstatSync(join(at, 'renamed')).mode & 0o777, 0o640);
      await copied(`${box}:/data/link`, at);
      assert.equal(readlinkSync(join(at, 'link')), 'f');
      await copied('-L', `${box}:/data/link`, join(at, 'followed'));
      assert.equal(readFileSync(join(at, 'followed'), 'utf8'), 'one\n');
      await copied(`${box}:/vol/x`, at);
      assert.equal(readFileSync(join(at, 'x'), 'utf8'), 'v\n');
      // /data/out leads, seen from here, to the machine's own /etc.
      await copied(`${box}:/data/out/passwd`, at);
      assert.match(readFileSync(join(at, 'passwd'), 'utf8'), /^app:x:1000:/m);
      const stream = await cp([`${box}:/data/sub/.`, '-']);
      assert.match(stream.stdout, /deep/);
      if (state === 'running') await host.ok(['stop', '-t', '0', box]);
    }
    await host.ok(['rm', '-v', box]);
  });

  test(`${name} cp: into a container, running and stopped`, async () => {
    const box = `into${tag}`;
    const from = join(host.folder, `${box}-files`);
    mkdirSync(join(from, 'dir/sub'), { recursive: true });
    writeFileSync(join(from, 'dir/file'), 'local\n', { mode: 0o600 });
    symlinkSync('file', join(from, 'dir/link'));
    await start(box);
    await shell(box, 'ln -s /vol /data/tovol && ln -s /nowhere/else /data/dangling');
    for (const state of ['running', 'stopped']) {
      await copied(join(from, 'dir'), `${box}:/data/${state}`);
      await copied(`${join(from, 'dir')}/.`, `${box}:/data/sub`);
      await copied(join(from, 'dir/file'), `${box}:/data/tovol/${state}`);
      await copied(join(from, 'dir/file'), `${box}:/data/sub/`);
      if (state === 'running') await host.ok(['stop', '-t', '0', box]);
    }
    await host.ok(['start', box]);
    assert.equal(
      await shell(box, 'cat /data/running/file /data/stopped/link /data/sub/file /vol/running'),
      'local\n'.repeat(4).trim(),
    );
    assert.equal(await shell(box, 'cat /vol/stopped; stat -c %a /data/stopped/file'), 'local\n600');
    await host.ok(['rm', '-f', '-v', box]);
  });

  test(`${name} cp: what is refused, in Docker's words`, async () => {
    const box = `bad${tag}`;
    await start(box);
    const file = join(host.folder, `${box}-file`);
    writeFileSync(file, 'x');
    const missing = /Could not find the file \/nope in container|No such container:path: \w+:\/nope/;
    const cases: [string[], RegExp][] = [
      [[`${box}:/nope`, '.'], missing],
      [[`${box}:/nope`, '-'], missing],
      [[file, `${box}:/nope/`], /no such directory/],
      [[file, `${box}:/nope/x`], missing],
      [[file, `${box}:/fixed/x`], /mounted volume is marked read-only/],
      [[file, `${box}:/etc/hosts`], /unlinkat \/etc\/hosts: device or resource busy/],
      [[file, 'nobody:/x'], /No such container/],
      [[`${box}:/a`, `${box}:/b`], /copying between containers is not supported/],
      [['a', 'b'], /must specify at least one container source/],
      [[join(host.folder, 'missing'), `${box}:/`], /lstat .*missing: no such file or directory/],
      [[host.folder, `${box}:/data/f`], /cannot copy directory/],
      [[`${box}:/data/f`, join(host.folder, 'no/where')], /directory ".*\/no" does not exist/],
      [['-', `${box}:/data/f`], /destination "\w+:\/data\/f" must be a directory/],
    ];
    for (const [args, expected] of cases) {
      const { code, stderr } = await cp(args);
      assert.equal(code, 1, args.join(' '));
      assert.match(stderr, expected, args.join(' '));
    }
    await host.ok(['rm', '-f', '-v', box]);
    await host.ok(['create', '--read-only', '--name', box, ...NONE, 'busybox', 'true']);
    const { stderr } = await cp([file, `${box}:/x`]);
    assert.match(stderr, /container rootfs is marked read-only/);
    await host.ok(['rm', box]);
  });
}

/** A tar of such entries, files with a byte of content each. */
function hostileTar(...entries: Pick<EntryHeader, 'path' | 'type' | 'linkTarget'>[]): Buffer {
  const pieces: Buffer[] = [];
  const writer = new TarWriter((bytes) => pieces.push(Buffer.from(bytes)));
  for (const entry of entries) {
    const size = entry.type === 'file' ? 1 : 0;
    writer.begin({ ...entry, mode: 0o755, uid: 0, gid: 0, size, mtime: 0, mtimeNsec: 0 });
    if (size > 0) writer.data(Buffer.from('x'));
  }
  writer.end();
  return Buffer.concat(pieces);
}

test('archives that want out of the container, or to replace what they must not', async () => {
  const canary = `/tmp/strake-canary-${process.pid}`;
  await start('hostile');
  const link = (path: string, linkTarget: string) => ({ path, type: 'symlink' as const, linkTarget });
  const file = (path: string) => ({ path, type: 'file' as const });
  const cases: [string, Buffer, RegExp | undefined][] = [
    ['parent folders', hostileTar(file(`../../..${canary}`)), /is outside of "\/data"/],
    ['an absolute path', hostileTar(file(canary)), undefined],
    ['a link out and a file through it', hostileTar(link('s', '../../../tmp'), file('s/evil')), /invalid symlink/],
    ['an absolute link and a file through it', hostileTar(link('a', '/tmp'), file(`a/${canary.slice(5)}`)), undefined],
    [
      'a hard link out',
      hostileTar({ path: 'h', type: 'hardlink', linkTarget: '../../etc/passwd' }),
      /invalid hardlink/,
    ],
    ['a file over a folder', hostileTar(file('sub')), /cannot overwrite directory "\/data\/sub" with non-directory/],
    [
      'a folder over a file',
      hostileTar({ path: 'f', type: 'directory' }),
      /cannot overwrite non-directory "\/data\/f"/,
    ],
    ['no tar', Buffer.from('x'.repeat(1000)), /tar/],
  ];
  for (const [what, tar, refusal] of cases) {
    const { code, stderr } = await host.docker(['cp', '-', 'hostile:/data'], { input: tar });
    assert.equal(code, refusal ? 1 : 0, `${what}: ${stderr}`);
    if (refusal) assert.match(stderr, refusal, what);
  }
  assert.ok(!existsSync(canary) && !existsSync(`${canary}/evil`));
  assert.deepEqual(
    readdirSync('/tmp').filter((name) => name.startsWith('strake-canary')),
    [],
  );
  assert.equal(await shell('hostile', `cat /data${canary} ${canary}`), 'xx');
  await host.ok(['rm', '-f', '-v', 'hostile']);
});

test('cp while the container swaps folders for links leads nowhere else', async () => {
  const target = join(host.folder, 'target');
  mkdirSync(target);
  await host.ok([
    'run',
    '-d',
    '--name',
    'swap',
    ...NONE,
    'busybox',
    'sh',
    '-c',
    `mkdir -p /d/a /d/b; while :; do mv /d/a /d/t; ln -s ${target} /d/a; rm /d/a; mv /d/t /d/a; done`,
  ]);
  await until(async () => (await host.docker(['exec', 'swap', 'test', '-d', '/d'])).code === 0);
  const tar = hostileTar({ path: 'file', type: 'file' }, { path: 'in/deep', type: 'file' });
  for (let i = 0; i < 10; i++) await host.docker(['cp', '-', 'swap:/d/a'], { input: tar });
  assert.deepEqual(readdirSync(target), []);
  await host.ok(['rm', '-f', 'swap']);
});

test('large files stream both ways whole, by gzip too', async () => {
  await start('large');
  await shell('large', 'dd if=/dev/urandom of=/data/big bs=1M count=16 2>/dev/null');
  const digest = (await shell('large', 'sha256sum < /data/big')).split(' ')[0];
  const pipe = `docker -H unix://${host.socket} cp large:/data/big - | gzip -1 | docker -H unix://${host.socket} cp - large:/vol`;
  const { code, stderr } = await run('sh', ['-c', pipe], { env: { DOCKER_CONFIG: host.folder } });
  assert.equal(code, 0, stderr);
  assert.equal((await shell('large', 'sha256sum < /vol/big')).split(' ')[0], digest);
  await host.ok(['rm', '-f', '-v', 'large']);
});

test('cp -a to a container with a user gives the files to it', async () => {
  await host.ok(['create', '--name', 'owned', '-u', 'app', ...NONE, 'busybox', 'stat', '-c', '%u:%g', '/f']);
  const file = join(host.folder, 'owned-file');
  writeFileSync(file, 'x');
  await host.docker(['cp', '-a', file, 'owned:/f']);
  assert.equal(await host.ok(['start', '-a', 'owned']), '1000:1000');
  await host.ok(['rm', 'owned']);
});

test('diff shows what was added, changed and deleted, and nothing of the host', async () => {
  await host.ok(['run', '-d', '--name', 'changed', ...NONE, '-v', '/vol', 'busybox', 'sleep', '1000']);
  assert.equal(await host.ok(['diff', 'changed']), '');
  await shell(
    'changed',
    'mkdir /new; echo a > /new/f; echo b >> /etc/passwd; rm /bin/ls; rm -r /root; mkdir /root; echo c > /root/c; echo d > /vol/d',
  );
  const expected = ['C /bin', 'D /bin/ls', 'C /etc', 'C /etc/passwd', 'A /new', 'A /new/f', 'C /root', 'A /root/c'];
  assert.deepEqual((await host.ok(['diff', 'changed'])).split('\n'), expected);
  const { stdout } = await host.docker(['diff', 'changed']);
  assert.deepEqual(stdout.trim().split('\n'), expected);
  await host.ok(['rm', '-f', '-v', 'changed']);
});
