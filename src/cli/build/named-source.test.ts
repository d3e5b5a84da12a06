import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findNamedSource, type NamedSource } from './named-source.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'strake-named-')));
after(() => rmSync(folder, { recursive: true }));

const SOURCES: readonly [text: string, name: string, source: NamedSource][] = [
  ['a=docker-image://alpine:3', 'a', { kind: 'image', reference: 'alpine:3' }],
  ['alpine:3=docker-image://x@sha256:1', 'alpine:3', { kind: 'image', reference: 'x@sha256:1' }],
  ['a=https://x/y.git#v1:sub', 'a', { kind: 'remote', url: 'https://x/y.git#v1:sub' }],
  ['a=https://x/y.tar.gz?a=b', 'a', { kind: 'remote', url: 'https://x/y.tar.gz?a=b' }],
  ['a=git@host:x/y', 'a', { kind: 'remote', url: 'git@host:x/y' }],
];
for (const [text, name, source] of SOURCES)
  test(`--build-context ${text}`, () => assert.deepEqual(findNamedSource(text), [name, source]));

test('a folder is offered and can be sent', () => {
  const [name, source] = findNamedSource(`a=${folder}`);
  assert.equal(name, 'a');
  assert.ok(source.kind === 'folder');
  assert.equal(source.offer.path, folder);
  assert.equal(source.part.folder?.folder, folder);
});

const REFUSED: readonly [text: string, message: RegExp][] = [
  ['a', /invalid context value: a, expected key=value/],
  ['=x', /invalid context value/],
  ['a=', /invalid context value/],
  ['a=oci-layout:///x', /oci-layout:\/\/\/x is not supported/],
  ['a=target:x', /target:x is not supported/],
  [`a=${folder}/none`, /none" not found/],
];
for (const [text, message] of REFUSED)
  test(`--build-context ${text} is refused`, () => assert.throws(() => findNamedSource(text), { message }));
