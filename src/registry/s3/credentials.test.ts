/** Where credentials of the object store are found, and when they are asked for again: against services that this file plays. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLog } from '../../lib/log.ts';
import { Scope } from '../../lib/scope.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import { findCredentials, renewed } from './credentials.ts';
import { readProfiles } from './profile-credentials.ts';

const CREDENTIALS = `# keys
[default]
aws_access_key_id = one
aws_secret_access_key=two
region = x
[ other ]
aws_access_key_id=three
aws_secret_access_key = f/o+u=r
aws_session_token = five
[half]
aws_access_key_id = six
`;

const scope = new Scope();
let folder: string;
let url: string;
let seen: string[] = [];

before(async () => {
  folder = scope.use(makeScratchFolder(tmpdir(), 'strake-credentials')).path;
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push(`${request.method} ${request.url}${body && ` ${body}`}`);
    const [status, text] = answerOf(request, body);
    response.writeHead(status).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on a port
  writeFileSync(file('credentials'), CREDENTIALS);
  writeFileSync(file('token'), 'web-token\n');
  writeFileSync(file('bearer'), 'Bearer pod\n');
  const config = [
    '[profile web]',
    'role_arn = arn:web',
    `web_identity_token_file = ${file('token')}`,
    '[profile assumed]',
    'role_arn=arn:assumed',
    'source_profile=other',
    'external_id = mine',
    'role_session_name = me',
    '[profile machine]',
    'role_arn=arn:machine',
    'credential_source = Ec2InstanceMetadata',
    '[profile program]',
    `credential_process = echo '{"Version":1,"AccessKeyId":"program","SecretAccessKey":"s","Expiration":"2030-01-01T00:00:00Z"}'`,
    '[profile broken]',
    'credential_process = echo no luck >&2; false',
    '[profile loop]',
    'role_arn=arn:loop',
    'source_profile=back',
    '[profile back]',
    'role_arn=arn:back',
    'source_profile=loop',
    '[profile alone]',
    'role_arn=arn:alone',
    '[profile inline]',
    'aws_access_key_id = seven',
    'aws_secret_access_key = eight',
    's3 =',
    '  aws_access_key_id = of-another-setting',
  ];
  writeFileSync(file('config'), config.join('\n'));
});

after(async () => {
  await scope[Symbol.asyncDispose]();
});

const file = (name: string) => join(folder, name);
const keys = (id: string) => JSON.stringify({ Code: 'Success', AccessKeyId: id, SecretAccessKey: 's', Token: 't' });

function answerOf({ method, url = '', headers }: IncomingMessage, body: string): [number, string] {
  if (url === '/latest/api/token')
    return method === 'PUT' && headers['x-aws-ec2-metadata-token-ttl-seconds'] ? [200, 'session'] : [400, ''];
  if (url.startsWith('/latest/') && headers['x-aws-ec2-metadata-token'] !== 'session') return [401, 'unauthorized'];
  if (url === '/latest/meta-data/iam/security-credentials/') return [200, 'my-role\n'];
  if (url === '/latest/meta-data/iam/security-credentials/my-role') return [200, keys('machine')];
  if (url.startsWith('/container'))
    return headers.authorization === 'Bearer pod' ? [200, keys('container')] : [403, 'who?'];
  if (url === '/empty') return [200, '{"Code":"NoRole"}'];
  if (url === '/long') return [200, 'x'.repeat(1 << 20)];
  if (method !== 'POST' || url !== '/') return [404, ''];
  const form = new URLSearchParams(body);
  const isSigned = /^AWS4-HMAC-SHA256 Credential=\w+\/\d+\/r-1\/sts\//.test(headers.authorization ?? '');
  const isWeb = form.get('Action') === 'AssumeRoleWithWebIdentity' && form.get('WebIdentityToken') === 'web-token';
  if (!isSigned && !isWeb) return [403, '<Error><Code>AccessDenied</Code></Error>'];
  return [
    200,
    `<R><Credentials><AccessKeyId>${form.get('RoleArn')}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
     <SessionToken>t</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></R>`,
  ];
}

test('profiles of the two files', () => {
  const found = readProfiles(CREDENTIALS, '');
  assert.deepEqual([...found.keys()], ['default', 'other', 'half']);
  assert.equal(found.get('other')?.get('aws_secret_access_key'), 'f/o+u=r');
  assert.deepEqual(
    [...readProfiles('[a]\nx=1\n[profile b]\ny = 2\n[ profile  c ]\n[default]\n', 'profile ').keys()],
    ['b', 'c', 'default'],
  );
});

const noMachine = { AWS_EC2_METADATA_DISABLED: 'true', HOME: '/nonexistent' };
const both = () => ({ AWS_SHARED_CREDENTIALS_FILE: file('credentials'), AWS_CONFIG_FILE: file('config') });
const services = () => ({ ...both(), AWS_ENDPOINT_URL_STS: url, AWS_EC2_METADATA_SERVICE_ENDPOINT: url });
const bearer = () => ({ AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file('bearer') });

const found: readonly [string, () => Record<string, string>, string][] = [
  ['variables', () => ({ ...both(), AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 's' }), 'id'],
  ['the default profile', both, 'one'],
  ['a profile', () => ({ ...both(), AWS_PROFILE: 'other' }), 'three'],
  ['a profile with keys in the other file', () => ({ ...both(), AWS_PROFILE: 'inline' }), 'seven'],
  [
    'a token in a file',
    () => ({ ...services(), AWS_WEB_IDENTITY_TOKEN_FILE: file('token'), AWS_ROLE_ARN: 'arn:pod' }),
    'arn:pod',
  ],
  ['a profile with a token', () => ({ ...services(), AWS_PROFILE: 'web' }), 'arn:web'],
  ['a profile that takes a role', () => ({ ...services(), AWS_PROFILE: 'assumed' }), 'arn:assumed'],
  [
    'a profile that takes a role by that of the machine',
    () => ({ ...services(), AWS_PROFILE: 'machine' }),
    'arn:machine',
  ],
  ['a program', () => ({ ...services(), AWS_PROFILE: 'program' }), 'program'],
  [
    'a container',
    () => ({ ...noMachine, ...bearer(), AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/container` }),
    'container',
  ],
  ['a machine', () => ({ HOME: '/nonexistent', AWS_EC2_METADATA_SERVICE_ENDPOINT: `${url}/` }), 'machine'],
];

for (const [name, env, id] of found)
  test(`found: ${name}`, async () => {
    assert.equal((await findCredentials(env(), 'r-1', silentLog)()).accessKeyId, id);
  });

test('what the services are told', async () => {
  seen = [];
  await findCredentials({ ...services(), AWS_PROFILE: 'assumed' }, 'r-1', silentLog)();
  const [asked = ''] = seen;
  assert.equal(
    asked,
    'POST / Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aassumed&RoleSessionName=me&ExternalId=mine',
  );
});

const refused: readonly [string, () => Record<string, string>, RegExp][] = [
  ['none', () => noMachine, /^no credentials for the object store$/],
  ['half of the variables', () => ({ ...both(), AWS_ACCESS_KEY_ID: 'id' }), /one is missing/],
  ['half of a profile', () => ({ ...both(), AWS_PROFILE: 'half' }), /no keys, role or program of the profile "half"/],
  ['no such profile', () => ({ ...noMachine, AWS_PROFILE: 'none' }), /the profile "none"/],
  ['profiles in a circle', () => ({ ...services(), AWS_PROFILE: 'loop' }), /source_profile "\w+" of .* leads nowhere/],
  [
    'a role that nobody takes',
    () => ({ ...services(), AWS_PROFILE: 'alone' }),
    /nobody who takes it: expected source_/,
  ],
  ['a program that fails', () => ({ ...services(), AWS_PROFILE: 'broken' }), /from the program echo: no luck$/],
  [
    'a token file that is not there',
    () => ({ ...services(), AWS_WEB_IDENTITY_TOKEN_FILE: file('none'), AWS_ROLE_ARN: 'arn:pod' }),
    /cannot get credentials from \S+\/none: .*ENOENT|no such file/,
  ],
  [
    'a container that is refused',
    () => ({ ...noMachine, AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/container?secret=1` }),
    /^cannot get credentials from \S+\/container: status 403 who\?$/,
  ],
  [
    'a container service without TLS elsewhere',
    () => ({ ...noMachine, AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://example.com/container' }),
    /expected https/,
  ],
  [
    'no keys',
    () => ({ ...noMachine, AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/empty` }),
    /no keys in what .*: NoRole$/,
  ],
  ['too much', () => ({ ...noMachine, AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/long` }), /the answer is too long$/],
  [
    'a machine without such a service',
    () => ({ HOME: '/nonexistent', AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:1' }),
    /^no credentials for the object store: cannot get credentials from http:\S+token: ./,
  ],
];

for (const [name, env, message] of refused)
  test(`refused: ${name}`, async () => {
    await assert.rejects(async () => await findCredentials(env(), 'r-1', silentLog)(), {
      kind: 'unavailable',
      message,
    });
  });

test('the shared file is read again when it has changed', async (context) => {
  context.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const env = { ...noMachine, AWS_SHARED_CREDENTIALS_FILE: file('changing') };
  writeFileSync(file('changing'), CREDENTIALS);
  const source = findCredentials(env, 'r-1', silentLog);
  assert.equal((await source()).accessKeyId, 'one');
  writeFileSync(file('changing'), CREDENTIALS.replace('= one', '= another'));
  context.mock.timers.tick(2_000);
  assert.equal((await source()).accessKeyId, 'another');
});

test('what expires is asked for before, by one alone, and holds while its source fails', async (context) => {
  const minute = 60_000;
  context.mock.timers.enable({ apis: ['Date'], now: 0 });
  const lines: string[] = [];
  const log = { ...silentLog, warn: (message: string) => lines.push(message) };
  let asked = 0;
  let lifetime = 60 * minute;
  let isDown = false;
  const source = renewed(async () => {
    asked++;
    await Promise.resolve();
    if (isDown) throw new Error('down');
    return { accessKeyId: String(asked), secretAccessKey: '', expires: Date.now() + lifetime };
  }, log);
  const at = (time: number) => context.mock.timers.setTime(time * minute);
  const id = async () => (await source()).accessKeyId;
  assert.deepEqual(await Promise.all([id(), id(), id()]), ['1', '1', '1']);
  at(54);
  assert.equal(await id(), '1');
  at(56);
  assert.equal(await id(), '1', 'nobody waits while they hold for minutes');
  assert.equal(asked, 2);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await id(), '2');
  isDown = true;
  at(112);
  assert.deepEqual([await id(), await id()], ['2', '2']);
  assert.equal(asked, 3, 'not with each request');
  at(115.5);
  assert.equal(await id(), '2');
  assert.equal(asked, 4);
  assert.deepEqual(lines.length, 2);
  at(117);
  await assert.rejects(id(), /down/);
  isDown = false;
  lifetime = minute;
  assert.equal(await id(), '6');
  assert.equal(await id(), '6', 'a short life is not asked for each time');
});
