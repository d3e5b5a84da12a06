import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, hexOf } from '../../../oci/digest.ts';
import { type ProvenBuild, provenanceOf } from './provenance.ts';

const base = digestOf('base');
const build: ProvenBuild = {
  platform: 'linux/arm64',
  attrs: new Map([
    ['filename', 'Dockerfile'],
    ['context', 'https://user:secret@example.com/x.git#main'],
    ['target', 't'],
    ['build-arg:A', 'b'],
    ['label:l', 'm'],
    ['attest:provenance', 'mode=max'],
    ['image-resolve-mode', 'local'],
    ['vcs:source', 'https://user:secret@example.com/y.git'],
    ['vcs:revision', ''],
  ]),
  folders: ['context'],
  inputs: {
    images: [{ name: 'alpine', platform: 'linux/arm64', digest: base }],
    commits: [{ url: 'https://user:secret@example.com/x.git#main', commit: 'c0ffee' }],
    secrets: [{ id: 's', isRequired: false }],
    agents: [{ id: 'default', isRequired: true }],
    hasNetwork: false,
    isComplete: true,
  },
  dockerfile: { name: 'Dockerfile', content: Buffer.from('FROM alpine') },
  started: 0,
  ended: 1000,
};

test('mode max tells all; no password', () => {
  const { platform, predicateType, predicate } = provenanceOf(
    { mode: 'max', builder: 'me', isReproducible: true },
    build,
  );
  assert.deepEqual([platform, predicateType], ['linux/arm64', 'https://slsa.dev/provenance/v0.2']);
  const told = JSON.parse(JSON.stringify(predicate));
  assert.match(told.metadata.buildInvocationID, /^[0-9a-f]{32}$/);
  told.metadata.buildInvocationID = 'id';
  told.invocation.environment.platform = 'host';
  assert.deepEqual(told, {
    builder: { id: 'me' },
    buildType: 'https://mobyproject.org/buildkit@v1',
    materials: [
      { uri: 'pkg:docker/alpine@latest?platform=linux%2Farm64', digest: { sha256: hexOf(base) } },
      { uri: 'https://example.com/x.git#main', digest: { sha1: 'c0ffee' } },
    ],
    invocation: {
      configSource: {
        uri: 'https://example.com/x.git#main',
        digest: { sha1: 'c0ffee' },
        entryPoint: 'Dockerfile',
      },
      parameters: {
        frontend: 'dockerfile.v0',
        args: { 'build-arg:A': 'b', 'label:l': 'm', target: 't' },
        secrets: [{ id: 's', optional: true }],
        ssh: [{ id: 'default' }],
        locals: [{ name: 'context' }],
      },
      environment: { platform: 'host' },
    },
    metadata: {
      buildInvocationID: 'id',
      buildStartedOn: '1970-01-01T00:00:00.000Z',
      buildFinishedOn: '1970-01-01T00:00:01.000Z',
      completeness: { parameters: true, environment: true, materials: true },
      reproducible: true,
      'https://mobyproject.org/buildkit@v1#metadata': {
        vcs: { source: 'https://example.com/y.git' },
        source: {
          infos: [
            { filename: 'Dockerfile', language: 'Dockerfile', data: Buffer.from('FROM alpine').toString('base64') },
          ],
        },
      },
      'https://mobyproject.org/buildkit@v1#hermetic': true,
    },
  });
});

test('mode min keeps arguments, labels, secrets and the Dockerfile to itself', () => {
  const { predicate } = provenanceOf({ mode: 'min', builder: '', isReproducible: false }, build);
  const told = JSON.parse(JSON.stringify(predicate));
  assert.deepEqual(told.invocation.parameters, {
    frontend: 'dockerfile.v0',
    args: { target: 't' },
    locals: [{ name: 'context' }],
  });
  assert.equal(told.metadata.completeness.parameters, false);
  assert.equal(told.metadata['https://mobyproject.org/buildkit@v1#metadata'].source, undefined);
});
