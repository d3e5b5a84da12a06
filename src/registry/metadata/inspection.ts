import type { Database } from '../../lib/database.ts';
import type { ContentDigest } from '../content-digest.ts';
import type { HeldManifest, Inspection, StoredContent } from '../metadata-store.ts';
import type { Tag } from '../names.ts';
import { repositoryId } from './repositories.ts';

interface HoldingRow {
  readonly id: number;
  readonly digest: ContentDigest;
  readonly pushed: number;
  readonly isEntry: number;
  readonly refers: number;
}

/** Everything part by part, in SQLite. */
export function sqliteInspection(database: Database): Inspection {
  return {
    async listContent(last, limit) {
      const sql = `SELECT digest, size, key FROM blobs WHERE digest > ? AND key IS NOT NULL ORDER BY digest LIMIT ?`;
      return database.all<StoredContent>(sql, last, limit);
    },
    async listManifests(cursor, limit) {
      const sql = `SELECT m.id AS cursor, r.name AS repository, m.digest AS digest, m.media_type AS mediaType, m.bytes AS bytes
        FROM manifests m JOIN repositories r ON r.id = m.repository WHERE m.id > ? ORDER BY m.id LIMIT ?`;
      return database.all<HeldManifest>(sql, cursor, limit);
    },
    async listMissing() {
      return database.all(`SELECT r.name AS repository, m.digest AS manifest, b.digest AS blob
        FROM blobs b JOIN manifest_blobs mb ON mb.blob = b.id JOIN manifests m ON m.id = mb.manifest
        JOIN repositories r ON r.id = m.repository WHERE b.key IS NULL`);
    },
    async forgetContent(digest, key) {
      database.transaction(() => {
        if (database.run('UPDATE blobs SET key = NULL WHERE digest = ? AND key = ?', digest, key) > 0)
          database.run('INSERT INTO doomed (key) VALUES (?)', key);
      });
    },
    async listHoldings(repository) {
      const id = repositoryId(database, repository);
      if (id === undefined) return [];
      const tags = database.all<{ name: Tag; manifest: number; updated: number }>(
        'SELECT name, manifest, updated FROM tags WHERE repository = ?',
        id,
      );
      const tagsOf = Map.groupBy(tags, ({ manifest }) => manifest);
      const sql = `SELECT m.id AS id, m.digest AS digest, m.pushed AS pushed,
          EXISTS (SELECT 1 FROM index_entries e JOIN manifests i ON i.id = e.manifest
            WHERE i.repository = ?1 AND e.entry = m.digest) AS isEntry,
          EXISTS (SELECT 1 FROM manifests s WHERE s.repository = ?1 AND s.digest = m.subject) AS refers
        FROM manifests m WHERE m.repository = ?1`;
      return database.all<HoldingRow>(sql, id).map((row) => ({
        digest: row.digest,
        pushed: row.pushed,
        isEntry: row.isEntry === 1,
        refers: row.refers === 1,
        tags: tagsOf.get(row.id) ?? [],
      }));
    },
  };
}
