/** A host on TCP with TLS: only clients with a certificate get in, and streams work as on the unix socket. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  freePort,
  importBusybox,
  type Result,
  type RunOptions,
  run,
  STRAKE,
  startHost,
  type TestHost,
} from './harness.ts';
import { NEWER_DOCKER, pluginConfig, withoutNewerClients } from './newer-clients.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-tls-'));
let port: number;
let host: TestHost;

before(async () => {
  await makeAuthority('ca');
  await makeAuthority('stranger');
  await makeCertificate('ca', 'server', 'subjectAltName=IP:127.0.0.1,DNS:localhost');
  await makeCertificate('ca', 'client', 'extendedKeyUsage=clientAuth');
  await makeCertificate('stranger', 'client', 'extendedKeyUsage=clientAuth');
  port = await freePort();
  const files = [
    '--tlscacert',
    at('ca', 'ca.pem'),
    '--tlscert',
    at('ca', 'server.pem'),
    '--tlskey',
    at('ca', 'server.key'),
  ];
  host = await startHost({ flags: ['-H', `tcp://127.0.0.1:${port}`, '--tlsverify', ...files, '--group', 'daemon'] });
  await importBusybox(host);
});
after(async () => {
  await host[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function at(...names: string[]): string {
  return join(folder, ...names);
}

async function openssl(...args: string[]): Promise<void> {
  const { code, stderr } = await run('openssl', args);
  assert.equal(code, 0, stderr);
}

async function makeAuthority(name: string): Promise<void> {
  mkdirSync(at(name));
  const files = ['-keyout', at(name, 'ca.key'), '-out', at(name, 'ca.pem')];
  await openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`, ...files);
}

/** `client` is written as what DOCKER_CERT_PATH wants: cert.pem and key.pem. */
async function makeCertificate(authority: string, name: string, extension: string): Promise<void> {
  const [cert, key] = name === 'client' ? ['cert.pem', 'key.pem'] : [`${name}.pem`, `${name}.key`];
  const [request, extensions] = [at(authority, `${name}.csr`), at(authority, `${name}.ext`)];
  writeFileSync(extensions, extension);
  await openssl(
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    at(authority, key),
    '-out',
    request,
  );
  const signer = ['-CA', at(authority, 'ca.pem'), '-CAkey', at(authority, 'ca.key'), '-CAcreateserial'];
  await openssl(
    'x509',
    '-req',
    '-in',
    request,
    ...signer,
    '-days',
    '2',
    '-out',
    at(authority, cert),
    '-extfile',
    extensions,
  );
}

/** A client over TLS with the certificates of `authority`. */
function over(
  program: string,
  args: readonly string[],
  options: RunOptions & { authority?: string } = {},
): Promise<Result> {
  const env = {
    STRAKE_HOST: '',
    DOCKER_HOST: `tcp://127.0.0.1:${port}`,
    DOCKER_CONFIG: folder,
    DOCKER_TLS_VERIFY: '1',
    DOCKER_CERT_PATH: at(options.authority ?? 'ca'),
    ...options.env,
  };
  return run(program, args, { ...options, env, timeout: 60_000 });
}

for (const client of new Set(['docker', '/usr/bin/docker', STRAKE])) {
  test(`${client}: what goes both ways, and its end`, async () => {
    const output = { code: 3, stdout: 'typed\nend\n', stderr: 'err\n' };
    const args = ['run', '-i', '--rm', 'busybox', 'sh', '-c', 'cat; echo end; echo err >&2; exit 3'];
    assert.deepEqual(await over(client, args, { input: 'typed\n' }), output);
    const data = Buffer.alloc(3 << 20, 'abcdefghijk');
    const counted = await over(client, ['run', '-i', '--rm', 'busybox', 'wc', '-c'], { input: data });
    assert.equal(counted.stdout.trim(), String(data.length));
    const built = await over(client, ['build', '-t', 'tls', '-'], { input: 'FROM busybox\nLABEL a=b\n' });
    assert.equal(built.code, 0, built.stderr);
  });

  test(`${client}: who has no certificate of the authority is not let in`, async () => {
    // The client trusts the host, but its own certificate is somebody else's.
    const flags = ['--tlscacert', at('ca', 'ca.pem')];
    const files = ['--tlscert', at('stranger', 'cert.pem'), '--tlskey', at('stranger', 'key.pem')];
    const stranger = await over(client, [...flags, ...files, 'version']);
    assert.notEqual(stranger.code, 0);
    const plain = await over(client, ['ps'], { env: { DOCKER_TLS_VERIFY: '', DOCKER_CERT_PATH: '' } });
    assert.notEqual(plain.code, 0);
    assert.match(plain.stderr, /Client sent an HTTP request to an HTTPS server\./);
    const untrusting = await over(client, ['ps'], { authority: 'stranger' });
    assert.notEqual(untrusting.code, 0);
    assert.match(untrusting.stderr, /certificate/);
  });
}

test('buildx builds, and its connections leave HTTP/1.1 at once', { skip: withoutNewerClients }, async () => {
  const env = { DOCKER_CONFIG: pluginConfig(folder), DOCKER_BUILDKIT: '1' };
  for (let round = 0; round < 5; round++) {
    const built = await over(NEWER_DOCKER, ['build', '-q', '-'], { env, input: `FROM busybox\nLABEL a=${round}\n` });
    assert.equal(built.code, 0, built.stderr);
  }
});

test('a host without its certificate does not start, nor for a group that does not exist', async () => {
  for (const [flags, message] of [
    [['--tlsverify'], /cannot read the file of --tls/],
    [['--group', 'nosuchgroup'], /for group nosuchgroup: no such group/],
  ] as const) {
    const args = ['host', '-H', `unix://${at('other.sock')}`, '--data-root', at('data'), ...flags];
    const { code, stderr } = await run(STRAKE, args, { env: { HOME: folder, DOCKER_CERT_PATH: '' }, timeout: 30_000 });
    assert.equal(code, 1);
    assert.match(stderr, message);
  }
});

test('ssh:// by a stand-in for ssh, whose other end has a docker that is ours', async () => {
  const far = at('far');
  mkdirSync(far);
  symlinkSync(STRAKE, join(far, 'docker'));
  // What comes after the name of the machine is one line for a shell there.
  writeFileSync(
    join(far, 'ssh'),
    `#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift 2\nexport PATH=${far}:/usr/bin:/bin STRAKE_HOST=unix://${host.socket}\nexec sh -c "$*"\n`,
    { mode: 0o755 },
  );
  const env = {
    PATH: `${far}:${process.env['PATH']}`,
    DOCKER_HOST: 'ssh://me@far',
    STRAKE_HOST: '',
    DOCKER_CONFIG: folder,
  };
  const data = Buffer.alloc(1 << 20, 'abcdefghijk');
  for (const client of [...new Set(['/usr/local/bin/docker', '/usr/bin/docker', STRAKE])].filter((file) =>
    existsSync(file),
  )) {
    const there = await run(client, ['info', '--format', '{{.DockerRootDir}}'], { env, timeout: 60_000 });
    assert.deepEqual([there.stdout.trim(), there.stderr], [host.dataRoot, ''], client);
    const args = ['run', '-i', '--rm', 'busybox', 'sh', '-c', 'wc -c; echo err >&2; exit 3'];
    const ran = await run(client, args, { env, input: data, timeout: 60_000 });
    assert.deepEqual(ran, { code: 3, stdout: `${data.length}\n`, stderr: 'err\n' }, client);
  }
  const refused = await run(STRAKE, ['-H', 'ssh://far/nonexistent/x.sock', 'ps'], { env, timeout: 60_000 });
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /^cannot reach the host at ssh:\/\/far\/nonexistent\/x\.sock: .*Cannot connect to the Docker daemon at unix:\/\/\/nonexistent/,
  );
});

test('the unix socket belongs to the group', async () => {
  const { stdout } = await run('getent', ['group', 'daemon']);
  const { gid, mode } = statSync(host.socket);
  assert.deepEqual([gid, (mode & 0o777).toString(8)], [Number(stdout.split(':')[2]), '660']);
});
