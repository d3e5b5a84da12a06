import type { DiffId, Digest, ImageId } from '../oci/digest.ts';
import type { LayerId } from './layers.ts';

/** What a lease can keep. A layer is kept by the id of its tree, so that a mounted duplicate is kept too. */
export interface Held {
  readonly layers?: Iterable<LayerId>;
  readonly diffIds?: Iterable<DiffId>;
  readonly blobs?: Iterable<Digest>;
  /** Their records: people cannot remove them meanwhile. */
  readonly images?: Iterable<ImageId>;
}

/** While it is held, collection and removal take nothing that it names. Ends with `using`; ending twice is harmless. */
export interface Lease extends Disposable {
  keep(held: Held): void;
}

/**
 * Holds of running work, in memory: they end with the process, as the work does. What outlives the process (images,
 * containers, cache records) is kept by its own record.
 */
export class Leases {
  readonly #leases = new Set<Set<string>>();
  readonly #sessions = new Set<Set<string>>();

  /** Keeps exactly what is named, now or later: a container's layers. */
  hold(held: Held = {}): Lease {
    return this.#open(this.#leases, held);
  }

  /**
   * Keeps also everything that anyone writes, seals or finds again in the store while the lease is held: builds, pulls
   * and loads, whose results no record refers to until they end.
   */
  begin(held: Held = {}): Lease {
    return this.#open(this.#sessions, held);
  }

  /** For the rooms' own writers: tells the sessions what was just written, sealed or found. */
  touch(held: Held): void {
    for (const kept of this.#sessions) add(kept, held);
  }

  /** Whether the layer is held, under either of its names. */
  isLayerHeld(id: LayerId, diffId: DiffId): boolean {
    return this.#isHeld(id) || this.#isHeld(diffId);
  }

  /** Whether exactly this tree is held: a duplicate, or a layer that is not sealed yet. */
  isTreeHeld(id: LayerId): boolean {
    return this.#isHeld(id);
  }

  isBlobHeld(digest: Digest): boolean {
    return this.#isHeld(`blob ${digest}`);
  }

  isImageHeld(id: ImageId): boolean {
    return this.#isHeld(`image ${id}`);
  }

  #open(set: Set<Set<string>>, held: Held): Lease {
    const kept = new Set<string>();
    set.add(kept);
    add(kept, held);
    return { keep: (more) => add(kept, more), [Symbol.dispose]: () => void set.delete(kept) };
  }

  #isHeld(key: string): boolean {
    for (const set of [this.#leases, this.#sessions]) for (const kept of set) if (kept.has(key)) return true;
    return false;
  }
}

function add(kept: Set<string>, held: Held): void {
  for (const id of held.layers ?? []) kept.add(id);
  for (const id of held.diffIds ?? []) kept.add(id);
  for (const digest of held.blobs ?? []) kept.add(`blob ${digest}`);
  for (const id of held.images ?? []) kept.add(`image ${id}`);
}
