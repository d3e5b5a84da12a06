import type { BlobKey } from '../blob-storage.ts';
import type { Collection } from '../metadata-store.ts';
import { doom, forgetUnlinked } from './blobs.ts';
import { change, type MetadataDatabase, query, rows, together, type Work } from './work.ts';

interface Times {
  readonly now: number;
  readonly leaseTime: number;
}

/** What nobody holds. */
export function collection(database: MetadataDatabase): Collection {
  return {
    collect({ now, leaseTime }, limit) {
      return database.transaction(function* () {
        const uploads = yield* dropUploads({ now, leaseTime }, limit);
        for (const table of ['deleted_manifests', 'deleted_tags'])
          yield* change(`DELETE FROM ${table} WHERE lease_end <= ?`, leaseTime);
        const { links, blobs, bytes } = yield* dropLinks(leaseTime, limit);
        return { uploads, links, blobs, bytes, repositories: links + uploads > 0 ? 0 : yield* dropRepositories() };
      }, 'frees');
    },
    async doomedKeys(limit) {
      const doomed = await database.rows(query<{ key: BlobKey }>('SELECT key FROM doomed LIMIT ?', limit));
      return doomed.map(({ key }) => key);
    },
    forgetKeys(keys) {
      return database.transaction(function* () {
        for (const key of keys) yield* change('DELETE FROM doomed WHERE key = ?', key);
      }, 'frees');
    },
    unknownKeys(keys) {
      const known = `SELECT 1 AS known WHERE EXISTS (SELECT 1 FROM blobs WHERE key = ?1)
        OR EXISTS (SELECT 1 FROM uploads WHERE key = ?1)`;
      return database.transaction(function* () {
        const found = yield* together(keys.map((key) => query(known, key)));
        return keys.filter((_, index) => found[index]?.length === 0);
      });
    },
  };
}

function* dropUploads({ now, leaseTime }: Times, limit: number): Work<number> {
  const sql = 'SELECT id, key FROM uploads WHERE lease_end <= ? AND (holder IS NULL OR claim_end <= ?) LIMIT ?';
  const uploads = yield* rows<{ id: string; key: BlobKey }>(sql, leaseTime, now, limit);
  for (const { id, key } of uploads) {
    yield* change('DELETE FROM uploads WHERE id = ?', id);
    yield* doom(key);
  }
  return uploads.length;
}

function* dropLinks(leaseTime: number, limit: number): Work<{ links: number; blobs: number; bytes: number }> {
  const sql = 'SELECT repository, blob FROM repository_blobs WHERE lease_end <= ? ORDER BY lease_end LIMIT ?';
  const links = yield* rows<{ repository: number; blob: number }>(sql, leaseTime, limit);
  for (const { repository, blob } of links)
    yield* change('DELETE FROM repository_blobs WHERE repository = ? AND blob = ?', repository, blob);
  const sizes = yield* forgetUnlinked([...new Set(links.map(({ blob }) => blob))]);
  return { links: links.length, blobs: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** Repositories that hold nothing any more. */
function* dropRepositories(): Work<number> {
  const dropped = yield* rows(`DELETE FROM repositories AS r
    WHERE NOT EXISTS (SELECT 1 FROM manifests WHERE repository = r.id)
    AND NOT EXISTS (SELECT 1 FROM repository_blobs WHERE repository = r.id)
    AND NOT EXISTS (SELECT 1 FROM uploads WHERE repository = r.id) RETURNING id`);
  return dropped.length;
}
