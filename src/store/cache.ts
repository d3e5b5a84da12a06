import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Database } from '../lib/database.ts';
import type { DiffId, ImageId } from '../oci/digest.ts';
import type { Leases } from './leases.ts';

/** A named part of a cache key: `command`, `env PATH`, `file app/main.ts`. */
export interface CacheComponent {
  readonly name: string;
  readonly value: string;
}

export interface NewCacheRecord {
  readonly key: string;
  /** Which instruction it was, whatever its inputs: what `alike` looks for when the key is not found. */
  readonly site: string;
  readonly components: readonly CacheComponent[];
  /** What the step gave, in the solver's own words. */
  readonly result: string;
  /** The layer that `result` relies on; it is kept while the record lives, and the record goes when the layer does. */
  readonly layer?: DiffId | undefined;
  /** The image that `result` relies on; the record goes when the image does. */
  readonly image?: ImageId | undefined;
}

export interface CacheRecord extends NewCacheRecord {
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly lastUsed: number;
  /** How often `use` found it. */
  readonly useCount: number;
}

export interface CachePolicy {
  /** Only records not used since this time, milliseconds since the epoch. */
  readonly unusedSince?: number;
  /** Bytes of layers that only the cache keeps which may stay; least recently used records go first. */
  readonly keepBytes?: number;
}

interface CacheRow {
  key: string;
  site: string;
  components: Uint8Array;
  result: string;
  layer: DiffId | null;
  image: ImageId | null;
  created: number;
  last_used: number;
  use_count: number;
}

/** Results of build steps by cache key, with what each key was made of, so that a miss can be explained. */
export class CacheRecords {
  readonly #database: Database;
  readonly #leases: Leases;

  constructor(parts: { database: Database; leases: Leases }) {
    this.#database = parts.database;
    this.#leases = parts.leases;
  }

  /** Adds or replaces a record. The layer and the image must be in the store. */
  put(record: NewCacheRecord): void {
    const now = Date.now();
    this.#database.run(
      `INSERT OR REPLACE INTO cache (key, site, components, result, layer, image, created, last_used, use_count)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)`,
      record.key,
      record.site,
      zstdCompressSync(JSON.stringify(record.components)),
      record.result,
      record.layer ?? null,
      record.image ?? null,
      now,
      now,
    );
  }

  /** Finds a record for use: counts it, and sessions keep its layer. */
  use(key: string): CacheRecord | undefined {
    const row = this.#database.get<CacheRow>(
      'UPDATE cache SET last_used = ?, use_count = use_count + 1 WHERE key = ? RETURNING *',
      Date.now(),
      key,
    );
    if (row?.layer) this.#leases.touch({ diffIds: [row.layer] });
    return row && toRecord(row);
  }

  /** Records of the same instruction, last used first: what to compare a missed key with. */
  alike(site: string, limit: number): CacheRecord[] {
    return this.#database
      .all<CacheRow>('SELECT * FROM cache WHERE site = ? ORDER BY last_used DESC, created DESC LIMIT ?', site, limit)
      .map(toRecord);
  }

  /** Least recently used first. */
  list(): CacheRecord[] {
    return this.#database.all<CacheRow>('SELECT * FROM cache ORDER BY last_used, created').map(toRecord);
  }

  delete(key: string): void {
    this.#database.run('DELETE FROM cache WHERE key = ?', key);
  }

  /** Drops the records that result in this layer. */
  forgetLayer(diffId: DiffId): void {
    this.#database.run('DELETE FROM cache WHERE layer = ?', diffId);
  }

  /** Drops records by policy, all when it is empty, and returns their keys. Layers go with the next collection. */
  prune(policy: CachePolicy = {}): string[] {
    return this.#database.transaction(() => {
      const rows = this.#database.all<{ key: string; layer: DiffId | null; size: number }>(
        `SELECT key, layer, coalesce((
           SELECT size FROM layers WHERE diff_id = cache.layer
             AND NOT EXISTS (SELECT 1 FROM image_layers WHERE diff_id = cache.layer)
             AND NOT EXISTS (SELECT 1 FROM container_layers WHERE diff_id = cache.layer)), 0) AS size
         FROM cache WHERE last_used < ? ORDER BY last_used, created`,
        policy.unusedSince ?? Number.MAX_SAFE_INTEGER,
      );
      // Several records may share a layer: it goes with the last of them.
      const records = new Map<DiffId | null, number>();
      for (const row of rows) records.set(row.layer, (records.get(row.layer) ?? 0) + 1);
      let bytes = policy.keepBytes === undefined ? Number.POSITIVE_INFINITY : this.#exclusiveBytes();
      const pruned: string[] = [];
      for (const row of rows) {
        if (policy.keepBytes !== undefined && bytes <= policy.keepBytes) break;
        this.delete(row.key);
        pruned.push(row.key);
        const left = (records.get(row.layer) ?? 0) - 1;
        records.set(row.layer, left);
        if (left === 0) bytes -= row.size;
      }
      return pruned;
    });
  }

  /** Bytes of layers that nothing but cache records keeps. */
  #exclusiveBytes(): number {
    const row = this.#database.get<{ bytes: number | null }>(
      `SELECT sum(size) AS bytes FROM layers WHERE EXISTS (SELECT 1 FROM cache WHERE layer = diff_id)
         AND NOT EXISTS (SELECT 1 FROM image_layers WHERE image_layers.diff_id = layers.diff_id)
         AND NOT EXISTS (SELECT 1 FROM container_layers WHERE container_layers.diff_id = layers.diff_id)`,
    );
    return row?.bytes ?? 0;
  }
}

function toRecord(row: CacheRow): CacheRecord {
  return {
    key: row.key,
    site: row.site,
    components: JSON.parse(zstdDecompressSync(row.components).toString('utf8')) as CacheComponent[], // written by `put`
    result: row.result,
    layer: row.layer ?? undefined,
    image: row.image ?? undefined,
    created: row.created,
    lastUsed: row.last_used,
    useCount: row.use_count,
  };
}
