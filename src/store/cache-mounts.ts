import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '../lib/database.ts';
import type { Trash } from './trash.ts';

/** A folder that RUN steps of many builds share: `RUN --mount=type=cache`. */
export interface CacheMountRecord {
  /** Name of its folder. */
  readonly name: string;
  /** What the Dockerfile calls it: its `id`, else its target. */
  readonly id: string;
  /** Where a step last saw it. */
  readonly target: string;
  readonly sharing: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly lastUsed: number;
  readonly useCount: number;
  /** Bytes when it was last measured. */
  readonly size: number;
}

interface Row {
  name: string;
  id: string;
  target: string;
  sharing: string;
  created: number;
  last_used: number;
  use_count: number;
  size: number;
}

/** The cache mounts of this host: a record each, and a folder that may vanish at any time. */
export class CacheMounts {
  readonly #database: Database;
  readonly #trash: Trash;
  readonly root: string;

  constructor(parts: { database: Database; root: string; trash: Trash }) {
    this.#database = parts.database;
    this.#trash = parts.trash;
    this.root = parts.root;
  }

  folder(name: string): string {
    return join(this.root, name);
  }

  /** Notes a use; makes the folder when it is not there. */
  use(
    mount: Pick<CacheMountRecord, 'name' | 'id' | 'target' | 'sharing'>,
    owner: { readonly uid?: number | undefined; readonly gid?: number | undefined; readonly mode?: number | undefined },
  ): void {
    const now = Date.now();
    this.#database.run(
      `INSERT INTO cache_mounts (name, id, target, sharing, created, last_used, use_count, size)
       VALUES (?, ?, ?, ?, ?, ?, 1, 0)
       ON CONFLICT (name) DO UPDATE SET target = excluded.target, sharing = excluded.sharing,
         last_used = excluded.last_used, use_count = use_count + 1`,
      mount.name,
      mount.id,
      mount.target,
      mount.sharing,
      now,
      now,
    );
    const folder = this.folder(mount.name);
    if (existsSync(folder)) return;
    const aside = join(this.root, `${randomUUID()}.new`);
    mkdirSync(aside, { recursive: true });
    chownSync(aside, owner.uid ?? 0, owner.gid ?? 0);
    chmodSync(aside, owner.mode ?? 0o755);
    renameSync(aside, folder);
  }

  /** Notes that a use has ended and how large the folder is now. */
  measured(name: string, size: number): void {
    this.#database.run('UPDATE cache_mounts SET size = ? WHERE name = ?', size, name);
  }

  /** Puts a folder in the place of what was there. */
  replace(mount: Pick<CacheMountRecord, 'name' | 'id' | 'target' | 'sharing'>, folder: string, size: number): void {
    this.delete(mount.name);
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
    renameSync(folder, this.folder(mount.name));
    this.use(mount, {});
    this.measured(mount.name, size);
  }

  /** Least recently used first. */
  list(): CacheMountRecord[] {
    return this.#database.all<Row>('SELECT * FROM cache_mounts ORDER BY last_used, name').map(toRecord);
  }

  /** Bytes of all, as far as they were measured. */
  bytes(): number {
    return this.#database.get<{ bytes: number | null }>('SELECT sum(size) AS bytes FROM cache_mounts')?.bytes ?? 0;
  }

  /** Removes record and folder. */
  delete(name: string): void {
    if (existsSync(this.folder(name))) this.#trash.discard(this.folder(name));
    this.#database.freeing(() => this.#database.run('DELETE FROM cache_mounts WHERE name = ?', name));
  }

  /** Discards folders that no record names: those that were never finished. Once, when the store opens. */
  discardUnknown(): void {
    if (!existsSync(this.root)) return;
    const known = new Set(this.list().map(({ name }) => name));
    for (const name of readdirSync(this.root)) if (!known.has(name)) this.#trash.discard(this.folder(name));
  }
}

function toRecord({ last_used, use_count, ...row }: Row): CacheMountRecord {
  return { ...row, lastUsed: last_used, useCount: use_count };
}
