import type { Database } from '../lib/database.ts';
import type { DiffId, ImageId } from '../oci/digest.ts';

/** A step's result that later builds may take, or the layer of an image that a build made on its way. */
export interface CacheEntry {
  /** Key of the cache record; undefined for a layer that only images of single steps have. */
  readonly key: string | undefined;
  /** The instruction. */
  readonly site: string;
  readonly layer: DiffId | undefined;
  /** Bytes of the layer. */
  readonly size: number;
  /** Other things than the cache need the layer. */
  readonly isNeeded: boolean;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly lastUsed: number;
  readonly useCount: number;
}

interface Row {
  key: string | null;
  site: string;
  layer: DiffId | null;
  size: number;
  needed: number;
  created: number;
  last_used: number;
  use_count: number;
}

/**
 * Layers that people's images and containers have. Images of single steps on the way to no such image are the build
 * cache's: those that a build made, that never were its result, have no name and no container.
 */
const NEEDED = `
  kept (id, parent) AS (
    SELECT id, parent FROM images WHERE step_key IS NULL
      OR EXISTS (SELECT 1 FROM tags WHERE image = images.id)
      OR EXISTS (SELECT 1 FROM repo_digests WHERE image = images.id)
      OR EXISTS (SELECT 1 FROM containers WHERE image = images.id)
      OR EXISTS (SELECT 1 FROM build_results WHERE image = images.id)
      OR EXISTS (SELECT 1 FROM tag_platforms WHERE image = images.id)
    UNION SELECT images.id, images.parent FROM images JOIN kept ON images.id = kept.parent
  ),
  needed (diff_id) AS (
    SELECT diff_id FROM image_layers WHERE image IN (SELECT id FROM kept) UNION SELECT diff_id FROM container_layers
  )`;

/** What the build cache takes on the disk beyond what images and containers need. */
export class CacheSpace {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** An image that a build was for, or that somebody wants to keep. It stays until a person removes it, with a name or without. */
  keepResult(image: ImageId): void {
    this.#database.run('INSERT OR IGNORE INTO build_results (image) VALUES (?)', image);
  }

  /** Least recently used first. */
  entries(): CacheEntry[] {
    const rows = this.#database.all<Row>(
      `WITH RECURSIVE ${NEEDED}
       SELECT key, site, layer, coalesce(layers.size, 0) AS size, layer IN (SELECT diff_id FROM needed) AS needed,
         cache.created AS created, last_used, use_count
       FROM cache LEFT JOIN layers ON layers.diff_id = layer
       UNION ALL
       SELECT NULL, '', diff_id, size, 0, created, created, 0 FROM layers
       WHERE diff_id IN (SELECT diff_id FROM image_layers) AND diff_id NOT IN (SELECT diff_id FROM needed)
         AND diff_id NOT IN (SELECT layer FROM cache WHERE layer IS NOT NULL)
       ORDER BY last_used, created`,
    );
    return rows.map((row) => ({
      key: row.key ?? undefined,
      site: row.site,
      layer: row.layer ?? undefined,
      size: row.size,
      isNeeded: row.needed === 1,
      created: row.created,
      lastUsed: row.last_used,
      useCount: row.use_count,
    }));
  }

  /** Layers that images and containers need, the cache not counted. */
  neededLayers(): Set<DiffId> {
    const rows = this.#database.all<{ diff_id: DiffId }>(`WITH RECURSIVE ${NEEDED} SELECT diff_id FROM needed`);
    return new Set(rows.map((row) => row.diff_id));
  }

  /** Bytes of layers that only the cache keeps, each once. */
  bytes(): number {
    const row = this.#database.get<{ bytes: number | null }>(
      `WITH RECURSIVE ${NEEDED}
       SELECT sum(size) AS bytes FROM layers WHERE diff_id NOT IN (SELECT diff_id FROM needed)
         AND (diff_id IN (SELECT layer FROM cache) OR diff_id IN (SELECT diff_id FROM image_layers))`,
    );
    return row?.bytes ?? 0;
  }

  /** Images of single steps that are the cache's and have one of these layers (all, when undefined); children first. */
  stepImages(layer: DiffId | undefined): ImageId[] {
    return this.#database
      .all<{ id: ImageId }>(
        `WITH RECURSIVE ${NEEDED}
         SELECT id FROM images WHERE id NOT IN (SELECT id FROM kept)
           AND (?1 IS NULL OR EXISTS (SELECT 1 FROM image_layers WHERE image = images.id AND diff_id = ?1))
         ORDER BY seq DESC`,
        layer ?? null,
      )
      .map(({ id }) => id);
  }
}
