import { join } from 'node:path';
import { Failure } from '../lib/error.ts';
import type { FileRange } from '../lib/file-range.ts';
import type { WorkerPool } from '../lib/worker-pool.ts';
import type { DiffId } from '../oci/digest.ts';
import type { LayerCompression } from '../oci/image-form.ts';
import type { AllottedLayer, LayerFacts, LayerId, LayerRecord, SealedLayer } from '../store/layers.ts';
import { ActiveSnapshot, type CommitOptions } from './active-snapshot.ts';
import type { ApplyProgress } from './apply-stream.ts';
import { applyTar } from './apply-tar.ts';
import type { ScanRequest } from './scan-tree.ts';
import { streamLayer, type WriteRequest } from './stream-layer.ts';

/** What snapshots need of the store: `LayerRecords`. */
export interface LayerStore {
  /** Folder of all layers: `<root>/<id>/diff` is a layer's tree, `<root>/<id>/index` its index. */
  readonly root: string;
  allot(): AllottedLayer;
  seal(id: LayerId, facts: LayerFacts): SealedLayer;
  discard(id: LayerId): void;
}

export interface FolderTrash {
  /** Takes a folder away at once and deletes it later. */
  discard(folder: string): void;
}

/** A layer whose tree is complete. Other snapshots can stand on `id` at once, while its digest is still computed. */
export interface PendingLayer {
  readonly id: LayerId;
  readonly facts: Promise<LayerFacts>;
  /** The record, which may be that of an equal layer that the store had before. */
  readonly sealed: Promise<LayerRecord>;
}

/**
 * Layers as trees. A snapshot's life: `prepare` makes an empty writable folder on top of layers; it is mounted and
 * written to; `commit` makes the folder a layer by renaming it, or `discard` removes it. A layer's life: its tree and
 * index are made in a folder that the store allots, and `seal` makes it a record, whole or not at all. What a killed
 * process leaves (unsealed layers, active folders without an owner) the store removes when it is next opened.
 */
export class Snapshots {
  readonly #layers: LayerStore;
  readonly #active: string;
  readonly #pool: WorkerPool;
  readonly #receivers: WorkerPool;
  readonly #trash: FolderTrash;

  /**
   * `active` is the folder for writable snapshots, on the file system of the layers. `receivers` are the threads for
   * `receive` and `pack`, which are held as long as the other side takes; those of `pool` when absent.
   */
  constructor(parts: {
    readonly layers: LayerStore;
    readonly active: string;
    readonly pool: WorkerPool;
    readonly receivers?: WorkerPool;
    readonly trash: FolderTrash;
  }) {
    this.#layers = parts.layers;
    this.#active = parts.active;
    this.#pool = parts.pool;
    this.#receivers = parts.receivers ?? parts.pool;
    this.#trash = parts.trash;
  }

  /**
   * A new writable snapshot on top of `parents`, bottom first. `key` names it among the active ones: a container's ID.
   * Nothing is mounted yet.
   */
  prepare(key: string, parents: readonly LayerId[]): ActiveSnapshot {
    const snapshot = this.open(key, parents);
    snapshot.make();
    return snapshot;
  }

  /** A writable snapshot that was prepared before, perhaps by an earlier process. */
  open(key: string, parents: readonly LayerId[]): ActiveSnapshot {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(key))
      throw new Failure('invalid', 'SNAPSHOT_KEY', `invalid snapshot key "${key}"`);
    return new ActiveSnapshot({
      key,
      folder: join(this.#active, key),
      parents: parents.map((id) => this.#tree(id)),
      discard: (folder) => this.#trash.discard(folder),
      commit: (move, signal, options) => this.#commit(move, signal, options),
    });
  }

  /**
   * Makes a layer of a tar, compressed in any known way; its tar can be re-created byte for byte. When `expect` is
   * given and the stream has another diffID, that is a Failure of kind `data-loss` and nothing is kept.
   */
  async receive(
    source: AsyncIterable<Uint8Array> | FileRange,
    options: {
      readonly signal: AbortSignal;
      readonly expect?: DiffId;
      readonly onProgress?: (progress: ApplyProgress) => void;
    },
  ): Promise<LayerRecord> {
    const { id } = this.#layers.allot();
    try {
      const request = { target: this.#tree(id), index: this.#index(id), form: 'layer' } as const;
      const facts = await applyTar(this.#receivers, source, request, options);
      if (options.expect !== undefined && options.expect !== facts.diffId)
        throw new Failure(
          'data-loss',
          'LAYER_DIFF_ID',
          `wrong diff id calculated on extraction: expected ${options.expect}, got ${facts.diffId}`,
        );
      return this.#layers.seal(id, facts).layer;
    } catch (error) {
      this.#layers.discard(id);
      throw error;
    }
  }

  /**
   * A layer whose tree and index `write` makes itself in the folder that it gets, as `diff` and `index` (COPY). When it
   * fails, the folder is removed.
   */
  async write(write: (layer: AllottedLayer) => Promise<LayerFacts>): Promise<PendingLayer> {
    const allotted = this.#layers.allot();
    try {
      const facts = await write(allotted);
      const { layer } = this.#layers.seal(allotted.id, facts);
      return { id: allotted.id, facts: Promise.resolve(facts), sealed: Promise.resolve(layer) };
    } catch (error) {
      this.#layers.discard(allotted.id);
      throw error;
    }
  }

  /** A sealed layer's tar, as gzip unless another form is asked for. Equal layers give equal bytes. */
  compress(
    id: LayerId,
    {
      type = 'gzip',
      level,
      signal,
    }: Partial<Pick<LayerCompression, 'type' | 'level'>> & { readonly signal: AbortSignal },
  ): AsyncGenerator<Buffer> {
    const form = type === 'uncompressed' ? 'tar' : type;
    return streamLayer(this.#pool, { index: this.#index(id), tree: this.#tree(id), form, level }, { signal });
  }

  /** A sealed layer's tar; at its end `data-loss` when it is not what the diff ID says. Holds a thread of `receivers`. */
  pack({ id, diffId }: LayerRecord, options: { readonly signal: AbortSignal }): AsyncGenerator<Buffer> {
    const layer = { index: this.#index(id), tree: this.#tree(id), form: 'tar', expect: diffId } as const;
    return streamLayer(this.#receivers, layer, options);
  }

  /** The same into an open file, at `place`. */
  async packInto(
    { id, diffId }: LayerRecord,
    to: { readonly file: number; readonly place: number },
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    const layer = { index: this.#index(id), tree: this.#tree(id), form: 'tar', expect: diffId } as const;
    const request: WriteRequest = { layer, ...to };
    await this.#pool.run<void>('write-layer', request, { signal });
  }

  /** The tree that these sealed layers show together, bottom first, as one tar. Holds a thread of `receivers`. */
  packTree(ids: readonly LayerId[], options: { readonly signal: AbortSignal }): AsyncGenerator<Buffer> {
    const layers = ids.map((id) => ({ index: this.#index(id), tree: this.#tree(id) }));
    return streamLayer(this.#receivers, { form: 'tree', layers, from: 0 }, options);
  }

  #commit(move: (target: string) => void, signal: AbortSignal, { newest }: CommitOptions): PendingLayer {
    const { id } = this.#layers.allot();
    try {
      move(this.#tree(id));
    } catch (error) {
      this.#layers.discard(id);
      throw error;
    }
    const request: ScanRequest = { tree: this.#tree(id), index: this.#index(id), newest };
    const facts = this.#pool.run<LayerFacts>('scan-tree', request, { signal });
    const sealed = facts
      .then((known) => this.#layers.seal(id, known).layer)
      .catch((error: unknown) => {
        this.#layers.discard(id);
        throw error;
      });
    sealed.catch(() => {}); // whoever needs the layer awaits it and learns the reason
    return { id, facts, sealed };
  }

  #tree(id: LayerId): string {
    return join(this.#layers.root, id, 'diff');
  }

  #index(id: LayerId): string {
    return join(this.#layers.root, id, 'index');
  }
}
