import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../lib/error.ts';
import { digestOf } from './digest.ts';
import {
  chooseEntry,
  decodeManifest,
  encodeIndex,
  encodeManifest,
  type ImageIndex,
  MANIFEST_LIMIT,
} from './manifest.ts';
import { MediaType } from './media-type.ts';
import { parsePlatform } from './platform.ts';

const config = { mediaType: MediaType.dockerConfig, digest: digestOf('config'), size: 6 };
const layer = (mediaType: string) => ({ mediaType, digest: digestOf(mediaType), size: mediaType.length });
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

for (const [name, layers, mediaType, configType] of [
  ['no layer', [], MediaType.dockerManifest, MediaType.dockerConfig],
  [
    'gzip of both kinds',
    [MediaType.dockerLayerGzip, MediaType.ociLayerGzip],
    MediaType.dockerManifest,
    MediaType.dockerConfig,
  ],
  ['zstd', [MediaType.dockerLayerGzip, MediaType.ociLayerZstd], MediaType.ociManifest, MediaType.ociConfig],
] as const)
  test(`a manifest written for ${name} is read back`, () => {
    const written = encodeManifest(config, layers.map(layer));
    assert.equal(written.mediaType, mediaType);
    assert.equal(written.config.mediaType, configType);
    assert.deepEqual(decodeManifest(written.bytes, mediaType), written);
    assert.deepEqual(
      written.layers.map(({ digest }) => digest),
      layers.map((type) => layer(type).digest),
    );
  });

for (const [name, types, mediaType] of [
  ['schema 2', [MediaType.dockerManifest, MediaType.dockerManifest], MediaType.dockerList],
  ['schema 2 and OCI', [MediaType.dockerManifest, MediaType.ociManifest], MediaType.ociIndex],
] as const)
  test(`an index written for manifests of ${name} is read back`, () => {
    const platforms = ['linux/amd64', 'linux/arm/v7'].map(parsePlatform);
    const written = encodeIndex(types.map((type, index) => ({ ...layer(type), platform: platforms[index] })));
    assert.equal(written.mediaType, mediaType);
    assert.deepEqual(decodeManifest(written.bytes, mediaType), written);
  });

test('urls of a layer survive', () => {
  const foreign = { ...layer('application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'), urls: ['https://a/b'] };
  assert.deepEqual(encodeManifest(config, [foreign]).layers, [foreign]);
});

const good = { schemaVersion: 2, config, layers: [] };
for (const [name, bytes, contentType, expected] of [
  ['no JSON', Buffer.from('{'), undefined, 'MANIFEST_INVALID'],
  ['a list', json([]), undefined, 'MANIFEST_INVALID'],
  ['null', json(null), undefined, 'MANIFEST_INVALID'],
  [
    'schema 1 by content type',
    json(good),
    'application/vnd.docker.distribution.manifest.v1+prettyjws',
    'MANIFEST_SCHEMA1',
  ],
  ['schema 1 by its version', json({ schemaVersion: 1, fsLayers: [] }), undefined, 'MANIFEST_SCHEMA1'],
  ['two meanings', json({ ...good, manifests: [] }), MediaType.ociManifest, 'MANIFEST_INVALID'],
  ['two meanings the other way', json({ ...good, manifests: [] }), MediaType.ociIndex, 'MANIFEST_INVALID'],
  ['two types', json({ ...good, mediaType: MediaType.ociManifest }), MediaType.dockerManifest, 'MANIFEST_INVALID'],
  ['an unknown type', json({ ...good, mediaType: 'application/x' }), undefined, 'MANIFEST_UNSUPPORTED'],
  ['no config', json({ schemaVersion: 2, layers: [] }), undefined, 'MANIFEST_INVALID'],
  ['no layers', json({ schemaVersion: 2, config }), undefined, 'MANIFEST_INVALID'],
  ['a negative size', json({ ...good, config: { ...config, size: -1 } }), undefined, 'MANIFEST_INVALID'],
  ['a size that is text', json({ ...good, config: { ...config, size: '6' } }), undefined, 'MANIFEST_INVALID'],
  [
    'a digest with a path',
    json({ ...good, config: { ...config, digest: 'sha256:../x' } }),
    undefined,
    'DIGEST_INVALID',
  ],
  ['too many layers', json({ ...good, layers: Array(10_001).fill(config) }), undefined, 'MANIFEST_INVALID'],
  ['too many bytes', Buffer.alloc(MANIFEST_LIMIT + 1, ' '), undefined, 'MANIFEST_INVALID'],
] as const)
  test(`a manifest with ${name} is refused`, () =>
    assert.throws(
      () => decodeManifest(bytes, contentType),
      (error) => isFailure(error) && error.code === expected,
    ));

for (const contentType of [undefined, 'application/json', 'text/plain; charset=utf-8', MediaType.ociManifest])
  test(`a manifest without a media type that comes as ${contentType}`, () =>
    assert.equal(decodeManifest(json(good), contentType).mediaType, MediaType.ociManifest));

const platforms = ['linux/arm/v6', 'linux/arm/v7', 'linux/amd64', 'linux/arm64/v8', 'windows/amd64'];
const index = decodeManifest(
  json({
    schemaVersion: 2,
    mediaType: MediaType.dockerList,
    manifests: [
      ...platforms.map((text) => {
        const [os, architecture, variant] = text.split('/');
        return { ...layer(text), platform: { os, architecture, variant } };
      }),
      layer('no platform'),
    ],
  }),
  undefined,
) as ImageIndex; // it has manifests

for (const [wanted, expected] of [
  ['linux/amd64', 'linux/amd64'],
  ['linux/arm64', 'linux/arm64/v8'],
  ['linux/arm', 'linux/arm/v7'],
  ['linux/arm/v6', 'linux/arm/v6'],
  ['linux/arm/v5', undefined],
  ['windows/amd64', 'windows/amd64'],
  ['linux/s390x', undefined],
] as const)
  test(`${wanted} of an index is ${expected}`, () =>
    assert.equal(chooseEntry(index, parsePlatform(wanted))?.mediaType, expected));

const words: readonly (readonly [text: string, expected: object | string])[] = [
  ['linux/arm64/v8', { os: 'linux', architecture: 'arm64' }],
  ['Linux/ARM/v7', { os: 'linux', architecture: 'arm', variant: 'v7' }],
  ['aarch64', { os: 'linux', architecture: 'arm64' }],
  ['foo', '"foo": unknown operating system or architecture'],
  ['constructor', '"constructor": unknown operating system or architecture'],
  ['linux/constructor', { os: 'linux', architecture: 'constructor' }],
  ['linux/', '"linux/" is an invalid OS/architecture value'],
];
for (const [text, expected] of words)
  test(`platform ${text}`, () => {
    if (typeof expected === 'string') assert.throws(() => parsePlatform(text), { message: expected });
    else assert.deepEqual(parsePlatform(text), expected);
  });
