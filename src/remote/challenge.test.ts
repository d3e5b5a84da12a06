import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChallenges } from './challenge.ts';

const bearer = (realm: string, service?: string) => ({ scheme: 'bearer', realm: new URL(realm), service });

for (const [header, expected] of [
  [undefined, []],
  ['', []],
  ['Basic realm="x"', [{ scheme: 'basic' }]],
  ['basic', [{ scheme: 'basic' }]],
  ['Bearer realm="https://a/t",service="s",scope="repository:x:pull,push"', [bearer('https://a/t', 's')]],
  ['bearer  realm = "https://a/t" , service=s', [bearer('https://a/t', 's')]],
  ['Bearer realm="https://a/t", Basic realm="b"', [bearer('https://a/t'), { scheme: 'basic' }]],
  ['Negotiate, Basic realm="b"', [{ scheme: 'basic' }]],
  ['Bearer realm="https://a/\\"t"', [bearer('https://a/"t')]],
  ['Bearer realm="file:///etc/passwd"', []],
  ['Bearer realm=""', []],
  ['Bearer service="s"', []],
  ['Bearer realm="https://a', []],
  ['=,=,"', []],
] as const)
  test(`WWW-Authenticate: ${header}`, () => assert.deepEqual(parseChallenges(header), expected));

test('a header without end costs little', () => {
  assert.deepEqual(parseChallenges(`Basic ${'a="b",'.repeat(1_000_000)}`), [{ scheme: 'basic' }]);
});
