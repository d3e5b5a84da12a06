import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../lib/error.ts';
import { isInsecure, registrySettings, sourcesOf } from './settings.ts';

const settings = registrySettings(['https://mirror.test'], ['plain.test', 'port.test:81', '10.1.0.0/16', 'fd00::/8']);

for (const [registry, use, expected] of [
  ['docker.io', 'read', [['https://mirror.test/'], ['https://registry-1.docker.io/']]],
  ['docker.io', 'write', [['https://registry-1.docker.io/']]],
  ['r.test', 'read', [['https://r.test/']]],
  ['localhost:5000', 'read', [['https://localhost:5000/', 'http://localhost:5000/']]],
  ['plain.test:5000', 'write', [['https://plain.test:5000/', 'http://plain.test:5000/']]],
] as const)
  test(`where ${registry} is had to ${use}`, () => {
    const bases = sourcesOf(registry, settings, use).map((source) => source.map(({ base }) => base.href));
    assert.deepEqual(bases, expected);
  });

for (const [host, expected] of [
  ['localhost', true],
  ['localhost:5000', true],
  ['127.8.9.1:5000', true],
  ['[::1]:5000', true],
  ['localhost.evil.test', false],
  ['plain.test', true],
  ['port.test', false],
  ['port.test:81', true],
  ['10.1.2.3:5000', true],
  ['10.2.2.3', false],
  ['[fd00::1]:5000', true],
  ['registry-1.docker.io', false],
] as const)
  test(`${host} is ${expected ? 'insecure' : 'secure'}`, () => assert.equal(isInsecure(host, settings), expected));

for (const [mirrors, insecure] of [
  [['mirror.test'], []],
  [['ftp://mirror.test'], []],
  [[], ['http://x']],
  [[], ['10.0.0.0/33']],
  [[], ['name/8']],
  [[], ['']],
] as const)
  test(`settings ${JSON.stringify([mirrors, insecure])} are refused`, () =>
    assert.throws(
      () => registrySettings(mirrors, insecure),
      (error) => isFailure(error, 'invalid'),
    ));
