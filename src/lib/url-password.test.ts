import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutPassword } from './url-password.ts';

for (const [text, url, password] of [
  ['postgres://me@db:5432/registry', 'postgres://me@db:5432/registry', undefined],
  ['postgres://me:se%2Fcret@db/registry', 'postgres://me@db/registry', 'se/cret'],
  ['postgres://me:50%@db/registry', 'postgres://me@db/registry', '50%'],
  ['postgres://db/registry?password=secret&sslmode=require', 'postgres://db/registry?sslmode=require', 'secret'],
  ['postgres:///registry?host=/run', 'postgres:///registry?host=%2Frun', undefined],
  ['postgres://me:a@%2Frun%2Fpostgresql/registry', 'postgres://me@%2Frun%2Fpostgresql/registry', 'a'],
  ['no URL', 'no URL', undefined],
] as const)
  test(`the password of ${text}`, () => assert.deepEqual(withoutPassword(text), { url, password }));
