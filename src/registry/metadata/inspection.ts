import type { ContentDigest } from '../content-digest.ts';
import type { Deleted, HeldManifest, Holding, Inspection, StoredContent, StoredManifest } from '../metadata-store.ts';
import type { RepositoryName, Tag } from '../names.ts';
import { doom } from './blobs.ts';
import { repositoryId } from './repositories.ts';
import { first, type MetadataDatabase, query, rows, type Work } from './work.ts';

interface HoldingRow {
  readonly id: number;
  readonly digest: ContentDigest;
  readonly pushed: number;
  readonly isEntry: number;
  readonly refers: number;
}

/** Everything part by part. */
export function inspection(database: MetadataDatabase): Inspection & Deleted {
  return {
    listContent(last, limit) {
      const sql = `SELECT digest, size, key FROM blobs WHERE digest > ? AND key IS NOT NULL ORDER BY digest LIMIT ?`;
      return database.rows(query<StoredContent>(sql, last, limit));
    },
    listManifests(cursor, limit) {
      const sql = `SELECT m.id AS cursor, r.name AS repository, m.digest AS digest, m.media_type AS "mediaType", m.bytes AS bytes
        FROM manifests m JOIN repositories r ON r.id = m.repository WHERE m.id > ? ORDER BY m.id LIMIT ?`;
      return database.rows(query<HeldManifest>(sql, cursor, limit));
    },
    listMissing() {
      return database.rows(
        query(`SELECT r.name AS repository, m.digest AS manifest, b.digest AS blob
          FROM blobs b JOIN manifest_blobs mb ON mb.blob = b.id JOIN manifests m ON m.id = mb.manifest
          JOIN repositories r ON r.id = m.repository WHERE b.key IS NULL`),
      );
    },
    forgetContent(digest, key) {
      return database.transaction(function* () {
        const sql = 'UPDATE blobs SET key = NULL WHERE digest = ? AND key = ? RETURNING id';
        if (yield* first(sql, digest, key)) yield* doom(key);
      });
    },
    listDeleted(repository) {
      return database.transaction(() => deletedOf(repository));
    },
    listHoldings(repository) {
      return database.transaction(() => holdingsOf(repository));
    },
  };
}

function* deletedOf(repository: RepositoryName): Work<Awaited<ReturnType<Deleted['listDeleted']>>> {
  const id = yield* repositoryId(repository);
  if (id === undefined) return [];
  const tags = yield* rows<{ name: Tag; digest: ContentDigest; leaseEnd: number }>(
    'SELECT name, digest, lease_end AS "leaseEnd" FROM deleted_tags WHERE repository = ? ORDER BY name',
    id,
  );
  const sql = `SELECT digest, media_type AS "mediaType", bytes, lease_end AS "leaseEnd"
      FROM deleted_manifests WHERE repository = ?1
    UNION ALL SELECT digest, media_type, bytes, 0 FROM manifests
      WHERE repository = ?1 AND digest IN (SELECT digest FROM deleted_tags WHERE repository = ?1)`;
  const manifests = yield* rows<StoredManifest & { leaseEnd: number }>(sql, id);
  return manifests.map((manifest) => {
    const own = tags.filter(({ digest }) => digest === manifest.digest);
    const leaseEnd = Math.max(manifest.leaseEnd, ...own.map((tag) => tag.leaseEnd));
    return { ...manifest, leaseEnd, tags: own.map(({ name }) => name) };
  });
}

function* holdingsOf(repository: RepositoryName): Work<Holding[]> {
  const id = yield* repositoryId(repository);
  if (id === undefined) return [];
  const tags = yield* rows<{ name: Tag; manifest: number; updated: number }>(
    'SELECT name, manifest, updated FROM tags WHERE repository = ?',
    id,
  );
  const tagsOf = Map.groupBy(tags, ({ manifest }) => manifest);
  const sql = `SELECT m.id AS id, m.digest AS digest, m.pushed AS pushed,
      CASE WHEN EXISTS (SELECT 1 FROM index_entries e JOIN manifests i ON i.id = e.manifest
        WHERE i.repository = ?1 AND e.entry = m.digest) THEN 1 ELSE 0 END AS "isEntry",
      CASE WHEN EXISTS (SELECT 1 FROM manifests s WHERE s.repository = ?1 AND s.digest = m.subject) THEN 1 ELSE 0 END AS refers
    FROM manifests m WHERE m.repository = ?1`;
  return (yield* rows<HoldingRow>(sql, id)).map((row) => ({
    digest: row.digest,
    pushed: row.pushed,
    isEntry: row.isEntry === 1,
    refers: row.refers === 1,
    tags: tagsOf.get(row.id) ?? [],
  }));
}
