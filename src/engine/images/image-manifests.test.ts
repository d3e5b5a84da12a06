import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../oci/digest.ts';
import { encodeManifest } from '../../oci/manifest.ts';
import { MediaType } from '../../oci/media-type.ts';
import { addImage, openTestStore } from '../../store/test-store.ts';
import { manifestSummaries } from './image-manifests.ts';

test('the manifest of an image: what its blobs take, and who uses it', async () => {
  await using store = await openTestStore();
  const image = addImage(store, ['base']);
  const containersOf = () => [{ id: 'c1', running: false }];
  const unused = () => assert.fail('not needed');
  const needs = { store, emit: unused, containersOf, receiveLayer: unused, applyChanges: unused };
  assert.deepEqual(await manifestSummaries(needs, image.id), []);

  const options = { signal: new AbortController().signal, limit: 1 << 20 };
  const blob = Buffer.from('a compressed layer');
  await store.content.write(blob, options);
  const config = { digest: digestOf(image.bytes), size: image.bytes.length };
  const layer = { mediaType: MediaType.dockerLayerGzip, digest: digestOf(blob), size: blob.length };
  const gone = { mediaType: MediaType.dockerLayerGzip, digest: digestOf('not stored'), size: 1_000_000 };
  const manifest = encodeManifest(config, [layer, gone]);
  await store.content.write(manifest.bytes, options);
  store.shipped.addManifest(image.id, manifest.digest);

  const [summary, ...others] = await manifestSummaries(needs, image.id);
  assert.deepEqual(others, []);
  const content = manifest.size + config.size + blob.length;
  assert.deepEqual(summary?.Size, { Content: content, Total: content + image.size });
  assert.deepEqual(summary?.Descriptor, {
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.size,
  });
  assert.deepEqual([summary?.ID, summary?.ImageData.Containers], [manifest.digest, ['c1']]);
});
