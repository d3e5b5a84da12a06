import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from './digest.ts';
import type { ImageForm } from './image-form.ts';
import { MediaType } from './media-type.ts';
import { parsePlatform } from './platform.ts';
import { parseReference, withDefaultTag } from './reference.ts';
import { type ImagePart, packageUrl, writeImage } from './write-image.ts';

const plain: ImageForm = { oci: false, annotations: [], attestations: [] };
const names = [withDefaultTag(parseReference('r.example:5000/team/app'))];

function part(platform: string): ImagePart {
  const bytes = Buffer.from(platform);
  return {
    platform: parsePlatform(platform),
    config: { digest: digestOf(bytes), bytes },
    layers: [{ mediaType: MediaType.dockerLayerGzip, digest: digestOf('layer'), size: 5 }],
  };
}

const documentOf = ({ bytes }: { readonly bytes: Uint8Array }) => JSON.parse(Buffer.from(bytes).toString());

test('one image is a manifest, in the media types that are wanted', () => {
  for (const [oci, mediaType] of [
    [false, MediaType.dockerManifest],
    [true, MediaType.ociManifest],
  ] as const) {
    const { top, manifests, blobs } = writeImage([part('linux/amd64')], { ...plain, oci }, names);
    assert.deepEqual([top.mediaType, manifests.length, blobs.length], [mediaType, 0, 1]);
  }
});

test('annotations stand where they were said, those for a platform before those for all', () => {
  const form: ImageForm = {
    ...plain,
    annotations: [
      { on: 'manifest', platform: 'linux/arm64', key: 'b', value: 'arm' },
      { on: 'manifest', key: 'b', value: 'all' },
      { on: 'manifest', key: 'a', value: '1' },
      { on: 'manifest-descriptor', key: 'c', value: '2' },
      { on: 'index', key: 'd', value: '3' },
      { on: 'index-descriptor', key: 'e', value: '4' },
    ],
  };
  const { top, annotations, manifests } = writeImage([part('linux/amd64'), part('linux/arm64')], form, names);
  assert.deepEqual(
    manifests.map((manifest) => documentOf(manifest).annotations),
    [
      { a: '1', b: 'all' },
      { a: '1', b: 'arm' },
    ],
  );
  const index = documentOf(top);
  assert.deepEqual(
    [index.mediaType, index.annotations, index.manifests[0].annotations, annotations],
    [MediaType.ociIndex, { d: '3' }, { c: '2' }, { e: '4' }],
  );
});

test('what is stated about an image stands beside it in an index, and names it', () => {
  const stated = { platform: 'linux/arm64', predicateType: 'https://example.com/p', predicate: { x: 1 } };
  const parts = [part('linux/amd64'), part('linux/arm64')];
  const { top, manifests, blobs } = writeImage(parts, { ...plain, attestations: [stated] }, names);
  const { manifests: entries } = documentOf(top);
  assert.deepEqual(
    entries.map(({ platform }: { platform: { architecture: string } }) => platform.architecture),
    ['amd64', 'arm64', 'unknown'],
  );
  assert.deepEqual(entries[2].annotations, {
    'vnd.docker.reference.digest': entries[1].digest,
    'vnd.docker.reference.type': 'attestation-manifest',
  });
  const manifest = documentOf(manifests[2] ?? assert.fail());
  assert.equal(digestOf(manifests[2]?.bytes ?? ''), entries[2].digest);
  const [layer] = manifest.layers;
  assert.deepEqual(
    [layer.mediaType, layer.annotations],
    ['application/vnd.in-toto+json', { 'in-toto.io/predicate-type': 'https://example.com/p' }],
  );
  const blobOf = (digest: string) => documentOf(blobs.find((blob) => blob.digest === digest) ?? assert.fail());
  assert.deepEqual(blobOf(layer.digest), {
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType: 'https://example.com/p',
    subject: [
      {
        name: 'pkg:docker/r.example%3A5000/team/app@latest?platform=linux%2Farm64',
        digest: { sha256: entries[1].digest.slice('sha256:'.length) },
      },
    ],
    predicate: { x: 1 },
  });
  assert.deepEqual(blobOf(manifest.config.digest).rootfs.diff_ids, [layer.digest]);
});

const misplaced: readonly [ImageForm['annotations'][number], RegExp][] = [
  [{ on: 'index', key: 'a', value: 'b' }, /^index annotations not supported for single platform export$/],
  [
    { on: 'manifest', platform: 'linux/s390x', key: 'a', value: 'b' },
    /^invalid annotation: no platform linux\/s390x found in source$/,
  ],
];
for (const [annotation, message] of misplaced)
  test(`refused: ${message.source}`, () =>
    assert.throws(() => writeImage([part('linux/amd64')], { ...plain, annotations: [annotation] }, names), {
      message,
    }));

test('package URLs of images', () => {
  const amd64 = parsePlatform('linux/amd64');
  assert.equal(
    packageUrl(parseReference('docker.io/library/alpine:3'), amd64),
    'pkg:docker/alpine@3?platform=linux%2Famd64',
  );
  const digest = digestOf('x');
  assert.equal(
    packageUrl(parseReference(`a/b@${digest}`), amd64),
    `pkg:docker/a/b?digest=${digest}&platform=linux%2Famd64`,
  );
});
