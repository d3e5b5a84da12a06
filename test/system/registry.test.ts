/** The host as a client of registries: Debian's docker-registry, with what docker and skopeo make of the same images. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type DockerRegistry, makeCertificates, startRegistry } from './docker-registry.ts';
import { startDockerd } from './dockerd.ts';
import { importBusybox, makeContext, run, startHost, type TestHost, until } from './harness.ts';

let host: TestHost;
let registry: DockerRegistry;
/** Credentials of the command, away from those of whoever runs the tests. */
let env: Record<string, string>;

before(async () => {
  host = await startHost();
  env = { DOCKER_CONFIG: join(host.folder, 'config'), HOME: host.folder };
  registry = await startRegistry(host.folder);
  await importBusybox(host);
  await host.build('app', 'FROM busybox\nCOPY hello /hello\nRUN echo more > /more\nCMD ["cat", "/hello"]', {
    hello: 'hello',
  });
});

after(async () => {
  await registry[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

const ok = (args: readonly string[]) => host.ok(args, { env });

async function fails(args: readonly string[], words: RegExp): Promise<void> {
  const { code, stdout, stderr } = await host.strake(args, { env });
  assert.notEqual(code, 0, `${args.join(' ')} succeeded:\n${stdout}`);
  assert.match(stderr, words);
}

async function skopeo(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run('skopeo', args);
  assert.equal(code, 0, `skopeo ${args.join(' ')}\n${stderr}`);
  return stdout;
}

/** Layers that the build cache keeps would not be fetched. */
async function forgetCache(): Promise<void> {
  const prune = await run('curl', [
    '-fsS',
    '--unix-socket',
    host.socket,
    '-X',
    'POST',
    'http://host/build/prune?all=1',
  ]);
  assert.equal(prune.code, 0, prune.stderr);
}

const lastDigest = (output: string) => /digest: (sha256:[0-9a-f]{64}) size: \d+$/m.exec(output)?.[1] ?? '';

test('push, remove, pull: the same image under the same digest, and it runs', async () => {
  const name = `${registry.host}/team/app:1`;
  const id = await host.inspect('app', '{{.Id}}');
  await ok(['tag', 'app', name]);
  const pushed = await ok(['push', name]);
  assert.match(pushed, new RegExp(`^The push refers to repository \\[${registry.host}/team/app\\]\n`));
  const digest = lastDigest(pushed);
  const seen = JSON.parse(await skopeo('inspect', '--tls-verify=false', `docker://${name}`));
  assert.equal(seen.Digest, digest);
  assert.deepEqual(seen.RepoTags, ['1']);
  assert.equal(await host.inspect(name, '{{index .RepoDigests 0}}'), `${registry.host}/team/app@${digest}`);

  await ok(['rmi', '-f', name, 'app']);
  await forgetCache();
  const pulled = await ok(['pull', name]);
  assert.match(
    pulled,
    new RegExp(`^1: Pulling from team/app$[^]*^Digest: ${digest}$\n^Status: Downloaded newer image for ${name}$`, 'm'),
  );
  assert.equal(await host.inspect(name, '{{.Id}}'), id);
  assert.equal(await ok(['run', '--rm', name]), 'hello');
  assert.match(await ok(['pull', name]), /^Status: Image is up to date for /m);
  assert.match(await ok(['push', name]), new RegExp(`digest: ${digest} `));
  await ok(['tag', name, 'app']);
});

test('docker pulls what Strake pushed and the reverse: same IDs, same digests', async () => {
  await using docker = await startDockerd(host.folder);
  const ours = `${registry.host}/parity/ours:1`;
  await ok(['tag', 'app', ours]);
  const digest = lastDigest(await ok(['push', ours]));
  assert.match(await docker.ok(['pull', ours]), new RegExp(`^Digest: ${digest}$`, 'm'));
  assert.equal(await docker.ok(['inspect', '--format', '{{.Id}}', ours]), await host.inspect('app', '{{.Id}}'));

  const theirs = `${registry.host}/parity/theirs:1`;
  const tar = join(host.folder, 'busybox.tar');
  await docker.ok(['import', '--change', 'CMD ["echo","theirs"]', tar, theirs]);
  const theirDigest = lastDigest(await docker.ok(['push', theirs]));
  const pulled = await ok(['pull', theirs]);
  assert.match(pulled, new RegExp(`^Digest: ${theirDigest}$`, 'm'));
  assert.equal(await host.inspect(theirs, '{{.Id}}'), await docker.ok(['inspect', '--format', '{{.Id}}', theirs]));
  assert.equal(
    await host.inspect(theirs, '{{json .RepoDigests}}'),
    await docker.ok(['inspect', '--format', '{{json .RepoDigests}}', theirs]),
  );
  // Back under another name: the very manifest that docker wrote.
  await ok(['tag', theirs, `${registry.host}/parity/back:1`]);
  assert.equal(lastDigest(await ok(['push', `${registry.host}/parity/back:1`])), theirDigest);
});

test('the unmodified docker pulls and pushes through the Strake host', async () => {
  const name = `${registry.host}/docker/app:1`;
  await ok(['tag', 'app', name]);
  const pushed = await host.docker(['push', name]);
  assert.equal(pushed.code, 0, pushed.stderr);
  await ok(['rmi', name]);
  const pulled = await host.docker(['pull', name]);
  assert.equal(pulled.code, 0, pulled.stderr);
  assert.match(pulled.stdout, new RegExp(`^Digest: ${lastDigest(pushed.stdout)}$`, 'm'));
});

test('OCI manifests with zstd layers, an index with a choice of platform', async () => {
  const source = `docker://${registry.host}/team/app:1`;
  const target = `${registry.host}/oci/app:zstd`;
  const plain = ['--src-tls-verify=false', '--dest-tls-verify=false'];
  await skopeo('copy', ...plain, '-f', 'oci', '--dest-compress-format', 'zstd', source, `docker://${target}`);
  const raw = await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${target}`);
  const { Digest } = JSON.parse(await skopeo('inspect', '--tls-verify=false', `docker://${target}`));
  const manifest = JSON.parse(raw);
  await ok(['pull', target]);
  assert.equal(await host.inspect(target, '{{.Id}}'), manifest.config.digest);
  assert.equal(await ok(['run', '--rm', target]), 'hello');

  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: ['arm64', 'amd64'].map((architecture) => ({
      mediaType: manifest.mediaType ?? 'application/vnd.oci.image.manifest.v1+json',
      digest: Digest,
      size: Buffer.byteLength(raw),
      platform: { os: 'linux', architecture },
    })),
  };
  const put = await run(
    'curl',
    [
      '-sS',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '-X',
      'PUT',
      '-H',
      `Content-Type: ${index.mediaType}`,
      '--data-binary',
      '@-',
      `http://${registry.host}/v2/oci/app/manifests/index`,
    ],
    { input: JSON.stringify(index) },
  );
  assert.equal(put.stdout, '201');
  await ok(['pull', `${registry.host}/oci/app:index`]);
  assert.equal(await host.inspect(`${registry.host}/oci/app:index`, '{{.Id}}'), manifest.config.digest);
  await fails(
    ['pull', '--platform', 'linux/s390x', `${registry.host}/oci/app:index`],
    /no matching manifest for linux\/s390x in the manifest list entries/,
  );
});

test('image copy: registry to registry without a host, with all platforms; within one without bytes', async () => {
  await using guarded = await startRegistry(host.folder, { users: true });
  const source = `${registry.host}/oci/app:index`;
  const target = `${guarded.host}/copied/app`;
  const nowhere = { ...env, DOCKER_HOST: 'unix:///nonexistent.sock' };
  const copy = (...args: string[]) => host.strake(['image', 'copy', ...args], { env: nowhere });
  const refused = await copy(source, target);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, new RegExp(`no basic auth credentials\n +\\(strake login ${guarded.host}\\)$`, 'm'));
  await ok(['login', '-u', 'me', '-p', 'secret', guarded.host]);
  const copied = await copy(source, target);
  assert.equal(copied.code, 0, copied.stderr);
  assert.match(copied.stdout, /: Copied linux\/arm64$/m);
  const credentials = ['--creds', 'me:secret', '--tls-verify=false'];
  const raw = await skopeo('inspect', '--raw', ...credentials, `docker://${target}:index`);
  assert.equal(raw, await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${source}`));
  await skopeo(
    'copy',
    '-q',
    '--all',
    '--src-tls-verify=false',
    '--src-creds',
    'me:secret',
    `docker://${target}:index`,
    `dir:${host.folder}/copied`,
  );
  const mounted = await copy('--platform', 'linux/amd64', `${target}:index`, `${guarded.host}/second/app:one`);
  assert.match(mounted.stdout, /: Mounted from copied\/app$/m);
  assert.doesNotMatch(mounted.stdout, /: Copied$/m);
  assert.match(
    (await copy(`${registry.host}/nothing`, target)).stderr,
    /^manifest for .*nothing:latest not found: manifest unknown/,
  );
  assert.match((await copy(source, 'localhost:1/x')).stderr, /dial tcp 127\.0\.0\.1:1: connect: connection refused/);
});

test('all tags, a digest, and names that do not exist', async () => {
  const repository = `${registry.host}/many/app`;
  for (const tag of ['1', '2', '3']) await ok(['tag', 'app', `${repository}:${tag}`]);
  const pushed = await ok(['push', '--all-tags', repository]);
  assert.deepEqual(
    [...pushed.matchAll(/^(\d): digest: /gm)].map(([, tag]) => tag),
    ['1', '2', '3'],
  );
  const digest = lastDigest(pushed);
  for (const tag of ['1', '2', '3']) await ok(['rmi', `${repository}:${tag}`]);
  await ok(['pull', '--all-tags', repository]);
  assert.equal((await ok(['images', '-q', repository])).split('\n').length, 3);
  assert.match(await ok(['pull', `${repository}@${digest}`]), new RegExp(`Status: .* for ${repository}@${digest}`));
  await fails(
    ['pull', `${repository}:4`],
    new RegExp(`manifest for ${repository}:4 not found: manifest unknown: manifest unknown`),
  );
  assert.match(await ok(['search', `${registry.host}/many`]), /^many\/app /m);
  await fails(['push', `${repository}@${digest}`], /^cannot push a digest reference$/m);
  await fails(
    ['push', '--platform', 'linux/s390x', `${repository}:1`],
    /does not provide the specified platform \(linux/,
  );
  await fails(
    ['pull', '-a', `${registry.host}/nothing`],
    /repository localhost:\d+\/nothing not found: name unknown: /,
  );
  await fails(['push', `${registry.host}/nothing:1`], /An image does not exist locally with the tag: /);
  await fails(['pull', 'localhost:1/x'], /connect: connection refused/);
});

test('FROM: the store first, else the registry; --pull looks for a newer one', async () => {
  const name = `${registry.host}/base/app:1`;
  await ok(['tag', 'busybox', name]);
  await ok(['push', name]);
  await ok(['rmi', name]);
  assert.match(await host.build('from-registry', `FROM ${name}\nLABEL a=b`), /base\/app|Pulling|Status/);
  const before = await host.inspect(name, '{{.Id}}');
  await ok(['tag', 'app', name]);
  await ok(['push', name]);
  await ok(['tag', before, name]);
  await host.build('not-newer', `FROM ${name}\nLABEL a=b`);
  assert.equal(await host.inspect(name, '{{.Id}}'), before);
  await host.build('newer', `FROM ${name}\nLABEL a=b`, {}, ['--pull']);
  assert.equal(await host.inspect(name, '{{.Id}}'), await host.inspect('app', '{{.Id}}'));
});

test('mirrors of docker.io from the configuration file: the first that has the image', async () => {
  await ok(['tag', 'app', `${registry.host}/library/mirrored:1`]);
  const digest = lastDigest(await ok(['push', `${registry.host}/library/mirrored:1`]));
  const file = join(host.folder, 'host.json');
  writeFileSync(file, JSON.stringify({ 'registry-mirrors': ['http://127.0.0.1:1', `http://${registry.host}/`] }));
  await using mirrored = await startHost({ flags: ['--config-file', file] });
  assert.match(await mirrored.ok(['pull', 'mirrored:1'], { env }), new RegExp(`^Digest: ${digest}$`, 'm'));
  assert.equal(await mirrored.inspect('mirrored:1', '{{json .RepoDigests}}'), `["mirrored@${digest}"]`);
  assert.match(await mirrored.ok(['info'], { env }), /Registry Mirrors:\n +http:\/\/127\.0\.0\.1:1/);
});

test('users: login, wrong password, logout', async () => {
  await using guarded = await startRegistry(host.folder, { users: true });
  const name = `${guarded.host}/private/app:1`;
  await ok(['tag', 'app', name]);
  const wayOut = `no basic auth credentials\n +\\(strake login ${guarded.host}\\)`;
  await fails(['push', name], new RegExp(`^${wayOut}$`, 'm'));
  await fails(['pull', name], new RegExp(`Head "http://[^"]+": ${wayOut}`));
  await fails(
    ['login', '-u', 'me', '-p', 'wrong', guarded.host],
    /login attempt to http:\/\/localhost:\d+\/v2\/ failed with status: 401 Unauthorized/,
  );
  assert.match(await ok(['login', '-u', 'me', '-p', 'secret', guarded.host]), /Login Succeeded/);
  assert.equal(
    await ok(['login', guarded.host]),
    'Authenticating with existing credentials... [Username: me]\nLogin Succeeded',
  );
  const digest = lastDigest(await ok(['push', name]));
  await ok(['rmi', name]);
  assert.match(await ok(['pull', name]), new RegExp(`^Digest: ${digest}$`, 'm'));
  await ok(['rmi', name]);
  await ok(['build', '-t', 'private', makeContext(host.folder, { Dockerfile: `FROM ${name}\nLABEL private=yes` })]);
  await ok(['rmi', name]);
  const docker = await run(
    'docker',
    ['-H', `unix://${host.socket}`, 'login', '-u', 'me', '-p', 'secret', guarded.host],
    { env },
  );
  assert.match(docker.stdout, /Login Succeeded/);
  const context = makeContext(host.folder, { Dockerfile: `FROM ${name}\nLABEL private=again` });
  const built = await host.docker(['build', context], { env });
  assert.equal(built.code, 0, built.stderr);
  await ok(['rmi', name]);
  await ok(['logout', guarded.host]);
  await fails(['pull', name], /no basic auth credentials/);
});

test('TLS: a private authority, a client certificate, and neither', async () => {
  const address = '198.51.100.7';
  const link = ['addr', 'add', `${address}/32`, 'dev', 'lo'];
  assert.equal((await run('ip', link)).code, 0);
  const tls = await makeCertificates(host.folder, address);
  const secure = await startRegistry(host.folder, { address, tls });
  const folder = `/etc/docker/certs.d/${secure.host}`;
  try {
    const name = `${secure.host}/tls/app:1`;
    await ok(['tag', 'app', name]);
    await fails(['pull', name], /x509: certificate signed by unknown authority/);
    mkdirSync(folder, { recursive: true });
    cpSync(tls.authority, join(folder, 'ca.crt'));
    cpSync(tls.clientCertificate, join(folder, 'client.cert'));
    cpSync(tls.clientKey, join(folder, 'client.key'));
    const digest = lastDigest(await ok(['push', name]));
    await ok(['rmi', name]);
    assert.match(await ok(['pull', name]), new RegExp(`^Digest: ${digest}$`, 'm'));
    rmSync(join(folder, 'ca.crt'));
    const copy = ['image', 'copy', '-q', name, `${registry.host}/tls/copied:1`];
    await fails(copy, /x509: certificate signed by unknown authority/);
    assert.match(await ok([...copy, '--insecure', '198.51.100.0/24']), new RegExp(`@${digest}$`));
    rmSync(join(folder, 'client.cert'));
    await fails(['pull', name], /tls: (bad certificate|certificate required)|certificate signed by unknown authority/);
    await fails([...copy, '--insecure', '198.51.100.7'], /remote error: tls: (bad certificate|certificate required)/);

    await using plain = await startRegistry(host.folder, { address });
    const toPlain = ['image', 'copy', '-q', `${registry.host}/tls/copied:1`, `${plain.host}/x:1`];
    await fails(toPlain, /http: server gave HTTP response to HTTPS client\n +\(if that is meant: --insecure-registry /);
    assert.match(await ok([...toPlain, '--insecure', plain.host]), new RegExp(`@${digest}$`));
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await secure[Symbol.asyncDispose]();
    await run('ip', ['addr', 'del', `${address}/32`, 'dev', 'lo']);
  }
  assert.ok(!existsSync(folder));
});

test('a host that is killed amid a push and a pull goes on as if nothing had been', async () => {
  const name = `${registry.host}/killed/app:1`;
  await host.build('large', 'FROM busybox\nRUN head -c 60000000 /dev/urandom > /large');
  await ok(['tag', 'large', name]);
  const id = await host.inspect('large', '{{.Id}}');
  for (const action of ['push', 'pull']) {
    if (action === 'pull') {
      await ok(['push', name]);
      await ok(['rmi', '-f', name, 'large']);
      await forgetCache();
    }
    const folder = join(host.dataRoot, action === 'push' ? 'tmp' : 'layers');
    const entries = readdirSync(folder).length;
    const running = host.strake([action, name], { env });
    await until(async () => readdirSync(folder).length > entries, 20);
    await host.stop('SIGKILL');
    assert.notEqual((await running).code, 0, 'it ended before it was killed: make the image larger');
    await host.restart();
  }
  await ok(['pull', name]);
  assert.equal(await host.inspect(name, '{{.Id}}'), id);
});
