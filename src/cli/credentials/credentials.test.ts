import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { allRegistryAuth, credentialKey, registryAuth } from './registry-auth.ts';
import { eraseCredentials, loadCredentials, saveCredentials } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-credentials-'));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'config.json');
const options = {
  env: { DOCKER_CONFIG: folder, PATH: `${folder}:${process.env['PATH']}` },
  signal: new AbortController().signal,
};

test('credentials are kept in the file, with all else in it, for its owner only', async () => {
  writeFileSync(path, '{"psFormat":"x","auths":{}}');
  assert.equal(await saveCredentials('r:5000', { username: 'u', secret: 'p:w' }, options), undefined);
  assert.deepEqual(await loadCredentials('r:5000', options), { username: 'u', secret: 'p:w' });
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

test('a token is kept as one', async () => {
  await saveCredentials('r', { username: '<token>', secret: 't' }, options);
  const header = (await registryAuth('r', options))['X-Registry-Auth'] ?? '';
  assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url').toString()), { identitytoken: 't', serveraddress: 'r' });
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
esac
`,
  );
  chmodSync(program, 0o755);
  writeFileSync(path, '{"credHelpers":{"h":"mine"}}');
  assert.equal(await loadCredentials('h', options), undefined);
  assert.equal(await saveCredentials('h', { username: 'u', secret: 's' }, options), 'mine');
  assert.deepEqual(await loadCredentials('h', options), { username: 'u', secret: 's' });
  assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')).auths, { h: {} });
  await eraseCredentials('h', options);
  assert.equal(await loadCredentials('h', options), undefined);
  writeFileSync(path, '{"credsStore":"absent"}');
  await assert.rejects(loadCredentials('h', options), { kind: 'unavailable' });
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
