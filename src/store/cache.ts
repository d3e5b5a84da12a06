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
