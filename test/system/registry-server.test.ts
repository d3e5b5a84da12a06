/** `strake registry serve` with real clients: our host, docker, dockerd, podman, buildah, skopeo. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeCertificates, startRegistry } from './docker-registry.ts';
import { startDockerd } from './dockerd.ts';
import { importBusybox, type Result, run, STRAKE, smallDisk, startHost, type TestHost } from './harness.ts';
import { type StrakeRegistry, startStrakeRegistry } from './strake-registry.ts';

let host: TestHost;
let registry: StrakeRegistry;
/** Credentials of the command, away from those of whoever runs the tests. */
let env: Record<string, string>;

before(async () => {
  host = await startHost();
  env = { DOCKER_CONFIG: join(host.folder, 'config'), HOME: host.folder };
  mkdirSync(join(host.folder, 'config'));
  writeFileSync(join(host.folder, 'config/config.json'), '{}'); // podman insists on it
  registry = await startStrakeRegistry(host.folder, { flags: ['--grace', '0', '--collect-every', '0'] });
  await importBusybox(host);
  await host.build('app', 'FROM busybox\nCOPY hello /hello\nCOPY more /more\nCMD ["cat", "/hello"]', {
    hello: 'hello',
    more: 'more',
  });
});

after(async () => {
  await run('podman', [...containersStorage(), 'unmount', '-a']);
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

const ok = (args: readonly string[]) => host.ok(args, { env });
const docker = async (...args: string[]) => succeeded(await host.docker(args, { env }), `docker ${args.join(' ')}`);
const must = async (program: string, args: readonly string[], input?: string) =>
  succeeded(await run(program, args, { env, ...(input !== undefined && { input }) }), `${program} ${args.join(' ')}`);
const insecure = ['--tls-verify=false'];

function succeeded({ code, stdout, stderr }: Result, what: string): string {
  assert.equal(code, 0, `${what}\n${stdout}\n${stderr}\n${registry.log().slice(-2000)}`);
  return stdout.trim();
}

function containersStorage(): string[] {
  return [
    '--root',
    join(host.folder, 'containers'),
    '--runroot',
    join(host.folder, 'containers-run'),
    '--storage-driver',
    'vfs',
  ];
}

async function get(path: string): Promise<unknown> {
  return JSON.parse(await must('curl', ['-fsS', `http://${registry.host}/v2/${path}`]));
}

const lastDigest = (output: string) => /digest: (sha256:[0-9a-f]{64}) size: \d+$/m.exec(output)?.[1] ?? '';

test('strake: push, remove, pull: the same image under the same digest', async () => {
  const name = `${registry.host}/team/app:1`;
  const id = await host.inspect('app', '{{.Id}}');
  await ok(['tag', 'app', name]);
  const digest = lastDigest(await ok(['push', name]));
  await ok(['rmi', name]);
  assert.match(await ok(['pull', name]), new RegExp(`^Digest: ${digest}$`, 'm'));
  assert.equal(await host.inspect(name, '{{.Id}}'), id);
  assert.match(await ok(['pull', `${registry.host}/team/app@${digest}`]), new RegExp(digest));
  const missing = await host.strake(['pull', `${registry.host}/team/app:none`], { env });
  assert.match(missing.stderr, /manifest for \S+\/team\/app:none not found: manifest unknown: manifest unknown/);
});

test('strake: a second repository gets its layers by mounts', async () => {
  const name = `${registry.host}/second/app:1`;
  await ok(['tag', 'app', name]);
  assert.match(await ok(['push', name]), /Mounted from team\/app/);
  assert.deepEqual(await get('second/app/tags/list'), { name: 'second/app', tags: ['1'] });
});

test('docker and dockerd: push and pull what the other pushed', async () => {
  await using dockerd = await startDockerd(host.folder);
  const name = `${registry.host}/team/app:1`;
  assert.match(await dockerd.ok(['pull', name]), /Status: Downloaded newer image/);
  assert.equal(await dockerd.ok(['inspect', '--format', '{{.Id}}', name]), await host.inspect('app', '{{.Id}}'));
  const other = `${registry.host}/docker/app:2`;
  await dockerd.ok(['tag', name, other]);
  const digest = lastDigest(await dockerd.ok(['push', other]));
  await ok(['rmi', name]);
  assert.match(await docker('pull', other), new RegExp(`^Digest: ${digest}$`, 'm'));
  assert.equal(await host.inspect(other, '{{.Id}}'), await host.inspect('app', '{{.Id}}'));
  await docker('tag', other, `${registry.host}/docker/app:3`);
  assert.equal(lastDigest(await docker('push', `${registry.host}/docker/app:3`)), digest);
});

test('skopeo: copy in both formats, inspect, list-tags, sync, delete', async () => {
  const name = `docker://${registry.host}/team/app:1`;
  const folder = join(host.folder, 'skopeo');
  await must('skopeo', ['copy', '--src-tls-verify=false', name, `oci:${folder}:app`]);
  const copied = `docker://${registry.host}/skopeo/app`;
  await must('skopeo', ['copy', '--dest-tls-verify=false', `oci:${folder}:app`, `${copied}:oci`]);
  await must('skopeo', ['copy', '--dest-tls-verify=false', '-f', 'v2s2', `oci:${folder}:app`, `${copied}:docker`]);
  const seen = JSON.parse(await must('skopeo', ['inspect', ...insecure, `${copied}:oci`]));
  assert.deepEqual(seen.RepoTags, ['docker', 'oci']);
  assert.deepEqual(JSON.parse(await must('skopeo', ['list-tags', ...insecure, copied])).Tags, ['docker', 'oci']);
  const raw = await must('skopeo', ['inspect', '--raw', ...insecure, `${copied}:oci`]);
  assert.equal(JSON.parse(raw).mediaType, 'application/vnd.oci.image.manifest.v1+json');
  const sync = ['sync', '--src-tls-verify=false', '--dest-tls-verify=false', '--src', 'docker', '--dest', 'docker'];
  await must('skopeo', [...sync, `${registry.host}/skopeo/app`, `${registry.host}/synced`]);
  assert.deepEqual(await get('synced/app/tags/list'), { name: 'synced/app', tags: ['docker', 'oci'] });
  await must('skopeo', ['delete', ...insecure, `${copied}:oci`]);
  assert.deepEqual(await get('skopeo/app/tags/list'), { name: 'skopeo/app', tags: ['docker'] });
});

test('podman and buildah: push, pull, an index of two images', async () => {
  const podman = (...args: string[]) => must('podman', [...containersStorage(), ...args]);
  const buildah = (...args: string[]) => must('buildah', [...containersStorage(), ...args]);
  const name = `${registry.host}/team/app:1`;
  await podman('pull', '-q', ...insecure, name);
  assert.equal(`sha256:${await podman('inspect', '--format', '{{.Id}}', name)}`, await host.inspect('app', '{{.Id}}'));
  await podman('push', '-q', ...insecure, name, `docker://${registry.host}/podman/app:1`);
  const container = await buildah('from', '-q', name);
  await buildah('config', '--label', 'by=buildah', container);
  await buildah('commit', '-q', container, 'localhost/built');
  await buildah('push', '-q', ...insecure, 'localhost/built', `docker://${registry.host}/buildah/app:1`);
  await buildah('rm', container);
  await podman('manifest', 'create', 'localhost/list', 'containers-storage:localhost/built');
  await podman(
    'manifest',
    'push',
    '-q',
    '--all',
    ...insecure,
    'localhost/list',
    `docker://${registry.host}/buildah/app:list`,
  );
  for (const pulled of ['podman/app:1', 'buildah/app:1', 'buildah/app:list']) {
    await ok(['pull', `${registry.host}/${pulled}`]);
    assert.equal(await host.inspect(`${registry.host}/${pulled}`, '{{index .Config.Cmd 0}}'), 'cat');
  }
  assert.equal(await host.inspect(`${registry.host}/buildah/app:1`, '{{.Config.Labels.by}}'), 'buildah');
});

test('users: passwords, TLS and a private authority', async () => {
  const address = '198.51.100.8';
  const link = ['addr', 'add', `${address}/32`, 'dev', 'lo'];
  assert.equal((await run('ip', link)).code, 0);
  const folder = join(host.folder, 'tls');
  mkdirSync(folder);
  const tls = await makeCertificates(folder, address);
  // bcrypt of "secret"
  writeFileSync(join(folder, 'users'), 'me:$2b$04$QJ.R4pTP5eDkYqFkQoq2yOvDJ.ITXMQcuGuRfYnIbUPgPTd7.E0Fy\n');
  const users = ['--htpasswd', join(folder, 'users')];
  const flags = ['--tls-cert', tls.certificate, '--tls-key', tls.key, ...users];
  const guarded = await startStrakeRegistry(host.folder, { flags, address });
  const certificates = `/etc/docker/certs.d/${guarded.host}`;
  try {
    mkdirSync(certificates, { recursive: true });
    cpSync(tls.authority, join(certificates, 'ca.crt'));
    const name = `${guarded.host}/private/app:1`;
    await ok(['tag', 'app', name]);
    const refused = await host.strake(['push', name], { env });
    assert.match(refused.stderr, /no basic auth credentials/);
    const wrong = await host.strake(['login', '-u', 'me', '-p', 'wrong', guarded.host], { env });
    assert.match(wrong.stderr, /401 Unauthorized/);
    await ok(['login', '-u', 'me', '-p', 'secret', guarded.host]);
    const digest = lastDigest(await ok(['push', name]));
    await ok(['rmi', name]);
    assert.match(await docker('pull', name), new RegExp(`^Digest: ${digest}$`, 'm'));
    const skopeo = ['--cert-dir', certificates, '--creds', 'me:secret', `docker://${name}`];
    assert.equal(JSON.parse(await must('skopeo', ['inspect', ...skopeo])).Digest, digest);
    await ok(['logout', guarded.host]);
  } finally {
    rmSync(certificates, { recursive: true, force: true });
    await guarded[Symbol.asyncDispose]();
    await run('ip', ['addr', 'del', `${address}/32`, 'dev', 'lo']);
  }
});

test('users: tokens, rights, and those without a name', async () => {
  const folder = join(host.folder, 'rights');
  mkdirSync(folder);
  writeFileSync(join(folder, 'users'), 'me:$2b$04$QJ.R4pTP5eDkYqFkQoq2yOvDJ.ITXMQcuGuRfYnIbUPgPTd7.E0Fy\n');
  writeFileSync(join(folder, 'rights'), 'me team/** pull,push,delete\n- team/public pull\n');
  const flags = ['--htpasswd', join(folder, 'users'), '--rights', join(folder, 'rights')];
  await using guarded = await startStrakeRegistry(host.folder, { flags });
  const name = `${guarded.host}/team/public:1`;
  for (const path of ['team/public:1', 'team/app:1', 'other/app:1'])
    await ok(['tag', 'app', `${guarded.host}/${path}`]);
  assert.notEqual((await host.strake(['push', name], { env })).code, 0);
  await docker('login', '-u', 'me', '-p', 'secret', guarded.host);
  const { auths } = JSON.parse(readFileSync(join(host.folder, 'config/config.json'), 'utf8'));
  assert.match(auths[guarded.host].identitytoken, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  assert.equal(Buffer.from(auths[guarded.host].auth ?? '', 'base64').includes('secret'), false);
  const digest = lastDigest(await docker('push', name));
  await ok(['push', `${guarded.host}/team/app:1`]);
  const other = await host.strake(['push', `${guarded.host}/other/app:1`], { env });
  assert.match(other.stderr, /denied: requested access to the resource is denied/);
  await docker('logout', guarded.host);
  assert.match(await docker('pull', name), new RegExp(digest));
  assert.equal(JSON.parse(await must('skopeo', ['inspect', ...insecure, `docker://${name}`])).Digest, digest);
  assert.notEqual((await host.strake(['pull', `${guarded.host}/team/app:1`], { env })).code, 0);
});

test('strake registry: ls, rm of a tag, an image and a repository, prune, gc, check', async () => {
  const at = (...args: string[]) => must(STRAKE, ['registry', ...args]);
  const repository = `${registry.host}/managed/app`;
  for (const tag of ['1', '2', '3']) {
    await host.build(`managed-${tag}`, `FROM busybox\nLABEL tag=${tag}`);
    await ok(['tag', `managed-${tag}`, `${repository}:${tag}`]);
    await ok(['push', `${repository}:${tag}`]);
  }
  assert.match(await at('ls', registry.host), /^managed\/app$/m);
  assert.match(await ok(['search', `${registry.host}/manag`]), /managed\/app/);
  assert.equal(await at('ls', repository), '1\n2\n3');
  assert.equal(await at('rm', `${repository}:1`), `Untagged: ${repository}:1`);
  assert.match(await at('rm', '--image', `${repository}:2`), /^Deleted: \S+\/managed\/app@sha256:[0-9a-f]{64}$/);
  assert.match(await at('prune', '--untagged', '--dry-run', repository), /^Would delete: \S+\/managed\/app@sha256:/);
  assert.match(await at('prune', '--untagged', '--force', repository), /^Deleted: \S+\/managed\/app@sha256:/);
  assert.equal(await at('prune', '--tags', '*', '--keep-last', '1', '--force', repository), '');
  assert.match(
    await at('restore', `${repository}:1`),
    /^Restored: \S+\/managed\/app@sha256:[0-9a-f]{64}\nRestored: \S+app:1$/,
  );
  assert.equal(await at('rm', '-r', repository), `Deleted: ${repository}`);
  assert.match(
    await at('gc', registry.host),
    /^Deleted 3 blobs and 0 unfinished uploads\nTotal reclaimed space: \S+B$/,
  );
  assert.doesNotMatch(await at('ls', registry.host), /managed/);
  const gone = await run(STRAKE, ['registry', 'rm', `${repository}:3`], { env });
  assert.deepEqual([gone.code, gone.stderr], [1, 'manifest unknown: manifest unknown\n']);
  const whole = await run(STRAKE, ['registry', 'rm', repository], { env });
  assert.match(whole.stderr, /is a whole repository: add -r to delete it/);
  assert.match(await at('check', registry.host), /^Checked \d+ blobs, \d+ manifests?: no problem$/);
});

test('a registry that shares files with the host: a push moves no bytes, and each side deletes only its own', async () => {
  const log = join(host.folder, 'shared.log');
  const content = join(host.dataRoot, 'content/sha256');
  const flags = [
    '--share',
    host.dataRoot,
    '--access-log',
    log,
    '--grace',
    '0',
    '--lease',
    '0s',
    '--collect-every',
    '0',
  ];
  await using shared = await startStrakeRegistry(host.folder, { flags });
  await host.build('shared', 'FROM busybox\nRUN head -c 3000000 /dev/urandom > /noise');
  const name = `${shared.host}/team/shared:1`;
  await ok(['tag', 'shared', name]);
  const digest = lastDigest(await ok(['push', name]));
  const rows = readFileSync(log, 'utf8').trim().split('\n');
  const received = rows.reduce((sum, row) => sum + JSON.parse(row).received, 0);
  assert.ok(received < 20_000, `${received} bytes were sent`);
  const inodes = (folder: string) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).ino);
  const same = inodes(join(shared.data, 'blobs')).filter((inode) => inodes(content).includes(inode));
  assert.equal(same.length, 2);
  // The host lets its files go: those of the registry stay.
  await ok(['rmi', name, 'shared']);
  await ok(['builder', 'prune', '--all', '--force']);
  assert.ok(same.some((inode) => !inodes(content).includes(inode)));
  await must('skopeo', [
    'copy',
    '--src-tls-verify=false',
    `docker://${name}`,
    `dir:${join(host.folder, 'shared-copy')}`,
  ]);
  assert.match(await must(STRAKE, ['registry', 'check', shared.host]), /: no problem$/);
  // And the other way round, with the layers of busybox.
  await ok(['tag', 'busybox', `${shared.host}/team/box:1`]);
  await ok(['push', `${shared.host}/team/box:1`]);
  for (const repository of ['box', 'shared'])
    await must(STRAKE, ['registry', 'rm', '-r', `${shared.host}/team/${repository}`]);
  await must(STRAKE, ['registry', 'gc', shared.host]);
  assert.deepEqual(inodes(join(shared.data, 'blobs')), []);
  assert.equal(lastDigest(await ok(['push', `${shared.host}/team/box:1`])).length, digest.length);
});

test("a mirror of Docker's registry: pulls go through it, are counted and logged, and need no upstream later", async () => {
  const log = join(host.folder, 'access.log');
  await using upstream = await startRegistry(host.folder);
  await ok(['tag', 'app', `${upstream.host}/team/app:1`]);
  const digest = lastDigest(await ok(['push', `${upstream.host}/team/app:1`]));
  const flags = ['--proxy', `http://${upstream.host}`, '--access-log', log, '--metrics', '127.0.0.1:0'];
  await using mirror = await startStrakeRegistry(host.folder, { flags });
  const name = `${mirror.host}/team/app:1`;
  assert.match(await ok(['pull', name]), new RegExp(`^Digest: ${digest}$`, 'm'));
  // The host may have had its layers already: a client that keeps nothing gets them all.
  await must('skopeo', ['copy', '--src-tls-verify=false', `docker://${name}`, `dir:${join(host.folder, 'mirrored')}`]);
  await upstream[Symbol.asyncDispose]();
  await ok(['rmi', name]);
  assert.match(await ok(['pull', name]), new RegExp(`^Digest: ${digest}$`, 'm'));
  await must('skopeo', ['copy', '--src-tls-verify=false', `docker://${name}`, `dir:${join(host.folder, 'again')}`]);
  const refused = await host.strake(['push', name], { env });
  assert.match(refused.stderr, /this is a mirror of localhost:\d+: push there/);
  const metrics = / metrics address="([^"]+)"/.exec(mirror.log())?.[1] ?? '';
  assert.match(await must('curl', ['-fsS', `http://${metrics}/metrics`]), /route="blob",status="200"\} [1-9]/);
  const rows = readFileSync(log, 'utf8').trim().split('\n');
  assert.ok(rows.map((row) => JSON.parse(row)).some(({ route, status }) => route === 'manifest' && status === 200));
});

test('a full disk: the push fails with the reason, and nothing of it stays', async () => {
  using disk = smallDisk(16);
  await using small = await startStrakeRegistry(disk.path);
  const upload = (size: number) => {
    const url = `http://${small.host}/v2/full/app/blobs/uploads/?digest=sha256:${'0'.repeat(64)}`;
    const sent = `head -c ${size} /dev/zero | curl -s -o /dev/null -w '%{http_code}' -T - -X POST '${url}'`;
    return must('sh', ['-c', sent]);
  };
  assert.equal(await upload(30_000_000), '507');
  assert.match(small.log(), /no space left in \S+blobs/);
  assert.equal(await upload(8_000_000), '400', 'there is room again: only the digest is wrong');
  const files = readdirSync(join(small.data, 'blobs'), { recursive: true, withFileTypes: true });
  assert.deepEqual(
    files.filter((entry) => entry.isFile()),
    [],
  );
});

test('a disk that is full to its last byte: deletion and collection give room back', async () => {
  using disk = smallDisk(24);
  await using small = await startStrakeRegistry(disk.path, { flags: ['--grace', '0', '--collect-every', '0'] });
  const ask = async (method: string, path: string, body?: Buffer | string, headers = {}) => {
    const answer = await fetch(`http://${small.host}${path}`, { method, headers, ...(body !== undefined && { body }) });
    return { status: answer.status, text: await answer.text() };
  };
  const digestOf = (bytes: Buffer | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const push = (bytes: Buffer) => ask('POST', `/v2/full/app/blobs/uploads/?digest=${digestOf(bytes)}`, bytes);
  const config = randomBytes(100);
  assert.equal((await push(config)).status, 201);
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const described = { mediaType: 'a/b', digest: digestOf(config), size: config.length };
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType: type, config: described, layers: [] });
  const place = '/v2/full/app/manifests';
  assert.equal((await ask('PUT', `${place}/1`, manifest, { 'content-type': type })).status, 201);
  for (const size of [1 << 20, 64 << 10, 4 << 10]) while ((await push(randomBytes(size))).status === 201);
  while ((await ask('POST', '/v2/full/app/blobs/uploads/')).status === 202);
  const refused = await push(randomBytes(4 << 10));
  assert.deepEqual(refused, { status: 507, text: '{"errors":[{"code":"UNKNOWN","message":"no space left"}]}' });
  assert.equal((await ask('GET', `${place}/1`)).text, manifest);
  assert.equal((await ask('DELETE', `${place}/${digestOf(manifest)}`)).status, 202);
  assert.equal((await ask('POST', '/_strake/gc/now')).status, 200);
  assert.equal((await push(randomBytes(4 << 20))).status, 201);
});

test("the data of Docker's registry is taken over without a copy, and served", async () => {
  const folder = join(host.folder, 'taken-over');
  let digest = '';
  {
    await using old = await startRegistry(host.folder, { keep: folder });
    for (const tag of ['1', '2']) {
      await ok(['tag', 'app', `${old.host}/old/app:${tag}`]);
      digest = lastDigest(await ok(['push', `${old.host}/old/app:${tag}`]));
    }
    await must('skopeo', [
      'copy',
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      ...['-f', 'oci', `docker://${old.host}/old/app:1`, `docker://${old.host}/old/deep/app:oci`],
    ]);
  }
  await using served = await startStrakeRegistry(host.folder);
  await served.stop();
  const printed = await must(STRAKE, ['registry', 'import', '--data', served.data, join(folder, 'data')]);
  assert.deepEqual(printed.split('\n'), ['old/app: 1 manifests, 2 tags', 'old/deep/app: 1 manifests, 1 tags']);
  await served.restart();
  const name = `${served.host}/old/app:2`;
  assert.match(await ok(['pull', name]), new RegExp(`^Digest: ${digest}$`, 'm'));
  assert.match(await must(STRAKE, ['registry', 'check', served.host]), /: no problem$/);
});
