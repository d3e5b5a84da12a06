import type { Database } from '../../lib/database.ts';
import type { ContentDigest } from '../content-digest.ts';
import type { Deleted, HeldManifest, Inspection, StoredContent, StoredManifest } from '../metadata-store.ts';
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
export function sqliteInspection(database: Database): Inspection & Deleted {
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
    async listDeleted(repository) {
      const id = repositoryId(database, repository);
      if (id === undefined) return [];
      const tags = database.all<{ name: Tag; digest: ContentDigest; leaseEnd: number }>(
        'SELECT name, digest, lease_end AS leaseEnd FROM deleted_tags WHERE repository = ? ORDER BY name',
        id,
      );
      const sql = `SELECT digest, media_type AS mediaType, bytes, lease_end AS leaseEnd
          FROM deleted_manifests WHERE repository = ?1
        UNION ALL SELECT digest, media_type, bytes, 0 FROM manifests
          WHERE repository = ?1 AND digest IN (SELECT digest FROM deleted_tags WHERE repository = ?1)`;
      return database.all<StoredManifest & { leaseEnd: number }>(sql, id).map((manifest) => {
        const own = tags.filter(({ digest }) => digest === manifest.digest);
        const leaseEnd = Math.max(manifest.leaseEnd, ...own.map((tag) => tag.leaseEnd));
        return { ...manifest, leaseEnd, tags: own.map(({ name }) => name) };
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
