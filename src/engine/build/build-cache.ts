import { statfsSync } from 'node:fs';
import { cacheMountLocks } from '../../build/mounts/cache-mount-lock.ts';
import { Failure, messageOf } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';
import type { WorkerPool } from '../../lib/worker-pool.ts';
import type { DiffId } from '../../oci/digest.ts';
import { collect } from '../../store/collect.ts';
import type { Store } from '../../store/open-store.ts';
import type { CacheRecord } from '../../wire/disk-usage.ts';
import type { Filters } from '../../wire/filters.ts';
import { untilFilter } from '../images/image-filters.ts';

/** One thing that the build cache can give up. */
interface Item {
  readonly id: string;
  readonly type: 'regular' | 'exec.cachemount' | 'source.local';
  readonly description: string;
  readonly size: number;
  /** Images or containers have it too: giving it up frees nothing. */
  readonly isNeeded: boolean;
  /** Needed, or counted in another item already. */
  readonly isShared: boolean;
  readonly isUsed: boolean;
  readonly created: number;
  readonly lastUsed: number;
  readonly useCount: number;
  readonly key?: string | undefined;
  readonly layer?: DiffId | undefined;
  /** Name of a cache mount. */
  readonly mount?: string;
  /** Name of a client's folder. */
  readonly folder?: string;
}

/** How much to keep, in bytes; 0 is not stated. https://docs.docker.com/reference/api/engine/ (POST /build/prune) */
export interface PruneQuery {
  /** Also what images or containers have, and records without files. */
  readonly all: boolean;
  readonly filters: Filters;
  readonly reservedSpace: number;
  readonly maxUsedSpace: number;
  readonly minFreeSpace: number;
}

export interface BuildCacheParts {
  readonly store: Store;
  readonly workers: WorkerPool;
  /** Bytes that only the cache keeps may not grow above this; undefined: no limit. */
  readonly limit: number | undefined;
  readonly isBuilding: () => boolean;
  readonly log: Log;
}

/** What builds leave for later ones: results of steps, cache mounts, and what clients sent. */
export class BuildCache {
  readonly #parts: BuildCacheParts;
  #measuring: Promise<void> = Promise.resolve();

  constructor(parts: BuildCacheParts) {
    this.#parts = parts;
  }

  /** As `system df` lists them. Most recently used first. */
  records(): CacheRecord[] {
    return this.#items()
      .reverse()
      .map((item) => ({
        ID: item.id,
        Type: item.type,
        Description: item.description,
        InUse: item.isUsed,
        Shared: item.isShared,
        Size: item.size,
        CreatedAt: new Date(item.created).toISOString(),
        LastUsedAt: new Date(item.lastUsed).toISOString(),
        UsageCount: item.useCount,
      }));
  }

  /** Gives up what nobody uses at the moment, least recently used first, until only so much is left as may stay. */
  async prune(query: PruneQuery): Promise<{ CachesDeleted: string[] | null; SpaceReclaimed: number }> {
    const matches = matcherOf(query.filters);
    const { store } = this.#parts;
    const keep = this.#keepBytes(query);
    const wanted = this.#items().filter((item) => !item.isUsed && matches(item) && (query.all || isOwn(item)));
    const { deleted, folderBytes } = store.freeing(() => this.#giveUp(wanted, keep));
    // Single steps without files of their own: a running build may stand on one.
    if (query.all && keep === 0 && Object.keys(query.filters).length === 0 && !this.#parts.isBuilding())
      for (const image of store.cacheSpace.stepImages(undefined)) store.images.delete(image);
    const { bytes } = collect(store);
    return { CachesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: bytes + folderBytes };
  }

  /**
   * Keeps the cache below its limit. Called whenever something came into it. What a running build has made or found stays
   * until the build ends: it is a result before it is cache.
   */
  hold(): void {
    const { store, limit } = this.#parts;
    if (limit === undefined || this.#bytes() <= limit) return;
    const items = this.#items().filter((item) => !item.isUsed && isOwn(item));
    const { deleted } = store.freeing(() => this.#giveUp(items, limit));
    if (deleted.length > 0) collect(store);
  }

  /** A RUN has ended that used a cache mount: its size is looked up, in the background. */
  mountEnded(name: string): void {
    this.#measuring = this.#measuring.then(async () => {
      try {
        await this.measure(name, AbortSignal.timeout(600_000));
        this.hold();
      } catch (error) {
        this.#parts.log.warn('cannot measure a cache mount', { mount: name, why: messageOf(error) });
      }
    });
  }

  async measure(name: string, signal: AbortSignal): Promise<number> {
    const { store, workers } = this.#parts;
    const size = await workers.run<number>('tree-size', store.cacheMounts.folder(name), { signal });
    store.cacheMounts.measured(name, size);
    return size;
  }

  #bytes(): number {
    const { store } = this.#parts;
    return store.cacheSpace.bytes() + store.cacheMounts.bytes() + store.clientFolders.bytes();
  }

  /** Least recently used first. A layer of several records counts in the one that goes last. */
  #items(): Item[] {
    const { store } = this.#parts;
    const counted = new Set<DiffId>();
    const steps = store.cacheSpace
      .entries()
      .reverse()
      .map((entry): Item => {
        const { key, layer } = entry;
        const isCounted = layer !== undefined && counted.has(layer);
        if (layer !== undefined) counted.add(layer);
        const record = layer === undefined ? undefined : store.layers.byDiffId(layer);
        return {
          id: (key ?? layer ?? '').replace(/^sha256:/, ''),
          type: 'regular',
          description: key === undefined ? 'image of a single step' : entry.site,
          size: entry.size,
          isNeeded: entry.isNeeded,
          isShared: entry.isNeeded || isCounted,
          isUsed: record !== undefined && store.leases.isLayerHeld(record.id, record.diffId),
          created: entry.created,
          lastUsed: entry.lastUsed,
          useCount: entry.useCount,
          key,
          layer,
        };
      });
    const mounts = store.cacheMounts.list().map(
      (mount): Item => ({
        id: mount.name,
        type: 'exec.cachemount',
        description: `cache mount ${mount.id}`,
        size: mount.size,
        isNeeded: false,
        isShared: false,
        isUsed: cacheMountLocks.isHeld(store.cacheMounts.folder(mount.name)),
        created: mount.created,
        lastUsed: mount.lastUsed,
        useCount: mount.useCount,
        mount: mount.name,
      }),
    );
    const folders = store.clientFolders.list().map(
      ({ name, label, ...folder }): Item => ({
        id: name,
        type: 'source.local',
        description: `local source for ${label}`,
        isNeeded: false,
        isShared: false,
        ...folder,
        folder: name,
      }),
    );
    return [...steps.reverse(), ...mounts, ...folders].sort((a, b) => a.lastUsed - b.lastUsed);
  }

  /** Deletes from the front of a list until the whole cache has `keep` bytes at most. */
  #giveUp(items: readonly Item[], keep: number): { deleted: string[]; folderBytes: number } {
    const { store } = this.#parts;
    let bytes = this.#bytes();
    let folderBytes = 0;
    const deleted: string[] = [];
    const shares = new Map<DiffId, number>();
    for (const { layer } of this.#items()) if (layer) shares.set(layer, (shares.get(layer) ?? 0) + 1);
    const needed = store.cacheSpace.neededLayers();
    for (const item of items) {
      if (keep > 0 && bytes <= keep) break;
      if (item.key !== undefined) store.cache.delete(item.key);
      if (item.mount !== undefined) store.cacheMounts.delete(item.mount);
      if (item.folder !== undefined) store.clientFolders.delete(item.folder);
      if (item.mount !== undefined || item.folder !== undefined) {
        folderBytes += item.size;
        bytes -= item.size;
      }
      deleted.push(item.id);
      if (item.layer === undefined) continue;
      const left = (shares.get(item.layer) ?? 1) - 1;
      shares.set(item.layer, left);
      if (left > 0 || needed.has(item.layer)) continue;
      for (const image of store.cacheSpace.stepImages(item.layer)) store.images.delete(image);
      bytes -= item.size;
    }
    return { deleted, folderBytes };
  }

  #keepBytes({ reservedSpace, maxUsedSpace, minFreeSpace }: PruneQuery): number {
    let keep = maxUsedSpace;
    if (minFreeSpace > 0) {
      const { bavail, bsize } = statfsSync(this.#parts.store.root);
      const excess = minFreeSpace - bavail * bsize;
      const total = this.#bytes();
      if (excess > 0) keep = keep === 0 ? total - excess : Math.min(keep, total - excess);
      else if (keep === 0) keep = Number.POSITIVE_INFINITY;
    }
    return Math.max(keep, reservedSpace, 0);
  }
}

/** Whether giving it up frees something. */
function isOwn({ isNeeded, layer, mount, folder }: Item): boolean {
  return mount !== undefined || folder !== undefined || (layer !== undefined && !isNeeded);
}

/** The test of `--filter`. Keys are checked by the door; a value that makes no sense is refused here. */
function matcherOf(filters: Filters): (item: Item) => boolean {
  const before = untilFilter({ until: [...(filters['until'] ?? []), ...(filters['unused-for'] ?? [])] });
  const some = (key: string, test: (item: Item, value: string) => boolean) => {
    const values = filters[key] ?? [];
    return (item: Item) => values.length === 0 || values.some((value) => test(item, value));
  };
  const tests = [
    (item: Item) => before === undefined || item.lastUsed < before,
    some('id', ({ id }, value) => id.startsWith(value.replace(/^sha256:/, ''))),
    some('type', ({ type }, value) => type === value),
    some('description', ({ description }, value) => description.includes(value)),
    some('inuse', ({ isUsed }, value) => isUsed === yes('inuse', value)),
    some('shared', ({ isShared }, value) => isShared === yes('shared', value)),
    some('private', ({ isShared }, value) => isShared !== yes('private', value)),
    some('label', () => false), // the build cache has no labels
  ];
  return (item) => tests.every((test) => test(item));
}

function yes(key: string, value: string): boolean {
  if (['', '1', 'true'].includes(value)) return true;
  if (['0', 'false'].includes(value)) return false;
  throw new Failure('invalid', 'FILTER_INVALID', `invalid filter '${key}=${value}'`);
}
