import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '../lib/database.ts';
import type { Trash } from './trash.ts';

/** A copy of a folder that a client sent for a build, kept so that the next build sends only what changed. */
export interface ClientFolderRecord {
  /** Name of its folder. */
  readonly name: string;
  /** What the client calls it. */
  readonly label: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly lastUsed: number;
  readonly useCount: number;
  /** Bytes of its files when it was last complete. */
  readonly size: number;
  readonly isUsed: boolean;
}

/** A copy that one build uses, and no other, until it is disposed. */
export interface HeldClientFolder extends Disposable {
  /** Its files. */
  readonly folder: string;
  /** Where its user may keep a list of them. */
  readonly list: string;
  /** Files in it may have extended attributes. */
  readonly hasXattrs: boolean;
  /** Notes that the next file will have extended attributes. */
  noteXattrs(): void;
  /** Notes how many bytes its files have. */
  complete(size: number): void;
}

interface Row {
  name: string;
  label: string;
  created: number;
  last_used: number;
  use_count: number;
  size: number;
  has_xattrs: number;
}

/** More copies are not kept. */
const LIMIT = 64;

/**
 * The copies of clients' folders. One may be broken off in the middle: who uses it compares what there is with what the
 * client has. Files are not synced to the disk, so a copy does not outlive a boot.
 */
export class ClientFolders {
  readonly #database: Database;
  readonly #trash: Trash;
  readonly #boot: string;
  readonly #root: string;
  readonly #held = new Set<string>();

  constructor(parts: { database: Database; root: string; trash: Trash; bootId: string }) {
    this.#database = parts.database;
    this.#trash = parts.trash;
    this.#boot = parts.bootId;
    this.#root = parts.root;
  }

  /** The copy of the folder that `key` means, empty when there is none that is free. */
  hold(key: string, label: string): HeldClientFolder {
    const rows = this.#database.all<Row>('SELECT * FROM client_folders WHERE key = ? ORDER BY last_used DESC', key);
    const free = rows.find(({ name }) => !this.#held.has(name));
    const name = free?.name ?? randomUUID();
    const now = Date.now();
    this.#database.run(
      `INSERT INTO client_folders (name, key, label, boot, created, last_used, use_count, size, has_xattrs)
       VALUES (?, ?, ?, ?, ?, ?, 1, 0, 0)
       ON CONFLICT (name) DO UPDATE SET last_used = excluded.last_used, use_count = use_count + 1`,
      name,
      key,
      label,
      this.#boot,
      now,
      now,
    );
    this.#held.add(name);
    const folder = join(this.#root, name, 'tree');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return {
      folder,
      list: join(this.#root, name, 'entries'),
      hasXattrs: free?.has_xattrs === 1,
      noteXattrs: () => this.#database.run('UPDATE client_folders SET has_xattrs = 1 WHERE name = ?', name),
      complete: (size) => this.#database.run('UPDATE client_folders SET size = ? WHERE name = ?', size, name),
      [Symbol.dispose]: () => {
        this.#held.delete(name);
        this.#bound();
      },
    };
  }

  /** Least recently used first. */
  list(): ClientFolderRecord[] {
    return this.#database
      .all<Row>('SELECT * FROM client_folders ORDER BY last_used, name')
      .map(({ last_used, use_count, has_xattrs, ...row }) => ({
        ...row,
        lastUsed: last_used,
        useCount: use_count,
        isUsed: this.#held.has(row.name),
      }));
  }

  /** Bytes of all, as far as they are known. */
  bytes(): number {
    return this.#database.get<{ bytes: number | null }>('SELECT sum(size) AS bytes FROM client_folders')?.bytes ?? 0;
  }

  /** Removes record and files. */
  delete(name: string): void {
    if (existsSync(join(this.#root, name))) this.#trash.discard(join(this.#root, name));
    this.#database.run('DELETE FROM client_folders WHERE name = ?', name);
  }

  /** Discards copies of earlier boots, and folders that no record names. Once, when the store opens. */
  discardOld(): void {
    this.#database.run('DELETE FROM client_folders WHERE boot <> ?', this.#boot);
    if (!existsSync(this.#root)) return;
    const known = new Set(this.list().map(({ name }) => name));
    for (const name of readdirSync(this.#root)) if (!known.has(name)) this.#trash.discard(join(this.#root, name));
  }

  #bound(): void {
    const records = this.list();
    const free = records.filter(({ isUsed }) => !isUsed);
    for (const { name } of free.slice(0, Math.max(0, records.length - LIMIT))) this.delete(name);
  }
}
