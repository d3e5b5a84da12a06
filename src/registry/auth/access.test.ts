import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { utimesSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { hashSync } from 'bcryptjs';
import { silentLog } from '../../lib/log.ts';
import { Scope } from '../../lib/scope.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import { WorkerPool } from '../../lib/worker-pool.ts';
import { openTestRegistry, type TestAnswer, type TestRegistry } from '../test-registry.ts';
import { parseHtpasswd } from './htpasswd.ts';
import { equalRights, parseRights, type Rights, repositoryPattern } from './rights.ts';
import { Tokens } from './tokens.ts';
import { userAccess } from './user-access.ts';
import { usersOf } from './users.ts';

const scope = new Scope();
const folder = scope.use(makeScratchFolder('/tmp', 'strake-access')).path;
const htpasswd = join(folder, 'htpasswd');
const workers = scope.use(new WorkerPool(new URL('../../bin/registry-worker.ts', import.meta.url), 1));
const key = randomBytes(32);
const rules = `
  # who     repositories   actions
  alice     team/**        pull,push,delete
  *         shared/*       pull
  -         public/**      pull
  root      **             pull,push,delete,admin`;

let withPasswords: TestRegistry;
let withTokens: TestRegistry;

before(async () => {
  writeFileSync(htpasswd, lines({ alice: 'wonder', bob: 'builder', root: 'toor' }));
  withPasswords = await open(equalRights(false), undefined);
  withTokens = await open(parseRights(rules, 'rights'), new Tokens(key));
});

after(async () => {
  await withPasswords[Symbol.asyncDispose]();
  await withTokens[Symbol.asyncDispose]();
  await scope[Symbol.asyncDispose]();
});

function lines(users: Record<string, string>): string {
  return Object.entries(users)
    .map(([user, password]) => `${user}:${hashSync(password, 4)}\n`)
    .join('');
}

async function open(rights: Rights, tokens: Tokens | undefined): Promise<TestRegistry> {
  const users = usersOf(htpasswd, workers, silentLog);
  const access = userAccess({ users, rights: () => rights, tokens, baseUrl: (host) => `http://${host}` });
  return await openTestRegistry({ access });
}

const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const codeOf = ({ body }: TestAnswer) => JSON.parse(body.toString()).errors[0].code;

for (const [name, headers, status] of [
  ['nobody', {}, 401],
  ['a wrong password', basic('alice:wrong'), 401],
  ['an unknown user', basic('mallory:wonder'), 401],
  ['no colon', basic('alice'), 401],
  ['no base64', { authorization: 'Basic !!' }, 401],
  ['another scheme', { authorization: 'Digest x' }, 401],
  ['a token where there are none', bearer('x.y.z'), 401],
  ['the right password', basic('alice:wonder'), 200],
  ['the right password again', basic('alice:wonder'), 200],
] as const)
  test(`password: ${name}: ${status}`, async () => {
    const answer = await withPasswords.send('GET', '/v2/', { headers });
    assert.equal(answer.status, status);
    if (status === 200) return;
    assert.equal(codeOf(answer), 'UNAUTHORIZED');
    assert.match(answer.headers['www-authenticate'] ?? '', /^Basic realm="[^"]+"/);
  });

test('a remembered password is no longer right when the file changes', async () => {
  const users = usersOf(htpasswd, workers, silentLog);
  const { authorization } = basic('bob:builder');
  assert.equal(await users.identify(authorization), 'bob');
  writeFileSync(htpasswd, lines({ alice: 'wonder', bob: 'changed', root: 'toor' }));
  utimesSync(htpasswd, 1, 1);
  for (const deadline = Date.now() + 10_000; (await users.identify(authorization)) !== undefined; )
    assert.ok(Date.now() < deadline, 'the old password is still right');
  assert.equal(await users.identify(basic('bob:changed').authorization), 'bob');
});

async function tokenFor(scopes: readonly string[], headers: Record<string, string>): Promise<TestAnswer> {
  const query = scopes.map((text) => `&scope=${encodeURIComponent(text)}`).join('');
  return await withTokens.send('GET', `/token?service=strake-registry${query}`, { headers });
}

const tokenOf = ({ body }: TestAnswer): string => JSON.parse(body.toString()).token;

/** What is asked for, by whom, and what then may be done with the token. */
for (const [name, who, scopes, ask, status] of [
  [
    'pushes to a repository of theirs',
    'alice:wonder',
    ['repository:team/app:pull,push'],
    'POST /v2/team/app/blobs/uploads/',
    202,
  ],
  ['deletes there', 'alice:wonder', ['repository:team/app:*'], 'DELETE /v2/team/app/manifests/x', 404],
  [
    'pushes where they may only read',
    'alice:wonder',
    ['repository:shared/app:pull,push'],
    'POST /v2/shared/app/blobs/uploads/',
    403,
  ],
  [
    'reads what everybody with a name may',
    'alice:wonder',
    ['repository:shared/app:pull'],
    'GET /v2/shared/app/manifests/x',
    404,
  ],
  [
    'reads below what the pattern covers',
    'alice:wonder',
    ['repository:shared/a/b:pull'],
    'GET /v2/shared/a/b/manifests/x',
    403,
  ],
  [
    'uses a right to one repository on another',
    'alice:wonder',
    ['repository:team/app:pull'],
    'GET /v2/team/other/manifests/x',
    401,
  ],
  [
    'uses a right to pull for a push',
    'alice:wonder',
    ['repository:team/app:pull'],
    'POST /v2/team/app/blobs/uploads/',
    401,
  ],
  ['reads what is public', '', ['repository:public/app:pull'], 'GET /v2/public/app/manifests/x', 404],
  ['writes what is public', '', ['repository:public/app:pull,push'], 'POST /v2/public/app/blobs/uploads/', 401],
  ['reads what is not public', '', ['repository:team/app:pull'], 'GET /v2/team/app/manifests/x', 401],
  ['asks the base', '', [], 'GET /v2/', 200],
  ['lists without a name', '', ['registry:catalog:*'], 'GET /v2/_catalog', 401],
  ['lists', 'alice:wonder', ['registry:catalog:*'], 'GET /v2/_catalog', 200],
] as const)
  test(`token: ${who.replace(/:.*/, '') || 'nobody'} ${name}: ${status}`, async () => {
    const token = await tokenFor(scopes, who === '' ? {} : basic(who));
    assert.equal(token.status, 200);
    const [method = '', path = ''] = ask.split(' ');
    const answer = await withTokens.send(method, path, { headers: bearer(tokenOf(token)) });
    assert.equal(answer.status, status, answer.body.toString());
    if (status === 401) assert.match(answer.headers['www-authenticate'] ?? '', /error="insufficient_scope"/);
  });

test('token: the challenge names the place, the service and the scope', async () => {
  const { status, headers } = await withTokens.send('PUT', '/v2/team/app/manifests/x');
  assert.equal(status, 401);
  assert.equal(
    headers['www-authenticate'],
    `Bearer realm="http://${withTokens.address}/token",service="strake-registry",scope="repository:team/app:pull,push"`,
  );
});

test('a name of the host that fits in no header ends the connection and nothing else', async () => {
  const [host = '', port = ''] = withTokens.address.split(':');
  await new Promise<void>((resolve, reject) => {
    const socket = connect(Number(port), host, () =>
      socket.write('GET /v2/ HTTP/1.1\r\nHost: a\x80\u00ff"b\r\n\r\n', 'latin1'),
    );
    socket.on('data', () => socket.destroy());
    socket.on('close', () => resolve());
    socket.on('error', reject);
  });
  assert.equal((await withTokens.send('GET', '/v2/')).status, 401);
});

test('token: wrong passwords, other forms, other methods', async () => {
  assert.equal((await tokenFor([], basic('alice:wrong'))).status, 401);
  const post = async (form: string) => (await withTokens.send('POST', '/token', { body: form })).status;
  assert.equal(await post('grant_type=password&username=alice&password=wonder&scope=repository:team/app:pull'), 200);
  assert.equal(await post('grant_type=password&username=alice&password=wrong'), 401);
  assert.equal(await post('grant_type=refresh_token'), 401);
  assert.equal(await post('grant_type=authorization_code'), 400);
  assert.equal(await post('x'.repeat(100_000)), 413);
  assert.equal((await withTokens.send('DELETE', '/token')).status, 405);
  assert.equal((await withPasswords.send('GET', '/token')).status, 404);
});

test('token: a refresh token stands for a password until that changes, and for nothing else', async () => {
  const asked = await withTokens.send('GET', '/token?offline_token=true', { headers: basic('alice:wonder') });
  const { refresh_token: kept, access_token: short } = JSON.parse(asked.body.toString());
  const refresh = (token: string) =>
    withTokens.send('POST', '/token', {
      body: `grant_type=refresh_token&refresh_token=${token}&scope=repository:team/app:pull,push`,
    });
  const push = (headers: Record<string, string>) => withTokens.send('POST', '/v2/team/app/blobs/uploads/', { headers });
  assert.equal((await push(bearer(tokenOf(await refresh(kept))))).status, 202);
  assert.equal((await push(bearer(kept))).status, 401);
  assert.equal((await refresh(short)).status, 401);
  const form = 'grant_type=password&access_type=offline&username=alice&password=wonder';
  const { refresh_token: second } = JSON.parse(
    (await withTokens.send('POST', '/token', { body: form })).body.toString(),
  );
  assert.equal((await refresh(second)).status, 200);
  const nobody = await withTokens.send('GET', '/token?offline_token=true');
  assert.equal(JSON.parse(nobody.body.toString()).refresh_token, undefined);
  const stamp = 'of another password';
  assert.equal((await refresh(new Tokens(key).issueRefresh({ user: 'alice', stamp }))).status, 401);
  assert.equal((await refresh(new Tokens(key).issueRefresh({ user: 'mallory', stamp }))).status, 401);
});

test('token: passwords in requests have the same rights', async () => {
  const push = (who: string, name: string) =>
    withTokens.send('POST', `/v2/${name}/blobs/uploads/`, { headers: basic(who) });
  assert.equal((await push('alice:wonder', 'team/app')).status, 202);
  const denied = await push('alice:wonder', 'shared/app');
  assert.deepEqual([denied.status, codeOf(denied)], [403, 'DENIED']);
});

test('token: a mount takes only what the token may read', async () => {
  const digest = 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
  const as = async (who: string, scopes: readonly string[]) => ({
    headers: bearer(tokenOf(await tokenFor(scopes, basic(who)))),
  });
  const root = await as('root:toor', ['repository:secret/app:pull,push']);
  const put = await withTokens.send('POST', `/v2/secret/app/blobs/uploads/?digest=${digest}`, {
    ...root,
    body: 'hello',
  });
  assert.equal(put.status, 201);
  const alice = await as('alice:wonder', ['repository:team/app:pull,push', 'repository:secret/app:pull']);
  for (const from of ['&from=secret/app', ''])
    assert.equal(
      (await withTokens.send('POST', `/v2/team/app/blobs/uploads/?mount=${digest}${from}`, alice)).status,
      202,
    );
  const both = await as('root:toor', ['repository:team/app:pull,push', 'repository:secret/app:pull']);
  assert.equal((await withTokens.send('POST', `/v2/team/app/blobs/uploads/?mount=${digest}`, both)).status, 201);
});

test('tokens: expired, changed, of another key, of no signature', () => {
  const tokens = new Tokens(key);
  const { token } = tokens.issue({ user: 'alice', access: [] });
  assert.equal(tokens.read(token)?.user, 'alice');
  const [header = '', claims = '', signature = ''] = token.split('.');
  const signed = (payload: object) => {
    const text = `${header}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}`;
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
  };
  const now = Math.floor(Date.now() / 1000);
  const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
  for (const wrong of [
    signed({ sub: 'alice', exp: now - 1, access: [] }),
    new Tokens(randomBytes(32)).issue({ user: 'alice', access: [] }).token,
    `${header}.${Buffer.from('{"sub":"root"}').toString('base64url')}.${signature}`,
    `${none}.${claims}.`,
    `${header}.${claims}.`,
    `${token}.x`,
    '',
  ])
    assert.equal(tokens.read(wrong), undefined, wrong);
});

for (const [pattern, name, fits] of [
  ['**', 'a/b', true],
  ['*', 'a', true],
  ['*', 'a/b', false],
  ['team/*', 'team/app', true],
  ['team/*', 'team/a/b', false],
  ['team/**', 'team/a/b', true],
  ['team/**', 'teams/a', false],
  ['a.b', 'axb', false],
  ['*/app-*', 'team/app-1', true],
] as const)
  test(`pattern ${pattern} ${fits ? 'fits' : 'does not fit'} ${name}`, () => {
    assert.equal(repositoryPattern(pattern).test(name), fits);
  });

test('files with mistakes are refused with the line', () => {
  assert.throws(() => parseHtpasswd('me:secret', 'f'), /f, line 1: expected user:password in bcrypt/);
  assert.throws(() => parseHtpasswd('\n:$2y$05$x', 'f'), /f, line 2/);
  assert.throws(() => parseRights('\nalice team/**', 'f'), /f, line 2: expected USER REPOSITORIES ACTIONS/);
  assert.throws(() => parseRights('alice team/** fly', 'f'), /unknown action "fly"/);
  assert.throws(() => parseRights('alice (a|b) pull', 'f'), /invalid pattern/);
  assert.throws(() => usersOf(join(folder, 'none'), workers, silentLog), /cannot read .*none: ENOENT/);
});
