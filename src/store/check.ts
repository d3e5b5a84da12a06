import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isFailure, messageOf } from '../lib/error.ts';
import type { DiffId, ImageId } from '../oci/digest.ts';
import { decodeConfig } from '../oci/image-config.ts';
import { type LayerRecord, parseLayerId } from './layers.ts';
import type { Store } from './open-store.ts';

export interface StoreProblem {
  readonly code:
    | 'DATABASE_DAMAGED'
    | 'BLOB_DAMAGED'
    | 'IMAGE_DAMAGED'
    | 'LAYER_INCOMPLETE'
    | 'LAYER_DAMAGED'
    | 'LAYER_UNRECORDED'
    | 'VOLUME_INCOMPLETE'
    | 'VOLUME_UNRECORDED';
  /** Digest, ID, or name of what is wrong. */
  readonly subject: string;
  readonly message: string;
  /** Makes the store sound again without loss of anything that is whole. Absent when only a person can decide. */
  readonly repair?: () => void;
}

export interface CheckOptions {
  readonly signal: AbortSignal;
  /** Compares a layer's tree with its index and diff ID; throws a `data-loss` Failure when they differ. */
  readonly verifyLayer?: (layer: LayerRecord, signal: AbortSignal) => Promise<void>;
}

/** Looks at everything stored and yields what is not as it should be. Reads every blob, and every tree with `verifyLayer`. */
export async function* checkStore(store: Store, options: CheckOptions): AsyncGenerator<StoreProblem> {
  yield* checkDatabase(store);
  yield* checkImages(store);
  yield* checkLayers(store, options);
  yield* checkBlobs(store, options.signal);
  yield* checkVolumes(store);
}

function* checkDatabase(store: Store): Generator<StoreProblem> {
  const subject = store.database.path;
  for (const row of store.database.all<{ integrity_check: string }>('PRAGMA integrity_check'))
    if (row.integrity_check !== 'ok') yield { code: 'DATABASE_DAMAGED', subject, message: row.integrity_check };
  for (const row of store.database.all<{ table: string; parent: string }>('PRAGMA foreign_key_check'))
    yield { code: 'DATABASE_DAMAGED', subject, message: `a row of ${row.table} names a missing row of ${row.parent}` };
}

function* checkImages(store: Store): Generator<StoreProblem> {
  for (const { id, config } of store.database.all<{ id: ImageId; config: Uint8Array }>(
    'SELECT id, config FROM images',
  )) {
    const problem = (message: string): StoreProblem => ({ code: 'IMAGE_DAMAGED', subject: id, message });
    try {
      const stored = decodeConfig(Buffer.from(config));
      const linked = store.database.all<{ diffId: DiffId }>(
        'SELECT diff_id AS diffId FROM image_layers WHERE image = ? ORDER BY position',
        id,
      );
      if (stored.id !== id) yield problem(`the config of image ${id} has the digest ${stored.id}`);
      else if (linked.map((row) => row.diffId).join() !== stored.config.rootfs.diff_ids.join())
        yield problem(`the layers recorded for image ${id} are not those of its config`);
    } catch (error) {
      yield problem(`the config of image ${id} cannot be read: ${messageOf(error)}`);
    }
  }
}

async function* checkLayers(store: Store, options: CheckOptions): AsyncGenerator<StoreProblem> {
  const { layers } = store;
  for (const layer of layers.list()) {
    const use = layers.use(layer.diffId);
    const unused = use.images + use.containers === 0;
    // A layer that images need can only be built or pulled again: which, people know.
    const repair = unused ? { repair: () => layers.discard(layer.id) } : {};
    const missing = ['diff', 'index'].filter((name) => !existsSync(join(layers.folder(layer.id), name)));
    if (missing.length > 0) {
      const message = `layer ${layer.diffId} has no ${missing.join(' and no ')} in ${layers.folder(layer.id)}`;
      yield { code: 'LAYER_INCOMPLETE', subject: layer.diffId, message, ...repair };
      continue;
    }
    try {
      await options.verifyLayer?.(layer, options.signal);
    } catch (error) {
      if (!isFailure(error, 'data-loss')) throw error;
      yield { code: 'LAYER_DAMAGED', subject: layer.diffId, message: error.message, ...repair };
    }
  }
  const known = new Set<string>([...layers.list(), ...layers.duplicates()].map(({ id }) => id));
  for (const name of layers.folders()) {
    // One that a running build is filling is held by its lease.
    if (known.has(name) || (/^[0-9a-z]{1,11}$/.test(name) && store.leases.isTreeHeld(parseLayerId(name)))) continue;
    const path = join(layers.root, name);
    const message = `${path} belongs to no layer`;
    yield { code: 'LAYER_UNRECORDED', subject: name, message, repair: () => store.trash.discard(path) };
  }
}

async function* checkBlobs(store: Store, signal: AbortSignal): AsyncGenerator<StoreProblem> {
  for (const digest of store.content.list()) {
    try {
      await store.content.verify(digest, signal);
    } catch (error) {
      if (isFailure(error, 'not-found')) continue; // collected since it was listed
      if (!isFailure(error, 'data-loss')) throw error;
      yield {
        code: 'BLOB_DAMAGED',
        subject: digest,
        message: error.message,
        repair: () => store.content.delete(digest),
      };
    }
  }
}

function* checkVolumes(store: Store): Generator<StoreProblem> {
  const volumes = store.volumes.list();
  for (const { name, path } of volumes) {
    if (existsSync(path)) continue;
    const message = `volume ${name} has no folder ${path}`;
    yield {
      code: 'VOLUME_INCOMPLETE',
      subject: name,
      message,
      repair: () => store.volumes.makeFolder(name),
    };
  }
  const known = new Set(volumes.map(({ name }) => name));
  for (const name of readdirSync(store.volumes.root)) {
    if (known.has(name)) continue;
    const message = `the folder of volume ${name} has no record`;
    const repair = () => void store.volumes.create({ name, anonymous: false, labels: {}, options: {} });
    yield { code: 'VOLUME_UNRECORDED', subject: name, message, repair };
  }
}
