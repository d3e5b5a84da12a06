import type { Database } from '../../lib/database.ts';
import type { BlobKey } from '../blob-storage.ts';
import type { Collection } from '../metadata-store.ts';
import { forgetUnlinked } from './blobs.ts';

/** What nobody holds, in SQLite. */
export function sqliteCollection(database: Database): Collection {
  return {
    async collect({ now, leaseTime }, limit) {
      return database.transaction(() => {
        const uploads = dropUploads(database, { now, leaseTime }, limit);
        for (const table of ['deleted_manifests', 'deleted_tags'])
          database.run(`DELETE FROM ${table} WHERE lease_end <= ?`, leaseTime);
        const { links, blobs, bytes } = dropLinks(database, leaseTime, limit);
        return { uploads, links, blobs, bytes, repositories: links + uploads > 0 ? 0 : dropRepositories(database) };
      });
    },
    async doomedKeys(limit) {
      return database.all<{ key: BlobKey }>('SELECT key FROM doomed LIMIT ?', limit).map(({ key }) => key);
    },
    async forgetKeys(keys) {
      database.transaction(() => {
        for (const key of keys) database.run('DELETE FROM doomed WHERE key = ?', key);
      });
    },
    async unknownKeys(keys) {
      const known = `SELECT 1 AS known WHERE EXISTS (SELECT 1 FROM blobs WHERE key = ?1)
        OR EXISTS (SELECT 1 FROM uploads WHERE key = ?1)`;
      return keys.filter((key) => database.get(known, key) === undefined);
    },
  };
}

function dropUploads(
  database: Database,
  { now, leaseTime }: { readonly now: number; readonly leaseTime: number },
  limit: number,
): number {
  const sql = 'SELECT id, key FROM uploads WHERE lease_end <= ? AND (holder IS NULL OR claim_end <= ?) LIMIT ?';
  const uploads = database.all<{ id: string; key: BlobKey }>(sql, leaseTime, now, limit);
  for (const { id, key } of uploads) {
    database.run('DELETE FROM uploads WHERE id = ?', id);
    database.run('INSERT INTO doomed (key) VALUES (?)', key);
  }
  return uploads.length;
}

function dropLinks(database: Database, now: number, limit: number): { links: number; blobs: number; bytes: number } {
  const sql = 'SELECT repository, blob FROM repository_blobs WHERE lease_end <= ? ORDER BY lease_end LIMIT ?';
  const links = database.all<{ repository: number; blob: number }>(sql, now, limit);
  let blobs = 0;
  let bytes = 0;
  for (const { repository, blob } of links) {
    database.run('DELETE FROM repository_blobs WHERE repository = ? AND blob = ?', repository, blob);
    const size = forgetUnlinked(database, blob);
    if (size === undefined) continue;
    blobs++;
    bytes += size;
  }
  return { links: links.length, blobs, bytes };
}

/** Repositories that hold nothing any more. */
function dropRepositories(database: Database): number {
  return database.run(`DELETE FROM repositories AS r
    WHERE NOT EXISTS (SELECT 1 FROM manifests WHERE repository = r.id)
    AND NOT EXISTS (SELECT 1 FROM repository_blobs WHERE repository = r.id)
    AND NOT EXISTS (SELECT 1 FROM uploads WHERE repository = r.id)`);
}
