import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '../lib/database.ts';
import { Failure } from '../lib/error.ts';
import type { DiffId } from '../oci/digest.ts';
import { diskFailure } from './disk.ts';
import type { Leases } from './leases.ts';
import type { Trash } from './trash.ts';

declare const layerIdBrand: unique symbol;

/** Name of a layer's folder: a sequence number in base 36, short because mount options are. Never used twice. */
export type LayerId = string & { readonly [layerIdBrand]: true };

export interface LayerFacts {
  /** Digest of the layer's uncompressed tar. */
  readonly diffId: DiffId;
  /** Bytes of file content: what `history` and `images` show. */
  readonly size: number;
  /** Bytes of the uncompressed tar. */
  readonly tarSize: number;
  /** Rows of its index. */
  readonly entries: number;
}

export interface LayerRecord extends LayerFacts {
  readonly id: LayerId;
  /** Milliseconds since the epoch. */
  readonly created: number;
  /** The tree was synced to disk after it was made; what is not durable must be verified after a reboot. */
  readonly durable: boolean;
}

export interface AllottedLayer {
  readonly id: LayerId;
  /** The layer's own folder, empty; `diff` and `index` go into it. */
  readonly folder: string;
}

export interface SealedLayer {
  /** The record of this diff ID: the new one, or the one that the store had already. */
  readonly layer: LayerRecord;
  /** True when the store had it. The new tree stays mounted where it is, and collection removes it later. */
  readonly duplicate: boolean;
}

export interface LayerUse {
  /** How often images, containers and cache records name the layer. */
  readonly images: number;
  readonly containers: number;
  readonly cache: number;
}

interface LayerRow {
  diff_id: DiffId;
  id: LayerId;
  size: number;
  tar_size: number;
  entries: number;
  created: number;
  durable: number;
}

const COLUMNS = 'diff_id, id, size, tar_size, entries, created, durable';

/** Reads an ID that `allot` made. */
export function parseLayerId(text: string): LayerId {
  if (!/^[0-9a-z]{1,11}$/.test(text)) throw new Failure('invalid', 'LAYER_ID_INVALID', `invalid layer ID "${text}"`);
  return text as LayerId; // checked in the line above
}

/**
 * The layers of the store. A layer's life: `allot` gives an empty folder; its maker fills it; `seal` makes it a record,
 * at once and for good. A folder that was never sealed goes when the store is next opened. Trees are not synced one by
 * one (that would cost more than making them): after a sync of the whole file system `markDurable` notes it, and
 * layers of an earlier boot that never got there are `suspects`.
 */
export class LayerRecords {
  readonly #database: Database;
  /** `<root>/layers`: the working directory of mounts, whose lower directories are `<id>/diff`. */
  readonly root: string;
  readonly #trash: Trash;
  readonly #leases: Leases;
  readonly #bootId: string;

  constructor(parts: { database: Database; root: string; trash: Trash; leases: Leases; bootId: string }) {
    this.#database = parts.database;
    this.root = parts.root;
    this.#trash = parts.trash;
    this.#leases = parts.leases;
    this.#bootId = parts.bootId;
  }

  folder(id: LayerId): string {
    return join(this.root, id);
  }

  /** Gives a new id and its empty folder (0700). Sessions keep it. */
  allot(): AllottedLayer {
    const row = this.#database.get<{ value: number }>(
      `INSERT INTO counters (name, value) VALUES ('layer', 1)
       ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value`,
    );
    if (!row) throw new Failure('internal', 'LAYER_SEQUENCE', 'the layer sequence gave no number');
    const id = parseLayerId(row.value.toString(36));
    const folder = this.folder(id);
    try {
      mkdirSync(folder, { mode: 0o700 });
    } catch (error) {
      throw diskFailure(error, this.root);
    }
    this.#leases.touch({ layers: [id] });
    return { id, folder };
  }

  /** Makes the filled folder of `id` a layer. Throws `conflict` LAYER_SEALED when it is one already. */
  seal(id: LayerId, facts: LayerFacts): SealedLayer {
    return this.#database.transaction(() => {
      if (this.#isKnown(id)) throw new Failure('conflict', 'LAYER_SEALED', `layer ${id} is sealed already`);
      const before = this.byDiffId(facts.diffId);
      this.#leases.touch({ diffIds: [facts.diffId] });
      if (before) {
        this.#database.run('INSERT INTO duplicates (id, diff_id) VALUES (?, ?)', id, facts.diffId);
        return { layer: before, duplicate: true };
      }
      const layer: LayerRecord = { ...facts, id, created: Date.now(), durable: false };
      this.#database.run(
        `INSERT INTO layers (${COLUMNS}, boot_id) VALUES (?, ?, ?, ?, ?, ?, 0, ?)`,
        facts.diffId,
        id,
        facts.size,
        facts.tarSize,
        facts.entries,
        layer.created,
        this.#bootId,
      );
      return { layer, duplicate: false };
    });
  }

  /** The sealed layer whose tree is `id`. Duplicates are not records. */
  get(id: LayerId): LayerRecord | undefined {
    return toRecord(this.#database.get<LayerRow>(`SELECT ${COLUMNS} FROM layers WHERE id = ?`, id));
  }

  byDiffId(diffId: DiffId): LayerRecord | undefined {
    return toRecord(this.#database.get<LayerRow>(`SELECT ${COLUMNS} FROM layers WHERE diff_id = ?`, diffId));
  }

  /** The records of a chain, bottom first. Throws `not-found` LAYER_MISSING for the first one that is not stored. */
  chain(diffIds: readonly DiffId[]): LayerRecord[] {
    return diffIds.map((diffId) => {
      const layer = this.byDiffId(diffId);
      if (!layer) throw new Failure('not-found', 'LAYER_MISSING', `layer ${diffId} is not in the store`);
      return layer;
    });
  }

  /** All sealed layers, oldest first. */
  list(): LayerRecord[] {
    return this.#database
      .all<LayerRow>(`SELECT ${COLUMNS} FROM layers ORDER BY created, length(id), id`)
      .flatMap((row) => toRecord(row) ?? []);
  }

  /** Trees that were sealed when the store had the same diff ID already. */
  duplicates(): { readonly id: LayerId; readonly diffId: DiffId }[] {
    return this.#database
      .all<{ id: LayerId; diff_id: DiffId }>('SELECT id, diff_id FROM duplicates')
      .map((row) => ({ id: row.id, diffId: row.diff_id }));
  }

  /** Names of the folders below `<root>/layers`, sealed or not. */
  folders(): string[] {
    return readdirSync(this.root);
  }

  use(diffId: DiffId): LayerUse {
    const count = (table: string, column: string) =>
      this.#database.get<{ n: number }>(`SELECT count(*) AS n FROM ${table} WHERE ${column} = ?`, diffId)?.n ?? 0;
    return {
      images: count('image_layers', 'diff_id'),
      containers: count('container_layers', 'diff_id'),
      cache: count('cache', 'layer'),
    };
  }

  /**
   * Removes a layer, sealed or not: the record first, then the folder goes to the trash; cache records that result in
   * it go with it. Throws `conflict` LAYER_USED when an image or a container names it. Unknown ids are no error.
   */
  discard(id: LayerId): void {
    this.#database.freeing(() => {
      const layer = this.get(id);
      if (layer) {
        const use = this.use(layer.diffId);
        if (use.images + use.containers > 0)
          throw new Failure('conflict', 'LAYER_USED', `layer ${layer.diffId} is used by an image or a container`);
        this.#database.run('DELETE FROM layers WHERE id = ?', id);
      } else this.#database.run('DELETE FROM duplicates WHERE id = ?', id);
    });
    this.#trash.discard(this.folder(id));
  }

  /** Layers whose tree may not have reached the disk yet. */
  notDurable(): LayerRecord[] {
    return this.list().filter((layer) => !layer.durable);
  }

  /** Notes that these trees are on disk (a sync of the file system began after they were sealed) or were verified. */
  markDurable(ids: Iterable<LayerId>): void {
    this.#database.transaction(() => {
      for (const id of ids)
        this.#database.run('UPDATE layers SET durable = 1, boot_id = ? WHERE id = ?', this.#bootId, id);
    });
  }

  /** Layers of an earlier boot that were never synced: a power cut may have taken content. Verify before use. */
  suspects(): LayerRecord[] {
    return this.#database
      .all<LayerRow>(`SELECT ${COLUMNS} FROM layers WHERE durable = 0 AND boot_id <> ?`, this.#bootId)
      .flatMap((row) => toRecord(row) ?? []);
  }

  #isKnown(id: LayerId): boolean {
    return (
      this.#database.get(
        'SELECT 1 FROM layers WHERE id = ? UNION ALL SELECT 1 FROM duplicates WHERE id = ?',
        id,
        id,
      ) !== undefined
    );
  }
}

function toRecord(row: LayerRow | undefined): LayerRecord | undefined {
  if (!row) return undefined;
  return {
    id: row.id,
    diffId: row.diff_id,
    size: row.size,
    tarSize: row.tar_size,
    entries: row.entries,
    created: row.created,
    durable: row.durable === 1,
  };
}
