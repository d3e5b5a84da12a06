import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isForwarded } from './forwarded-paths.ts';

const PATHS: readonly [path: string, isForwarded: boolean][] = [
  ['/images/json', true],
  ['/images/app:1/json', true],
  ['/images/r:5000/team/app@sha256:12/history', true],
  ['/images/a%20b/json', true],
  ['/strake/images/tree', true],
  ['/strake/images/find', true],
  ['/strake/images/team/app/files', true],
  ['/strake/images/app/changes', true],
  ['/containers/json', false],
  ['/images/app/tag', false],
  ['/images/get', false],
  ['/strake/images/app/flatten', false],
  ['/strake/builds', false],
  ['/v1.51/images/json', false],
  ['/images/../containers/json', false],
  ['/images/./x/json', false],
  ['/images//json', false],
  ['/images/%2e%2e/containers/json', false],
  ['/images/x%2f..%2fcontainers/json', false],
  ['/images/x%5cy/json', false],
  ['/images/x%0ay/json', false],
  ['/images/%ff/json', false],
  ['', false],
];
for (const [path, expected] of PATHS)
  test(`${JSON.stringify(path)} is ${expected ? '' : 'not '}forwarded`, () =>
    assert.equal(isForwarded(path), expected));
