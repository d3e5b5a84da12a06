import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '../lib/database.ts';
import { Failure } from '../lib/error.ts';
import type { ContainerId } from './containers.ts';
import { diskFailure } from './disk.ts';
import type { Trash } from './trash.ts';

export interface NewVolume {
  readonly name: string;
  /** Made for a container without a name of its own. */
  readonly anonymous: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
}

export interface VolumeRecord extends NewVolume {
  /** Milliseconds since the epoch. */
  readonly created: number;
  /** The folder that containers see. */
  readonly path: string;
}

/** Label of anonymous volumes, by which programs know them. */
const ANONYMOUS = 'com.docker.volume.anonymous';

interface VolumeRow {
  name: string;
  created: number;
  anonymous: number;
  labels: string;
  options: string;
}

/** Named volumes: a record and the folder `volumes/<name>/_data`. */
export class VolumeRecords {
  readonly #database: Database;
  /** `<root>/volumes`. */
  readonly root: string;
  readonly #trash: Trash;

  constructor(parts: { database: Database; root: string; trash: Trash }) {
    this.#database = parts.database;
    this.root = parts.root;
    this.#trash = parts.trash;
  }

  /** The volume of this name, made now (empty, 0755, owned by the host) when there was none. Throws `invalid` VOLUME_NAME_INVALID. */
  create(volume: NewVolume): VolumeRecord {
    if (volume.name.length === 1)
      throw new Failure(
        'invalid',
        'VOLUME_NAME_INVALID',
        `create ${volume.name}: volume name is too short, names should be at least two alphanumeric characters`,
      );
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(volume.name))
      throw new Failure(
        'invalid',
        'VOLUME_NAME_INVALID',
        `create ${volume.name}: "${volume.name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
      );
    const existing = this.get(volume.name);
    if (existing) return existing;
    const created = Date.now();
    const labels = volume.anonymous ? { ...volume.labels, [ANONYMOUS]: '' } : volume.labels;
    // The record first: a kill between the two leaves a record without folder, which the next open completes.
    this.#database.run(
      'INSERT INTO volumes (name, created, anonymous, labels, options) VALUES (?, ?, ?, ?, ?)',
      volume.name,
      created,
      volume.anonymous ? 1 : 0,
      JSON.stringify(labels),
      JSON.stringify(volume.options),
    );
    try {
      this.makeFolder(volume.name);
    } catch (error) {
      this.#database.run('DELETE FROM volumes WHERE name = ?', volume.name);
      throw error;
    }
    return { ...volume, labels, created, path: this.#data(volume.name) };
  }

  get(name: string): VolumeRecord | undefined {
    const row = this.#database.get<VolumeRow>('SELECT * FROM volumes WHERE name = ?', name);
    return row && this.#toRecord(row);
  }

  /** Sorted by name. */
  list(): VolumeRecord[] {
    return this.#database.all<VolumeRow>('SELECT * FROM volumes ORDER BY name').map((row) => this.#toRecord(row));
  }

  /** Notes that a container uses the volume, until `unref` or until the container's record is deleted. */
  ref(name: string, container: ContainerId): void {
    this.#database.run('INSERT OR IGNORE INTO volume_refs (volume, container) VALUES (?, ?)', name, container);
  }

  unref(name: string, container: ContainerId): void {
    this.#database.run('DELETE FROM volume_refs WHERE volume = ? AND container = ?', name, container);
  }

  usersOf(name: string): ContainerId[] {
    return this.#database
      .all<{ container: ContainerId }>('SELECT container FROM volume_refs WHERE volume = ? ORDER BY container', name)
      .map((row) => row.container);
  }

  /** Volumes that this container uses, sorted by name. */
  usedBy(container: ContainerId): VolumeRecord[] {
    return this.#database
      .all<VolumeRow>(
        'SELECT volumes.* FROM volumes JOIN volume_refs ON volume = name WHERE container = ? ORDER BY name',
        container,
      )
      .map((row) => this.#toRecord(row));
  }

  /** Removes record and content. Throws `not-found` VOLUME_NOT_FOUND and `conflict` VOLUME_USED in Docker's words. */
  delete(name: string): void {
    this.#database.freeing(() => {
      const users = this.usersOf(name);
      if (users.length > 0)
        throw new Failure('conflict', 'VOLUME_USED', `remove ${name}: volume is in use - [${users.join(', ')}]`);
      if (this.#database.run('DELETE FROM volumes WHERE name = ?', name) === 0)
        throw new Failure('not-found', 'VOLUME_NOT_FOUND', `get ${name}: no such volume`);
    });
    this.#trash.discard(join(this.root, name));
  }

  /** Makes the folder of a recorded volume when it is missing. */
  makeFolder(name: string): void {
    const path = this.#data(name);
    if (existsSync(path)) return;
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      chmodSync(path, 0o755);
    } catch (error) {
      throw diskFailure(error, this.root);
    }
  }

  #toRecord(row: VolumeRow): VolumeRecord {
    return {
      name: row.name,
      created: row.created,
      anonymous: row.anonymous === 1,
      labels: JSON.parse(row.labels) as Record<string, string>, // written by `create`
      options: JSON.parse(row.options) as Record<string, string>, // written by `create`
      path: this.#data(row.name),
    };
  }

  #data(name: string): string {
    return join(this.root, name, '_data');
  }
}
