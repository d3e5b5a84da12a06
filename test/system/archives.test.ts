/** Images as files, with the real programs both ways (mission row I6): what one saves the others load, and back. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { getXattr, listXattrs, makeNode, setXattr } from '../../src/host/file-system-calls.ts';
import { type Dockerd, startDockerd } from './dockerd.ts';
import { run, smallDisk, startHost, type TestHost } from './harness.ts';

let host: TestHost;
/** Knows only what it loads. */
let other: TestHost;
let dockerd: Dockerd;
let folder: string;

const DOCKERFILE =
  'FROM tree\nCOPY a /copied/a\nENV X=1\nCOPY b /copied/b\nCOPY a /copied/a\nLABEL l=1\nCMD ["/bin/true"]\n';
const FILES = { a: 'content of a', b: 'content of b' };

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'strake-archives-'));
  host = await startHost();
  other = await startHost();
  dockerd = await startDockerd(folder);
  const tree = makeTree();
  await must('tar', ['-C', tree, '--xattrs', '--xattrs-include=*', '--format=posix', '-cf', path('tree.tar'), '.']);
  for (const engine of [host, dockerd]) await engine.ok(['import', path('tree.tar'), 'tree']);
});
after(async () => {
  for (const started of [dockerd, other, host]) await started?.[Symbol.asyncDispose]();
  await run('podman', [...podmanStorage(), 'unmount', '-a']);
  rmSync(folder, { recursive: true, force: true });
});

const path = (name: string) => join(folder, name);

async function must(file: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(file, args);
  assert.equal(code, 0, `${file} ${args.join(' ')}: exit ${code}\n${stdout}\n${stderr}`);
  return stdout.trim();
}

interface Engine {
  ok(args: readonly string[]): Promise<string>;
}

const idOf = (engine: Engine, image: string) => engine.ok(['inspect', '--format', '{{.Id}}', image]);
const layersOf = (engine: Engine, image: string) =>
  engine.ok(['inspect', '--format', '{{json .RootFS.Layers}}', image]);
/** The names in the output of `load`. */
const loadedIn = (said: string) =>
  said
    .split('\n')
    .flatMap((line) => /^Loaded image: (.*)/.exec(line)?.[1] ?? [])
    .sort();
const historyOf = (engine: Engine, image: string) =>
  engine.ok(['history', '--no-trunc', '--format', '{{.CreatedBy}} {{.Size}}', image]);

test('docker: what strake saves it loads, with the same IDs, layers, history and names', async () => {
  await host.build('app:1', DOCKERFILE, FILES);
  await host.ok(['tag', 'app:1', 'localhost:5000/team/app:2']);
  const archive = path('to-docker.tar');
  await host.ok(['save', '-o', archive, 'app', 'tree', 'localhost:5000/team/app:2']);
  assert.deepEqual(loadedIn(await dockerd.ok(['load', '-i', archive])), [
    'app:1',
    'localhost:5000/team/app:2',
    'tree:latest',
  ]);
  for (const image of ['app:1', 'localhost:5000/team/app:2', 'tree:latest'])
    for (const fact of [idOf, layersOf, historyOf])
      assert.equal(await fact(dockerd, image), await fact(host, image), `${fact.name} ${image}`);
  await dockerd.ok(['rmi', '-f', 'app:1', 'localhost:5000/team/app:2']);
});

test('docker: what it saves strake loads, with the same IDs, layers and history, and gives back', async () => {
  await dockerd.ok(['build', '-q', '-t', 'theirs:1', '-t', 'theirs:2', context()]);
  const archive = path('of-docker.tar');
  await dockerd.ok(['save', '-o', archive, 'theirs', 'tree']);
  assert.deepEqual(loadedIn(await other.ok(['load', '-i', archive])), ['theirs:1', 'theirs:2', 'tree:latest']);
  for (const image of ['theirs:1', 'theirs:2', 'tree'])
    for (const fact of [idOf, layersOf, historyOf])
      assert.equal(await fact(other, image), await fact(dockerd, image), `${fact.name} ${image}`);
  const inspect = ['inspect', '--format', '{{json .Config}}', 'theirs:1'];
  assert.equal((await other.docker(inspect)).stdout.trim(), await dockerd.ok(inspect));

  const id = await idOf(dockerd, 'theirs:1');
  await dockerd.ok(['rmi', '-f', id]);
  await other.ok(['save', '-o', path('back.tar'), 'theirs:1']);
  await dockerd.ok(['load', '-i', path('back.tar')]);
  assert.equal(await idOf(dockerd, 'theirs:1'), id);
});

test('docker: parents of saved steps are restored', async () => {
  await dockerd.ok(['build', '-q', '-t', 'stepwise', context()]);
  const ids = (await dockerd.ok(['history', '-q', '--no-trunc', 'stepwise'])).split('\n');
  await dockerd.ok(['save', '-o', path('steps.tar'), 'stepwise', ...ids.slice(1)]);
  await other.ok(['load', '-q', '-i', path('steps.tar')]);
  assert.deepEqual((await other.ok(['history', '-q', '--no-trunc', 'stepwise'])).split('\n'), ids);
  await other.ok(['save', '-o', path('steps-2.tar'), 'stepwise', ...ids.slice(1)]);
  await dockerd.ok(['rmi', '-f', 'stepwise']);
  await dockerd.ok(['load', '-q', '-i', path('steps-2.tar')]);
  assert.deepEqual((await dockerd.ok(['history', '-q', '--no-trunc', 'stepwise'])).split('\n'), ids);
});

test('the unmodified docker command saves from and loads into strake', async () => {
  const archive = path('by-docker.tar');
  assert.equal((await host.docker(['save', '-o', archive, 'tree'])).code, 0);
  assert.deepEqual(readFileSync(archive), Buffer.from(await savedBy(host, 'tree')));
  const loaded = await other.docker(['load', '-i', archive]);
  assert.deepEqual(loaded, { code: 0, stdout: 'Loaded image: tree:latest\n', stderr: '' });
  const missing = await host.docker(['save', '-o', path('none.tar'), 'nothing']);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^Error response from daemon: No such image: nothing:latest\n$/);
  assert.equal(existsSync(path('none.tar')), false);
});

test('skopeo reads what strake saves as a docker archive and as an OCI layout, and strake what skopeo writes', async () => {
  const archive = path('skopeo.tar');
  await host.ok(['save', '-o', archive, 'app:1']);
  const id = await idOf(host, 'app:1');
  const layers = await layersOf(host, 'app:1');
  for (const source of [`docker-archive:${archive}:app:1`, `oci-archive:${archive}:1`]) {
    assert.equal(
      `sha256:${createHash('sha256')
        .update((await run('skopeo', ['inspect', '--config', '--raw', source])).stdout)
        .digest('hex')}`,
      id,
      source,
    );
    for (const kind of ['docker-archive', 'oci-archive']) {
      const copy = path(`skopeo-${kind}-${source.slice(0, 3)}.tar`);
      await must('skopeo', ['copy', '-q', source, `${kind}:${copy}:copied/by:skopeo`]);
      assert.match(await other.ok(['load', '-q', '-i', copy]), /^Loaded image: copied\/by:skopeo$/m);
      assert.equal(await layersOf(other, 'copied/by:skopeo'), layers);
      // From the OCI layout to a docker archive and back to its own kind skopeo keeps the config.
      if (kind === 'docker-archive' || source.startsWith('oci'))
        assert.equal(await idOf(other, 'copied/by:skopeo'), id, copy);
    }
  }
});

test('podman loads what strake saves, and strake what podman saves', async () => {
  const podman = { ok: (args: readonly string[]) => must('podman', [...podmanStorage(), ...args]) };
  const archive = path('podman.tar');
  await host.ok(['save', '-o', archive, 'app:1', 'tree']);
  await podman.ok(['load', '-i', archive]);
  const id = await idOf(host, 'app:1');
  assert.equal(`sha256:${await podman.ok(['inspect', '--format', '{{.Id}}', 'localhost/app:1'])}`, id);
  await podman.ok(['tag', 'localhost/app:1', 'localhost/podman:1']);
  for (const format of ['docker-archive', 'oci-archive']) {
    const saved = path(`podman-${format}.tar`);
    await podman.ok(['save', '-q', '--format', format, '-o', saved, 'localhost/podman:1']);
    assert.match(await other.ok(['load', '-q', '-i', saved]), /^Loaded image: localhost\/podman:1$/m);
    assert.equal(await layersOf(other, 'localhost/podman:1'), await layersOf(host, 'app:1'));
    if (format === 'docker-archive') assert.equal(await idOf(other, 'localhost/podman:1'), id);
  }
});

test('buildah: an image that it built is loaded from each of its archives, and it pulls what strake saves', async () => {
  const buildah = (...args: string[]) => must('buildah', [...podmanStorage(), ...args]);
  await buildah('pull', '-q', `docker-archive:${path('podman.tar')}:app:1`);
  const made = await buildah('build', '-q', '--layers', '-t', 'localhost/built:1', context('app:1'));
  for (const kind of ['oci-archive', 'docker-archive']) {
    const archive = path(`buildah-${kind}.tar`);
    const format = kind === 'oci-archive' ? 'oci' : 'v2s2';
    await buildah('push', '-q', '--format', format, 'localhost/built:1', `${kind}:${archive}:localhost/built:1`);
    assert.match(await other.ok(['load', '-q', '-i', archive]), /^Loaded image: localhost\/built:1$/m);
    const { stdout } = await run('skopeo', ['inspect', '--config', '--raw', `${kind}:${archive}:localhost/built:1`]);
    const inside = `sha256:${createHash('sha256').update(stdout).digest('hex')}`;
    assert.equal(await idOf(other, 'localhost/built:1'), inside);
    if (kind === 'oci-archive') assert.equal(inside, made.startsWith('sha256:') ? made : `sha256:${made}`);
  }
});

test('compressed archives are loaded, from a file and from stdin', async () => {
  await host.ok(['save', '-o', path('plain.tar'), 'app:1']);
  for (const [program, suffix] of [
    ['gzip', 'gz'],
    ['bzip2', 'bz2'],
    ['xz', 'xz'],
    ['zstd', 'zst'],
  ] as const) {
    await must(program, ['-q', '-k', '-f', path('plain.tar')]);
    const archive = path(`plain.tar.${suffix}`);
    await other.strake(['rmi', '-f', 'app:1']);
    assert.equal(await other.ok(['load', '-i', archive]), 'Loaded image: app:1', program);
    assert.equal(await other.ok(['load'], { input: readFileSync(archive) }), 'Loaded image: app:1', program);
  }
});

test('every file arrives as it was: modes, owners, times, xattrs, links, devices, holes, long names', async () => {
  const expected = describeTree(path('tree'));
  assert.equal(expected.size > 20, true);
  // With holes only strake can give the tar of the layer back: dockerd and buildah refuse to.
  await must('tar', [
    '-C',
    path('tree'),
    '-S',
    '--xattrs',
    '--xattrs-include=*',
    '--format=posix',
    '-cf',
    path('holes.tar'),
    '.',
  ]);
  await host.ok(['import', path('holes.tar'), 'tree:holes']);
  await host.ok(['save', '-o', path('holes-saved.tar'), 'tree:holes']);
  for (const [image, archive] of [
    ['tree', path('by-docker.tar')],
    ['tree', path('of-docker.tar')],
    ['tree:holes', path('holes-saved.tar')],
  ] as const) {
    await other.strake(['rmi', '-f', image]);
    await other.ok(['load', '-q', '-i', archive]);
    const layer = await other.ok(['inspect', '--format', '{{.GraphDriver.Data.UpperDir}}', image]);
    assert.deepEqual([...describeTree(layer)], [...expected]);
  }
});

test('a host that is killed while it loads or saves opens clean, and the load works then', async () => {
  await using victim = await startHost();
  const archive = path('of-docker.tar');
  for (const milliseconds of [30, 80, 150, 300]) {
    const loading = request(victim, ['-X', 'POST', '-T', archive, 'http://host/images/load']);
    await sleep(milliseconds);
    await victim.stop('SIGKILL');
    await loading;
    await victim.restart();
    const listed = await victim.ok(['images', '-q']);
    assert.ok(listed === '' || listed.split('\n').length === 3, listed);
    if (listed !== '') await victim.ok(['rmi', '-f', 'theirs:1', 'theirs:2', 'tree']);
  }
  await victim.ok(['load', '-i', archive]);
  const saving = request(victim, ['-o', path('cut.tar'), 'http://host/images/tree/get']);
  await sleep(20);
  await victim.stop('SIGKILL');
  await saving;
  await victim.restart();
  assert.equal(
    await victim.ok(['load', '-q', '-i', archive]).then(() => idOf(victim, 'tree')),
    await idOf(dockerd, 'tree'),
  );
});

test('a full disk is said clearly, and leaves nothing behind', async () => {
  const archive = path('large.tar');
  mkdirSync(path('large'));
  writeFileSync(path('large/zeros'), Buffer.alloc(64 << 20, 1));
  await must('tar', ['-C', path('large'), '-cf', path('large-root.tar'), '.']);
  await host.ok(['import', path('large-root.tar'), 'large']);
  await host.ok(['save', '-o', archive, 'large']);
  using disk = smallDisk(40);
  await using small = await startHost({ dataRoot: join(disk.path, 'data') });
  const result = await small.strake(['load', '-i', archive]);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /no space left|expands to more than/);
  assert.equal(await small.ok(['images', '-qa']), '');
  await small.ok(['load', '-q', '-i', path('plain.tar')]);
});

/** A request by a client that does not start a host when there is none. */
const request = (engine: TestHost, args: readonly string[]) =>
  run('curl', ['-sS', '--unix-socket', engine.socket, ...args]);

async function savedBy(engine: TestHost, image: string): Promise<Buffer> {
  const archive = path('saved-by.tar');
  await engine.ok(['save', '-o', archive, image]);
  return readFileSync(archive);
}

function context(base = 'tree'): string {
  const made = mkdtempSync(join(folder, 'context-'));
  writeFileSync(join(made, 'Dockerfile'), DOCKERFILE.replace('FROM tree', `FROM ${base}`));
  for (const [name, content] of Object.entries(FILES)) writeFileSync(join(made, name), content);
  return made;
}

function podmanStorage(): string[] {
  return ['--root', path('podman'), '--runroot', path('podman-run'), '--storage-driver', 'vfs'];
}

/** A root with every kind of file that an archive must keep. */
function makeTree(): string {
  const root = path('tree');
  for (const name of ['bin', 'dev', 'etc', 'var/empty', `long/${'d'.repeat(90)}/${'e'.repeat(90)}`])
    mkdirSync(join(root, name), { recursive: true });
  const file = (name: string, content: string | Buffer, mode = 0o644) =>
    writeFileSync(join(root, name), content, { mode });
  file('bin/tool', Buffer.alloc(100_000, 'tool'), 0o755);
  for (const [name, mode] of [
    ['setuid', 0o4755],
    ['setgid', 0o2755],
    ['sticky', 0o1644],
    ['closed', 0o000],
    ['write-only', 0o222],
  ] as const) {
    file(`etc/${name}`, name);
    chmodSync(join(root, 'etc', name), mode);
  }
  file('etc/empty', '');
  file('etc/owned', 'owned');
  chownSync(join(root, 'etc/owned'), 1234, 56_789);
  file('etc/large-owner', 'owned');
  chownSync(join(root, 'etc/large-owner'), 3_000_000, 4_000_000);
  chmodSync(join(root, 'etc/large-owner'), 0o4711);
  linkSync(join(root, 'etc/owned'), join(root, 'etc/another-name'));
  linkSync(join(root, 'etc/owned'), join(root, 'var/third-name'));
  symlinkSync('../bin/tool', join(root, 'etc/link'));
  symlinkSync('/nowhere', join(root, 'etc/dangling'));
  symlinkSync(`/${'t'.repeat(200)}`, join(root, 'etc/long-link'));
  file(`long/${'d'.repeat(90)}/${'e'.repeat(90)}/${'f'.repeat(200)}`, 'long');
  file('etc/naïve – имя', 'unicode');
  writeFileSync(Buffer.concat([Buffer.from(`${root}/etc/bytes-`), Buffer.of(0xff, 0xfe)]), 'no UTF-8');
  file('etc/with space\nand newline', 'odd');
  file('etc/xattr', 'xattr');
  setXattr(join(root, 'etc/xattr'), 'user.comment', 'a comment');
  setXattr(
    join(root, 'bin/tool'),
    'security.capability',
    Buffer.from('0100000200040000000000000000000000000000', 'hex'),
  );
  makeNode(join(root, 'dev/null'), 0o020666, 0x103);
  makeNode(join(root, 'dev/disk'), 0o060660, 0x801);
  makeNode(join(root, 'dev/pipe'), 0o010600);
  file('var/sparse', 'start');
  truncateSync(join(root, 'var/sparse'), 5 << 20);
  chmodSync(join(root, 'var/empty'), 0o1777);
  for (const [name, time] of [
    ['etc/owned', 1],
    ['etc/empty', -86_400],
    ['etc/xattr', 4_000_000_000],
    ['etc/link', 1_000_000],
  ] as const)
    lutimesSync(join(root, name), time, time);
  return root;
}

/** Everything about every file of a tree, by path. */
function describeTree(root: string): Map<string, string> {
  const facts = new Map<string, string>();
  const inodes = new Map<number, string>();
  const walk = (name: Buffer, shown: string) => {
    const stat = lstatSync(name);
    const first = stat.isDirectory() ? undefined : inodes.get(stat.ino);
    if (!stat.isDirectory()) inodes.set(stat.ino, first ?? shown);
    const content = stat.isFile() ? createHash('sha256').update(readFileSync(name)).digest('hex') : '';
    const link = stat.isSymbolicLink() ? readlinkSync(name) : '';
    const xattrs = stat.isSymbolicLink()
      ? []
      : listXattrs(name)
          .sort()
          .map((key) => `${key}=${getXattr(name, key)?.toString('hex')}`);
    const size = stat.isDirectory() ? 0 : stat.size;
    const { mode, uid, gid, rdev } = stat;
    facts.set(
      shown,
      JSON.stringify({
        mode: mode.toString(8),
        uid,
        gid,
        rdev,
        size,
        time: Math.floor(stat.mtimeMs / 1000),
        first,
        content,
        link,
        xattrs,
      }),
    );
    if (!stat.isDirectory()) return;
    for (const child of readdirSync(name, { encoding: 'buffer' }).sort(Buffer.compare))
      walk(Buffer.concat([name, Buffer.from('/'), child]), `${shown}/${child.toString('latin1')}`);
  };
  walk(Buffer.from(root), '');
  return facts;
}
