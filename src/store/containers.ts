import { randomBytes } from 'node:crypto';
import type { Database } from '../lib/database.ts';
import { Failure } from '../lib/error.ts';
import { chainIds, type DiffId, type ImageId } from '../oci/digest.ts';

declare const containerIdBrand: unique symbol;

/** 64 lower-case hex digits. */
export type ContainerId = string & { readonly [containerIdBrand]: true };

export interface ContainerRow {
  readonly id: ContainerId;
  /** Without slash; case counts. */
  readonly name: string;
  readonly image: ImageId | undefined;
  /** The container room's own document, any JSON value. */
  readonly record: unknown;
}

export interface NewContainer extends ContainerRow {
  /** The image's layers, bottom first: kept while the record lives, even when the image is removed by force. */
  readonly layers: readonly DiffId[];
  /** Those of each image that is mounted into it. */
  readonly mounted?: readonly (readonly DiffId[])[];
}

interface Row {
  id: ContainerId;
  name: string;
  image: ImageId | null;
  record: string;
}

const COLUMNS = 'id, name, image, record';

/** 64 random hex digits, as Docker's. */
export function newContainerId(): ContainerId {
  return randomBytes(32).toString('hex') as ContainerId; // 32 bytes are 64 hex digits
}

export function parseContainerId(text: string): ContainerId {
  if (!/^[0-9a-f]{64}$/.test(text))
    throw new Failure('invalid', 'CONTAINER_ID_INVALID', `invalid container ID "${text}"`);
  return text as ContainerId; // checked in the line above
}

/** Containers as documents. Writes are atomic and not synced: a power cut may lose the last ones, as it loses the container. */
export class ContainerRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Adds a container. Throws `conflict` CONTAINER_NAME_USED with Docker's words when the name is taken. */
  create(container: NewContainer): void {
    this.#database.transaction(() => {
      this.#checkName(container.name, container.id);
      this.#database.run(
        `INSERT INTO containers (${COLUMNS}) VALUES (?, ?, ?, ?)`,
        container.id,
        container.name,
        container.image ?? null,
        JSON.stringify(container.record),
      );
      for (const [mount, layers] of [container.layers, ...(container.mounted ?? [])].entries()) {
        const chain = chainIds(layers);
        for (const [position, diffId] of layers.entries())
          this.#database.run(
            'INSERT INTO container_layers (container, mount, position, diff_id, chain_id) VALUES (?, ?, ?, ?, ?)',
            container.id,
            mount,
            position,
            diffId,
            chain[position] ?? '',
          );
      }
    });
  }

  /** Replaces the document. Throws `not-found` CONTAINER_NOT_FOUND. */
  update(id: ContainerId, record: unknown): void {
    if (this.#database.run('UPDATE containers SET record = ? WHERE id = ?', JSON.stringify(record), id) === 0)
      throw notFound(id);
  }

  /** Throws as `create` does for a taken name. */
  rename(id: ContainerId, name: string): void {
    this.#database.transaction(() => {
      this.#checkName(name, id);
      if (this.#database.run('UPDATE containers SET name = ? WHERE id = ?', name, id) === 0) throw notFound(id);
    });
  }

  get(id: ContainerId): ContainerRow | undefined {
    return toRow(this.#database.get<Row>(`SELECT ${COLUMNS} FROM containers WHERE id = ?`, id));
  }

  byName(name: string): ContainerRow | undefined {
    return toRow(this.#database.get<Row>(`SELECT ${COLUMNS} FROM containers WHERE name = ?`, name));
  }

  /** What `text` means: a complete ID, a name (one leading slash is ignored), a unique prefix of an ID. */
  resolve(text: string): ContainerRow {
    const exact = toRow(this.#database.get<Row>(`SELECT ${COLUMNS} FROM containers WHERE id = ?`, text));
    const found = exact ?? this.byName(text.replace(/^\//, '')) ?? this.#byPrefix(text);
    if (!found) throw notFound(text);
    return found;
  }

  /** Newest first. */
  list(): ContainerRow[] {
    return this.#database
      .all<Row>(`SELECT ${COLUMNS} FROM containers ORDER BY seq DESC`)
      .flatMap((row) => toRow(row) ?? []);
  }

  layersOf(id: ContainerId): DiffId[] {
    return this.#database
      .all<{ diff_id: DiffId }>(
        'SELECT diff_id FROM container_layers WHERE container = ? AND mount = 0 ORDER BY position',
        id,
      )
      .map((row) => row.diff_id);
  }

  usersOf(image: ImageId): ContainerId[] {
    return this.#database
      .all<{ id: ContainerId }>('SELECT id FROM containers WHERE image = ? ORDER BY seq', image)
      .map((row) => row.id);
  }

  /** Removes the record; its name is free and its layers may go. An unknown ID is no error. */
  delete(id: ContainerId): void {
    this.#database.freeing(() => this.#database.run('DELETE FROM containers WHERE id = ?', id));
  }

  #checkName(name: string, id: ContainerId): void {
    const holder = this.byName(name);
    if (!holder || holder.id === id) return;
    throw new Failure(
      'conflict',
      'CONTAINER_NAME_USED',
      `Conflict. The container name "/${name}" is already in use by container "${holder.id}". You have to remove (or rename) that container to be able to reuse that name.`,
    );
  }

  #byPrefix(text: string): ContainerRow | undefined {
    if (!/^[0-9a-f]{1,64}$/.test(text)) return undefined;
    const rows = this.#database.all<Row>(
      `SELECT ${COLUMNS} FROM containers WHERE id >= ? AND id < ? LIMIT 2`,
      text,
      `${text}g`,
    );
    if (rows.length > 1)
      throw new Failure('invalid', 'CONTAINER_AMBIGUOUS', `multiple IDs found with provided prefix: ${text}`);
    return toRow(rows[0]);
  }
}

function notFound(text: string): Failure {
  return new Failure('not-found', 'CONTAINER_NOT_FOUND', `No such container: ${text}`);
}

function toRow(row: Row | undefined): ContainerRow | undefined {
  return row && { id: row.id, name: row.name, image: row.image ?? undefined, record: JSON.parse(row.record) };
}
