import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCacheSource, parseCacheTarget } from './cache-flags.ts';

const sources: readonly (readonly [string, readonly object[]])[] = [
  ['app', [{ kind: 'image', name: 'app' }]],
  [
    'app:1,host:5000/b',
    [
      { kind: 'image', name: 'app:1' },
      { kind: 'image', name: 'host:5000/b' },
    ],
  ],
  ['type=registry,ref=host:5000/b:1', [{ kind: 'image', name: 'host:5000/b:1' }]],
  ['type=local,src=dir', [{ kind: 'folder', path: 'dir' }]],
  ['type=local,source=a=b', [{ kind: 'folder', path: 'a=b' }]],
];
for (const [text, expected] of sources)
  test(`--cache-from ${text}`, () => assert.deepEqual(parseCacheSource(text), expected));

const targets: readonly (readonly [string, object])[] = [
  ['inline', { kind: 'inline' }],
  ['type=inline', { kind: 'inline' }],
  ['type=local,dest=d', { kind: 'folder', path: 'd', mode: 'min' }],
  ['type=registry,ref=host:5000/c:1,mode=max', { kind: 'registry', name: 'host:5000/c:1', mode: 'max' }],
  ['mode=max,type=local,"dest=a,b"', { kind: 'folder', path: 'a,b', mode: 'max' }],
];
for (const [text, expected] of targets)
  test(`--cache-to ${text}`, () => assert.deepEqual(parseCacheTarget(text), expected));

const bad: readonly (readonly [(text: string) => unknown, string, RegExp])[] = [
  [parseCacheSource, 'type=local', /src is required for local cache/],
  [parseCacheSource, 'type=registry', /ref is required for registry cache/],
  [parseCacheSource, 'type=gha', /unknown cache type "gha": expected local or registry/],
  [parseCacheSource, 'src=x', /unknown cache type ""/],
  [parseCacheSource, 'type=local,src=x,digest=y', /unknown option 'digest'/],
  [parseCacheSource, 'UPPER', /invalid reference format/],
  [parseCacheTarget, 'type=local', /dest is required for local cache/],
  [parseCacheTarget, 'type=local,dest=x,mode=some', /invalid mode "some"/],
  [parseCacheTarget, 'type=inline,mode=max', /inline cache has no mode/],
  [parseCacheTarget, 'type=s3', /unknown cache type "s3": expected inline, local or registry/],
  [parseCacheTarget, 'type=registry', /ref is required for registry cache/],
  [parseCacheTarget, 'somewhere', /expected key=value/],
];
for (const [parse, text, message] of bad) test(`refuses "${text}"`, () => assert.throws(() => parse(text), message));
