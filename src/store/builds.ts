import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Database } from '../lib/database.ts';

export interface BuildRow {
  /** 12 hex digits. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly started: number;
  /** What it was a build of, the same for the next build of it: folder and Dockerfile, or a URL. */
  readonly source: string;
  /** The builder's own document, any JSON value. */
  readonly document: unknown;
}

interface Row {
  id: string;
  started: number;
  source: string;
  document: Uint8Array;
}

/** How many builds are remembered. */
export const KEPT_BUILDS = 100;

/** What past builds did, newest first everywhere. Only the last `KEPT_BUILDS` are kept. */
export class BuildRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Adds a build, or replaces the document of one. Returns the builds that had to go for it. */
  put(build: BuildRow): BuildRow[] {
    const document = zstdCompressSync(JSON.stringify(build.document));
    return this.#database.transaction(() => {
      this.#database.run(
        `INSERT INTO builds (id, started, source, document) VALUES (?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET document = excluded.document`,
        build.id,
        build.started,
        build.source,
        document,
      );
      const old = this.#database.all<Row>(
        'SELECT * FROM builds WHERE seq <= (SELECT max(seq) FROM builds) - ?',
        KEPT_BUILDS,
      );
      for (const { id } of old) this.#database.run('DELETE FROM builds WHERE id = ?', id);
      return old.map(toBuild);
    });
  }

  list(): BuildRow[] {
    return this.#database.all<Row>('SELECT * FROM builds ORDER BY seq DESC').map(toBuild);
  }

  /** The last builds of the same thing. */
  ofSource(source: string, limit: number): BuildRow[] {
    return this.#database
      .all<Row>('SELECT * FROM builds WHERE source = ? ORDER BY seq DESC LIMIT ?', source, limit)
      .map(toBuild);
  }
}

function toBuild({ id, started, source, document }: Row): BuildRow {
  return { id, started, source, document: JSON.parse(zstdDecompressSync(document).toString('utf8')) };
}
