import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isFailure } from '../../lib/error.ts';
import { SECRETS_HEADER } from '../../wire/build-input.ts';
import { agentsHeader, parseAgent, parseSecret, type SecretSource, secretsHeader } from './lent-flags.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-lent-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'token');
writeFileSync(file, 'from a file');
const big = join(folder, 'big');
writeFileSync(big, Buffer.alloc((500 << 10) + 1));

const sources: readonly [text: string, source: SecretSource][] = [
  ['id=a,src=/x', { id: 'a', file: '/x' }],
  ['id=a,source=/x', { id: 'a', file: '/x' }],
  ['type=file,id=a,src=/x', { id: 'a', file: '/x' }],
  ['id=a,"src=/x,y"', { id: 'a', file: '/x,y' }],
  ['id=a,env=B', { id: 'a', variable: 'B' }],
  ['type=env,id=a,src=B', { id: 'a', variable: 'B' }],
  ['type=env,id=a', { id: 'a', variable: 'a' }],
  ['type=file,id=a', { id: 'a', file: 'a' }],
  ['ID=a', { id: 'a', either: 'a' }],
];
for (const [text, source] of sources) test(`--secret ${text}`, () => assert.deepEqual(parseSecret(text), source));

const refused: readonly [text: string, message: RegExp][] = [
  ['token', /invalid field 'token' must be a key=value pair/],
  ['src=/x', /a secret needs an id/],
  ['id=a,value=hunter2', /^unexpected key 'value' in 'value=\.\.\.'/],
  ['id=a,type=vault', /unsupported secret type "vault"/],
];
for (const [text, message] of refused)
  test(`--secret ${text} is refused`, () => assert.throws(() => parseSecret(text), { message }));

const decoded = (header: Record<string, string>) =>
  (header[SECRETS_HEADER] ?? '').split(',').map((pair) => {
    const [id = '', content = ''] = pair.split(/=(.*)/);
    return [decodeURIComponent(id), Buffer.from(content, 'base64').toString()];
  });

test('secrets travel in one header', () => {
  const env = { B: 'from a variable', own: 'by its id' };
  const given = [`id=a,src=${file}`, 'id=b ,env=B', 'id=own', 'id=unset,env=NONE'].map(parseSecret);
  assert.deepEqual(decoded(secretsHeader(given, env)), [
    ['a', 'from a file'],
    ['b ', 'from a variable'],
    ['own', 'by its id'],
  ]);
  assert.deepEqual(secretsHeader([parseSecret('id=x,env=NONE')], {}), {});
});

test('secrets that cannot be brought', () => {
  const bring = (text: string) => secretsHeader([parseSecret(text)], {});
  assert.throws(() => bring('id=a,src=/nowhere/x'), {
    message: 'failed to stat /nowhere/x: no such file or directory',
  });
  assert.throws(() => bring(`id=a,src=${big}`), { message: 'secret a too big. max size 512000' });
  assert.throws(() => bring('id=none-of-this-name'), { message: /failed to stat none-of-this-name/ });
});

test('an agent is a socket', () => {
  assert.deepEqual(parseAgent('default'), { id: 'default', socket: undefined });
  assert.deepEqual(parseAgent('git=/run/a'), { id: 'git', socket: '/run/a' });
  assert.throws(() => parseAgent('=/run/a'), { message: /expected default or id=socket/ });
  assert.deepEqual(agentsHeader([], {}), {});
  assert.throws(() => agentsHeader([parseAgent('default')], {}), { message: /make sure SSH_AUTH_SOCK is set/ });
  const key = () => agentsHeader([parseAgent(`k=${file}`)], {});
  assert.throws(key, (error) => isFailure(error, 'unsupported') && /ssh-add/.test(error.hint ?? ''));
});
