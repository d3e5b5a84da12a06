import type { Database } from '../lib/database.ts';
import { Failure } from '../lib/error.ts';
import { type ChainId, chainIds, type DiffId, type ImageId, shortId } from '../oci/digest.ts';
import { decodeConfig, type StoredConfig } from '../oci/image-config.ts';
import type { ImageNames } from './image-names.ts';
import type { LayerRecords } from './layers.ts';
import { TagForms } from './tag-forms.ts';
import { TagPlatforms } from './tag-platforms.ts';

export interface NewImage {
  readonly config: StoredConfig;
  /** The image that a build step or a commit began from. */
  readonly parent?: ImageId | undefined;
  /** What the step did, as the cache key names it; see `childByStep`. */
  readonly stepKey?: string | undefined;
}

/** An image with its config's exact bytes and their view. */
export interface ImageRecord extends StoredConfig {
  /** From the config, milliseconds since the epoch; 0 when the config does not say. */
  readonly created: number;
  /** Bytes: the sum of its layers, each as often as it occurs. */
  readonly size: number;
  readonly parent: ImageId | undefined;
  readonly stepKey: string | undefined;
  /** Milliseconds since the epoch of the last time it got a name. */
  readonly lastTagTime: number | undefined;
}

interface ImageRow {
  config: Uint8Array;
  created: number;
  size: number;
  parent: ImageId | null;
  step_key: string | null;
  last_tag_time: number | null;
}

const COLUMNS = 'config, created, size, parent, step_key, last_tag_time';

/** The images of the store, by ID; their names are in `names`. */
export class ImageRecords {
  readonly names: ImageNames;
  readonly platforms: TagPlatforms;
  readonly forms: TagForms;
  readonly #database: Database;
  readonly #layers: LayerRecords;

  constructor(parts: { database: Database; layers: LayerRecords; names: ImageNames }) {
    this.#database = parts.database;
    this.#layers = parts.layers;
    this.names = parts.names;
    this.platforms = new TagPlatforms(parts.database);
    this.forms = new TagForms(parts.database);
  }

  /**
   * Adds an image in one transaction. All its layers must be sealed (`not-found` LAYER_MISSING). Adding it again changes
   * nothing, except that a parent and a step key are noted when there were neither.
   */
  put(image: NewImage): ImageRecord {
    const { id, bytes, config } = image.config;
    return this.#database.transaction(() => {
      const diffIds = config.rootfs.diff_ids;
      const size = this.#layers.chain(diffIds).reduce((sum, layer) => sum + layer.size, 0);
      this.#checkParent(id, image.parent);
      this.#database.run(
        `INSERT INTO images (id, config, created, size, parent, step_key) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET
           parent = excluded.parent, step_key = excluded.step_key WHERE parent IS NULL AND step_key IS NULL`,
        id,
        bytes,
        Date.parse(config.created ?? '') || 0,
        size,
        image.parent ?? null,
        image.stepKey ?? null,
      );
      const chain = chainIds(diffIds);
      for (const [position, diffId] of diffIds.entries())
        this.#database.run(
          'INSERT OR IGNORE INTO image_layers (image, position, diff_id, chain_id) VALUES (?, ?, ?, ?)',
          id,
          position,
          diffId,
          chain[position] ?? '',
        );
      return this.demand(id);
    });
  }

  get(id: ImageId): ImageRecord | undefined {
    const row = this.#database.get<ImageRow>(`SELECT ${COLUMNS} FROM images WHERE id = ?`, id);
    return row && toRecord(row);
  }

  /** Like `get`; throws `not-found` IMAGE_NOT_FOUND. */
  demand(id: ImageId): ImageRecord {
    const image = this.get(id);
    if (!image) throw noSuchImage(id);
    return image;
  }

  has(id: ImageId): boolean {
    return this.#database.get('SELECT 1 FROM images WHERE id = ?', id) !== undefined;
  }

  /** All images, newest first. */
  list(): ImageRecord[] {
    return this.#database.all<ImageRow>(`SELECT ${COLUMNS} FROM images ORDER BY created DESC, seq DESC`).map(toRecord);
  }

  children(id: ImageId): ImageId[] {
    return this.#database
      .all<{ id: ImageId }>('SELECT id FROM images WHERE parent = ? ORDER BY seq', id)
      .map((row) => row.id);
  }

  isParent(id: ImageId): boolean {
    return this.#database.get('SELECT 1 FROM images WHERE parent = ? LIMIT 1', id) !== undefined;
  }

  /** The newest image that the step `stepKey` made of `parent` (of nothing, when undefined): the classic build cache. */
  childByStep(parent: ImageId | undefined, stepKey: string): ImageRecord | undefined {
    const row = this.#database.get<ImageRow>(
      `SELECT ${COLUMNS} FROM images WHERE parent IS ? AND step_key = ? ORDER BY created DESC, seq DESC LIMIT 1`,
      parent ?? null,
      stepKey,
    );
    return row && toRecord(row);
  }

  /**
   * The image that `text` means, as Docker decides it: a complete ID, then a name (tag `latest` when none is given),
   * then a prefix of an ID. Throws `not-found` IMAGE_NOT_FOUND with Docker's words, or `invalid` for what is neither
   * and for a prefix of several IDs.
   */
  resolve(text: string): ImageRecord {
    const meaning = this.names.interpret(text);
    if (meaning.id !== undefined) {
      const image = this.get(meaning.id);
      if (image) return image;
    } else {
      const found = this.names.find(meaning.reference) ?? this.#byPrefix(text);
      if (found) return this.demand(found);
    }
    throw noSuchImage(meaning.shown);
  }

  /**
   * Removes an image that has no name (`conflict` IMAGE_NAMED otherwise). Children lose parent and step key, cache records
   * with this result go; layers stay until collection. Returns the chains that no image and no container has any
   * more, top first. An unknown ID is no error.
   */
  delete(id: ImageId): ChainId[] {
    return this.#database.freeing(() => {
      if (this.names.of(id).length > 0)
        throw new Failure('conflict', 'IMAGE_NAMED', `image ${shortId(id)} still has a name`);
      const chain = this.#database.all<{ chain_id: ChainId }>(
        'SELECT chain_id FROM image_layers WHERE image = ? ORDER BY position DESC',
        id,
      );
      this.names.dropDigests(id);
      // Without its parent a child must not be found as what the same step makes of nothing.
      this.#database.run('UPDATE images SET parent = NULL, step_key = NULL WHERE parent = ?', id);
      this.#database.run('DELETE FROM images WHERE id = ?', id);
      return chain.map((row) => row.chain_id).filter((chainId) => !this.#isChainUsed(chainId));
    });
  }

  /** Images that have this layer. */
  withLayer(diffId: DiffId): ImageId[] {
    return this.#database
      .all<{ image: ImageId }>('SELECT DISTINCT image FROM image_layers WHERE diff_id = ?', diffId)
      .map((row) => row.image);
  }

  #isChainUsed(chainId: ChainId): boolean {
    return (
      this.#database.get(
        `SELECT 1 FROM image_layers WHERE chain_id = ?
         UNION ALL SELECT 1 FROM container_layers WHERE chain_id = ? LIMIT 1`,
        chainId,
        chainId,
      ) !== undefined
    );
  }

  /** A hostile archive may name parents in a circle; whoever walks up would never arrive. */
  #checkParent(id: ImageId, parent: ImageId | undefined): void {
    if (parent === undefined) return;
    if (!this.has(parent)) throw noSuchImage(parent);
    const circle = this.#database.get(
      `WITH RECURSIVE above (id) AS (
         SELECT ?1 UNION SELECT images.parent FROM above JOIN images ON images.id = above.id WHERE images.parent IS NOT NULL
       ) SELECT 1 FROM above WHERE id = ?2`,
      parent,
      id,
    );
    if (circle)
      throw new Failure('invalid', 'PARENT_CIRCLE', `image ${shortId(parent)} cannot be the parent of ${shortId(id)}`);
  }

  #byPrefix(text: string): ImageId | undefined {
    const hex = text.startsWith('sha256:') ? text.slice('sha256:'.length) : text;
    if (!/^[0-9a-f]{1,64}$/.test(hex)) return undefined;
    // All IDs with the prefix lie from `prefix` to `prefix` + "g": g follows f.
    const rows = this.#database.all<{ id: ImageId }>(
      'SELECT id FROM images WHERE id >= ? AND id < ? LIMIT 2',
      `sha256:${hex}`,
      `sha256:${hex}g`,
    );
    if (rows.length > 1)
      throw new Failure('invalid', 'IMAGE_AMBIGUOUS', `image ID prefix "${text}" is ambiguous`, {
        hint: 'write more digits of the ID',
      });
    return rows[0]?.id;
  }
}

const noSuchImage = (shown: string): Failure => new Failure('not-found', 'IMAGE_NOT_FOUND', `No such image: ${shown}`);

function toRecord(row: ImageRow): ImageRecord {
  return {
    ...decodeConfig(Buffer.from(row.config.buffer, row.config.byteOffset, row.config.byteLength)),
    created: row.created,
    size: row.size,
    parent: row.parent ?? undefined,
    stepKey: row.step_key ?? undefined,
    lastTagTime: row.last_tag_time ?? undefined,
  };
}
