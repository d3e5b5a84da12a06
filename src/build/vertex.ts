import { randomUUID } from 'node:crypto';
import { type DiffId, digestOf } from '../oci/digest.ts';
import type { CacheKey } from './cache-key.ts';
import type { CachedStep, MadeLayer, SealedLayer, StepCache } from './needs.ts';

/** The tar of a layer without entries: two zero blocks. Docker gives such a step no layer. */
const EMPTY_DIFF = digestOf(Buffer.alloc(1024)) as string as DiffId; // diffID of bytes known here

/** A step that works on files, solved: from the cache or by execution. */
export interface SolvedVertex {
  readonly cached: boolean;
  readonly result: string;
  readonly created: string;
  /** The layer to stack upon, at once. Undefined when the step is known to have changed nothing. */
  readonly layer: MadeLayer | undefined;
  /** The layer as the image lists it: undefined when it is empty. */
  readonly sealed: Promise<SealedLayer | undefined>;
}

export interface Execution {
  readonly layer: MadeLayer | undefined;
  /** Identity of the result when content decides it; left out, the result is like no other. */
  readonly result?: string;
  /** The key to remember it under, when the work itself found what it depends on. */
  readonly key?: CacheKey;
  /** A part of the key that `mayBeKnown` is to know from now on. */
  readonly partialKey?: CacheKey;
}

/**
 * The solver's heart: finds or makes the result of a step that works on files (RUN, COPY, ADD, WORKDIR) by its key. There is one of
 * it for all builds of a host.
 *
 * A key names all that the result depends on (`cacheKey`). A result is a layer, or none when nothing changed, and an identity:
 * what the keys of later steps name as their base. Where content decides (COPY) equal content has the same identity, so that
 * later steps hit although this one missed; what a RUN gave is like no other. The layer can be stacked upon at
 * once; its digest follows (`sealed`), and only then is the result in the cache: what broke off is never found.
 *
 * Equal steps of builds that run at the same time execute once: the later one waits, and works itself only when the first one
 * failed or was cancelled. A step may find out while it works what it depends on (a COPY that reads each file once): it then
 * says the whole key with its result, and a part of it that tells whether looking for the whole key is worth it.
 */
export class Vertices {
  readonly #cache: StepCache;
  readonly #running = new Map<string, Promise<SolvedVertex>>();

  constructor(cache: StepCache) {
    this.#cache = cache;
  }

  async solve(key: CacheKey, options: { useCache: boolean; execute: () => Promise<Execution> }): Promise<SolvedVertex> {
    while (options.useCache) {
      const running = this.#running.get(key.digest);
      const known = running ? undefined : this.#cache.get(key.digest);
      if (known) return fromCache(known);
      if (!running) break;
      const solved = await running.catch(() => undefined);
      if (solved) return { ...solved, cached: true };
    }
    const work = this.#execute(key, options.execute);
    this.#running.set(key.digest, work);
    const forget = () => {
      if (this.#running.get(key.digest) === work) this.#running.delete(key.digest);
    };
    work.then((solved) => solved.sealed).then(forget, forget);
    return work;
  }

  /** Whether a step with these components, and some more that are dear to find out, was ever remembered. */
  mayBeKnown(partial: CacheKey): boolean {
    return this.#cache.get(partial.digest) !== undefined;
  }

  async #execute(asked: CacheKey, execute: () => Promise<Execution>): Promise<SolvedVertex> {
    const { layer, key = asked, partialKey, result = `${key.digest} ${randomUUID()}` } = await execute();
    const created = new Date().toISOString();
    const sealed = Promise.resolve(layer?.sealed).then((record) => {
      const kept = record && record.diffId !== EMPTY_DIFF ? record : undefined;
      this.#cache.put(key, { layer: kept, result, created });
      if (partialKey) this.#cache.put(partialKey, { layer: undefined, result, created }); // only its presence tells
      return kept;
    });
    sealed.catch(() => {}); // whoever needs the layer awaits it and learns the reason
    return { cached: false, result, created, layer, sealed };
  }
}

function fromCache(known: CachedStep): SolvedVertex {
  const { layer, result, created } = known;
  const made = layer && { id: layer.id, sealed: Promise.resolve(layer) };
  return { cached: true, result, created, layer: made, sealed: Promise.resolve(layer) };
}
