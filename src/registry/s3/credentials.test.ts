import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../lib/log.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import { findCredentials, readProfile } from './credentials.ts';

const FILE = `# keys
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

const profiles = [
  ['default', { accessKeyId: 'one', secretAccessKey: 'two' }],
  ['other', { accessKeyId: 'three', secretAccessKey: 'f/o+u=r', sessionToken: 'five' }],
  ['half', undefined],
  ['none', undefined],
] as const;

for (const [name, expected] of profiles)
  test(`profile ${name}`, () => assert.deepEqual(readProfile(FILE, name), expected));

test('the environment comes first, then the shared file', async () => {
  await using folder = makeScratchFolder(tmpdir(), 'strake-credentials');
  const file = join(folder.path, 'credentials');
  writeFileSync(file, FILE);
  const env = { AWS_SHARED_CREDENTIALS_FILE: file };
  const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: 'token' };
  assert.deepEqual(findCredentials({ ...env, ...keys }, silentLog)(), {
    accessKeyId: 'id',
    secretAccessKey: 'secret',
    sessionToken: 'token',
  });
  assert.equal(findCredentials({ ...env, AWS_PROFILE: 'other' }, silentLog)().accessKeyId, 'three');
  assert.throws(() => findCredentials({ ...env, AWS_PROFILE: 'half' }, silentLog), /no keys of the profile "half"/);
});

test('none, or half of them, is told with the way out', () => {
  const env = { HOME: '/nonexistent' };
  const hint = { code: 'NO_S3_CREDENTIALS', hint: /AWS_ACCESS_KEY_ID/ };
  assert.throws(() => findCredentials(env, silentLog), hint);
  assert.throws(() => findCredentials({ ...env, AWS_ACCESS_KEY_ID: 'id' }, silentLog), /one is missing/);
});
