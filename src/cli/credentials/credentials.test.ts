import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Recorder } from '../test-session.ts';
import { allRegistryAuth, credentialKey, registryAuth } from './registry-auth.ts';
import { eraseCredentials, loadCredentials, saveCredentials } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-credentials-'));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'config.json');
const options = {
  env: { DOCKER_CONFIG: folder, PATH: `${folder}:${process.env['PATH']}` },
  signal: new AbortController().signal,
  stderr: new Recorder(),
};

test('credentials are kept in the file, with all else in it, for its owner only', async () => {
  writeFileSync(path, '{"psFormat":"x","auths":{}}');
  assert.equal(await saveCredentials('r:5000', { username: 'u', secret: 'p:w', kind: 'password' }, options), undefined);
  assert.deepEqual(await loadCredentials('r:5000', options), { username: 'u', secret: 'p:w', kind: 'password' });
  assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), {
    psFormat: 'x',
    auths: { 'r:5000': { auth: Buffer.from('u:p:w').toString('base64') } },
  });
  assert.equal(statSync(path).mode & 0o777, 0o600);

  const header = (await registryAuth('r:5000', options))['X-Registry-Auth'] ?? '';
  assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url').toString()), {
    username: 'u',
    password: 'p:w',
    serveraddress: 'r:5000',
  });
  assert.deepEqual(await registryAuth('other', options), {});
  const all = (await allRegistryAuth(options))['X-Registry-Config'] ?? '';
  assert.deepEqual(Object.keys(JSON.parse(Buffer.from(all, 'base64').toString())), ['r:5000']);

  await eraseCredentials('r:5000', options);
  assert.equal(await loadCredentials('r:5000', options), undefined);
  assert.deepEqual(await allRegistryAuth(options), {});
});

const authOf = async (registry: string): Promise<object> =>
  JSON.parse(Buffer.from((await registryAuth(registry, options))['X-Registry-Auth'] ?? '', 'base64url').toString());

test('a token is kept as one, beside its user', async () => {
  await saveCredentials('r', { username: 'u', secret: 't', kind: 'token' }, options);
  assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')).auths['r'], { auth: 'dTo=', identitytoken: 't' });
  assert.deepEqual(await authOf('r'), { identitytoken: 't', serveraddress: 'r' });
});

const base64 = (text: string) => Buffer.from(text).toString('base64');
const entries: readonly (readonly [what: string, auths: object, expected: object | undefined])[] = [
  ['as docker writes it', { h: { auth: base64('u:p') } }, { username: 'u', secret: 'p', kind: 'password' }],
  ['under an old URL', { 'https://h/v1/': { auth: base64('u:p') } }, { username: 'u', secret: 'p', kind: 'password' }],
  ['with zeros at the end', { h: { auth: base64('u:p\0\0') } }, { username: 'u', secret: 'p', kind: 'password' }],
  ['in plain, by hand', { h: { username: 'u', password: 'p' } }, { username: 'u', secret: 'p', kind: 'password' }],
  ['a token alone', { h: { identitytoken: 't' } }, { username: '', secret: 't', kind: 'token' }],
  ['nothing, as beside a helper', { h: {} }, undefined],
  ['no base64 of a pair', { h: { auth: 'x' } }, undefined],
  ['of another host', { 'https://h.example/v1/': { auth: base64('u:p') } }, undefined],
];
for (const [what, auths, expected] of entries)
  test(`an entry ${what}`, async () => {
    writeFileSync(path, JSON.stringify({ auths }));
    assert.deepEqual(await loadCredentials('h', options), expected);
    await eraseCredentials('h', options);
    assert.equal(await loadCredentials('h', options), undefined);
  });

test('a file that is a link stays one', async () => {
  const real = join(folder, 'real.json');
  writeFileSync(real, '{}');
  rmSync(path);
  symlinkSync('real.json', path);
  await saveCredentials('r', { username: 'u', secret: 's', kind: 'password' }, options);
  assert.ok(lstatSync(path).isSymbolicLink());
  assert.deepEqual(Object.keys(JSON.parse(readFileSync(real, 'utf8')).auths), ['r']);
  assert.equal(statSync(real).mode & 0o777, 0o600);
  rmSync(path);
});

test('a credential helper keeps what it is named for', async () => {
  const program = join(folder, 'docker-credential-mine');
  writeFileSync(
    program,
    `#!/bin/sh
cd ${folder}
case $1 in
  store) cat > kept ;;
  get) if [ -f kept ]; then cat kept; else echo 'credentials not found in native keychain'; exit 1; fi ;;
  erase) rm -f kept ;;
  list) echo '{"h":"u","gone":"u"}' ;;
esac
`,
  );
  chmodSync(program, 0o755);
  writeFileSync(path, '{"credHelpers":{"h":"mine"}}');
  assert.equal(await loadCredentials('h', options), undefined);
  assert.equal(await saveCredentials('h', { username: 'u', secret: 's', kind: 'password' }, options), 'mine');
  assert.deepEqual(await loadCredentials('h', options), { username: 'u', secret: 's', kind: 'password' });
  assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')).auths, { h: {} });
  writeFileSync(join(folder, 'kept'), '{"ServerURL":"h","Username":"<token>","Secret":"t"}');
  assert.deepEqual(await authOf('h'), { identitytoken: 't', serveraddress: 'h' });
  await eraseCredentials('h', options);
  assert.equal(await loadCredentials('h', options), undefined);
});

test('a store of all credentials is asked what it has', async () => {
  writeFileSync(path, '{"credsStore":"mine"}');
  await saveCredentials('h', { username: 'u', secret: 's', kind: 'password' }, options);
  const { 'X-Registry-Config': header = '' } = await allRegistryAuth(options);
  const all = JSON.parse(Buffer.from(header, 'base64').toString());
  assert.deepEqual(all.h, { username: 'u', password: 's', serveraddress: 'h' });
});

for (const [what, script, words] of [
  ['is not there', undefined, /^docker-credential-bad get failed: it is not installed$/],
  ['fails', '#!/bin/sh\necho locked; exit 1\n', /^docker-credential-bad get failed: locked$/],
  ['answers nonsense', '#!/bin/sh\necho hello\n', /^docker-credential-bad get failed: its answer is not JSON$/],
  ['answers something else', '#!/bin/sh\necho []\n', /^docker-credential-bad get failed: no credentials$/],
] as const)
  test(`a credential helper that ${what}: said by who needs it, a warning where it can do without`, async () => {
    const program = join(folder, 'docker-credential-bad');
    if (script !== undefined) writeFileSync(program, script, { mode: 0o755 });
    writeFileSync(path, '{"credHelpers":{"h":"bad"}}');
    await assert.rejects(loadCredentials('h', options), { code: 'CREDENTIAL_HELPER', message: words });
    options.stderr.text = '';
    assert.deepEqual(await registryAuth('h', options), {});
    assert.match(options.stderr.text, /^WARNING: docker-credential-bad get failed: /);
    assert.deepEqual(await allRegistryAuth(options), {});
    rmSync(program, { force: true });
  });

test('a file that is not JSON is refused by name', async () => {
  writeFileSync(path, '{');
  await assert.rejects(loadCredentials('h', options), { message: `${path} is not JSON` });
});

const keys: readonly [registry: string, key: string][] = [
  ['', 'https://index.docker.io/v1/'],
  ['docker.io', 'https://index.docker.io/v1/'],
  ['https://index.docker.io/v1/', 'https://index.docker.io/v1/'],
  ['localhost:5000', 'localhost:5000'],
  ['https://r.example.org/v2/', 'r.example.org'],
];
for (const [registry, key] of keys)
  test(`credentials of "${registry}"`, () => assert.equal(credentialKey(registry), key));
