import { closeSync, openSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { Failure } from './error.ts';
import type { Reserve } from './reserve.ts';

/** https://www.sqlite.org/rescode.html; extended codes carry the primary one in the low byte. */
const BUSY = 5;
const LOCKED = 6;
const IO = 10;
const CORRUPT = 11;
const FULL = 13;
const CANNOT_OPEN = 14;
const NOT_A_DATABASE = 26;

/** What there is to do when the disk of a database is full. */
export interface FullDisk {
  /** Space of the same disk. */
  readonly reserve?: Reserve;
  /** The hint of the failure. */
  readonly advice?: string;
}

/**
 * One SQLite file, opened in write-ahead mode and locked for this process: the lock is the kernel's and dies with the
 * process. Statements are prepared once. A commit is atomic at once and durable at the next checkpoint (NORMAL): a
 * crash of the process loses nothing, a power cut may lose the last transactions but never half of one.
 */
export class Database implements Disposable {
  readonly path: string;
  readonly #connection: DatabaseSync;
  readonly #fullDisk: FullDisk;
  readonly #statements = new Map<string, StatementSync>();
  #inTransaction = false;

  /** Throws `conflict` DATABASE_LOCKED when another process has it. */
  constructor(path: string, fullDisk: FullDisk = {}) {
    this.path = path;
    this.#fullDisk = fullDisk;
    closeSync(openSync(path, 'a', 0o600)); // what is stored may be secret; SQLite's other files get the same mode
    this.#connection = new DatabaseSync(path, { timeout: 250 });
    try {
      this.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
      this.exec('PRAGMA temp_store = MEMORY'); // else in a folder of the machine, which may be full
      this.exec('PRAGMA foreign_keys = ON; BEGIN IMMEDIATE; COMMIT');
    } catch (error) {
      this.#connection.close();
      throw error;
    }
  }

  /** Runs statements that take no parameter and return no row. */
  exec(sql: string): void {
    this.#guarded(() => this.#connection.exec(sql));
  }

  /** Returns how many rows changed. */
  run(sql: string, ...parameters: SQLInputValue[]): number {
    return Number(this.#guarded(() => this.#prepared(sql).run(...parameters)).changes);
  }

  /** The first row. `Row` is what the caller's SQL selects; the caller's STRICT tables vouch for the types. */
  get<Row>(sql: string, ...parameters: SQLInputValue[]): Row | undefined {
    return this.#guarded(() => this.#prepared(sql).get(...parameters)) as Row | undefined; // see above
  }

  /** All rows, with `Row` as in `get`. */
  all<Row>(sql: string, ...parameters: SQLInputValue[]): Row[] {
    return this.#guarded(() => this.#prepared(sql).all(...parameters)) as Row[]; // see `get`
  }

  /** All or nothing of what `work` writes. `work` is synchronous; a transaction inside a transaction joins it. */
  transaction<T>(work: () => T): T {
    if (this.#inTransaction) return work();
    this.exec('BEGIN IMMEDIATE');
    this.#inTransaction = true;
    try {
      const result = work();
      this.exec('COMMIT');
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after some errors (a full disk); ROLLBACK would then fail and hide the cause.
      if (this.#connection.isTransaction) this.#connection.exec('ROLLBACK');
      throw error;
    } finally {
      this.#inTransaction = false;
    }
  }

  /** As `transaction`, for what gives space back: done again with space of the reserve when the disk is full. */
  freeing<T>(work: () => T): T {
    const { reserve } = this.#fullDisk;
    if (!reserve || this.#inTransaction) return this.transaction(work);
    return reserve.spend(() => this.transaction(work));
  }

  /**
   * Takes the steps that this database has not taken; `user_version` counts them. A released step is never changed. Throws
   * `unsupported` STORE_TOO_NEW for a database that has taken more.
   */
  migrate(steps: readonly string[]): void {
    const version = this.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
    if (version > steps.length)
      throw new Failure(
        'unsupported',
        'STORE_TOO_NEW',
        `${this.path} has format ${version}, this Strake knows ${steps.length}`,
        { hint: 'use the version of Strake that wrote it, or another data root' },
      );
    for (const [index, step] of steps.entries()) {
      if (index < version) continue;
      this.transaction(() => {
        this.exec(step);
        this.exec(`PRAGMA user_version = ${index + 1}`);
      });
    }
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    this.#connection.close();
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): unknown {
    if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return error;
    const code = error.errcode & 0xff;
    switch (code) {
      case BUSY:
      case LOCKED:
        return new Failure('conflict', 'DATABASE_LOCKED', `${this.path} is used by another process`, { cause: error });
      case FULL:
      case IO:
      case CANNOT_OPEN:
        if (code !== FULL && !isDiskFull(this.path)) return error;
        return new Failure('exhausted', 'DISK_FULL', `no space left to write ${this.path}`, {
          cause: error,
          hint: this.#fullDisk.advice ?? 'free some space on its disk first',
        });
      case CORRUPT:
      case NOT_A_DATABASE:
        return new Failure('data-loss', 'DATABASE_CORRUPT', `${this.path} is damaged: ${error.message}`, {
          cause: error,
        });
      default:
        return error;
    }
  }
}

/** SQLite does not say so of the files that it makes for itself. */
function isDiskFull(path: string): boolean {
  const { bavail, files, ffree } = statfsSync(dirname(path));
  return bavail === 0 || (files > 0 && ffree === 0);
}
