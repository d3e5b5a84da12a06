/** Stores and images for tests. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../lib/log.ts';
import { type DiffId, digestOf, type ImageId, parseDiffId } from '../oci/digest.ts';
import { encodeConfig, type ImageConfig } from '../oci/image-config.ts';
import type { ImageRecord } from './images.ts';
import type { SealedLayer } from './layers.ts';
import { openStore, type Store } from './open-store.ts';

/** A store in a new folder of the temporary folder; disposing removes both. */
export async function openTestStore(): Promise<Store> {
  const root = mkdtempSync(join(tmpdir(), 'strake-store-'));
  const store = await openStore(root, { log: silentLog });
  return {
    ...store,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await rm(root, { recursive: true, force: true });
    },
  };
}

export function testDiffId(seed: string): DiffId {
  return parseDiffId(digestOf(`layer ${seed}`));
}

/** Seals a layer whose tree holds one file; its diff ID follows from `seed`. */
export function addLayer(store: Store, seed: string, size = 1): SealedLayer {
  const { id, folder } = store.layers.allot();
  mkdirSync(join(folder, 'diff'));
  writeFileSync(join(folder, 'diff', 'file'), seed);
  writeFileSync(join(folder, 'index'), '');
  return store.layers.seal(id, { diffId: testDiffId(seed), size, tarSize: size + 1024, entries: 1 });
}

/** Adds an image of layers made by `addLayer` with these seeds. */
export function addImage(
  store: Store,
  seeds: readonly string[],
  more: Partial<ImageConfig> & { parent?: ImageId; stepKey?: string } = {},
): ImageRecord {
  const { parent, stepKey, ...fields } = more;
  for (const seed of seeds) if (!store.layers.byDiffId(testDiffId(seed))) addLayer(store, seed);
  const config = encodeConfig({
    architecture: 'amd64',
    os: 'linux',
    created: '2026-01-02T03:04:05.678901234Z',
    ...fields,
    rootfs: { type: 'layers', diff_ids: seeds.map(testDiffId) },
  });
  return store.images.put({ config, parent, stepKey });
}

/** All values of an asynchronous sequence. */
export async function gather<T>(source: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of source) values.push(value);
  return values;
}
