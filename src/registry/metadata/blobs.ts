import type { Database } from '../../lib/database.ts';
import type { Blobs, StoredBlob } from '../metadata-store.ts';
import type { RepositoryName } from '../names.ts';
import { ensureRepository, repositoryId } from './repositories.ts';

const FIND = `SELECT b.key AS key, b.size AS size
  FROM repositories r CROSS JOIN blobs b JOIN repository_blobs rb ON rb.repository = r.id AND rb.blob = b.id
  WHERE r.name = ? AND b.digest = ? AND b.key IS NOT NULL`;

/** Which repository has which blob, in SQLite. */
export function sqliteBlobs(database: Database): Blobs {
  return {
    async findBlob(repository, digest) {
      return database.get<StoredBlob>(FIND, repository, digest);
    },
    async expectedSize(repository, digest) {
      const sql = `SELECT b.size AS size FROM repositories r CROSS JOIN blobs b
        JOIN repository_blobs rb ON rb.repository = r.id AND rb.blob = b.id WHERE r.name = ? AND b.digest = ?`;
      return database.get<{ size: number }>(sql, repository, digest)?.size;
    },
    async findContent(digest) {
      return database.get<StoredBlob>('SELECT key, size FROM blobs WHERE digest = ? AND key IS NOT NULL', digest);
    },
    async mountBlob(repository, digest, { from, allowed }, leaseEnd) {
      return database.transaction(() => {
        const sql = `SELECT r.name AS name, b.id AS blob FROM blobs b JOIN repository_blobs rb ON rb.blob = b.id
          JOIN repositories r ON r.id = rb.repository
          WHERE b.digest = ?1 AND b.key IS NOT NULL AND (?2 IS NULL OR r.name = ?2)`;
        const places = database.all<{ name: string; blob: number }>(sql, digest, from ?? null);
        const source = places.find(({ name }) => allowed(name));
        if (!source) return false;
        linkBlob(database, ensureRepository(database, repository), source.blob, leaseEnd);
        return true;
      });
    },
    async unlinkBlob(repository, digest) {
      return database.transaction(() => unlink(database, repository, digest));
    },
  };
}

/** Gives a repository a blob; a lease that is there already becomes no shorter. */
export function linkBlob(database: Database, repository: number, blob: number, leaseEnd: number): void {
  database.run(
    `INSERT INTO repository_blobs (repository, blob, lease_end) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET lease_end = max(lease_end, excluded.lease_end) WHERE lease_end IS NOT NULL`,
    repository,
    blob,
    leaseEnd,
  );
}

function unlink(database: Database, repository: RepositoryName, digest: string): 'deleted' | 'unknown' | 'in-use' {
  const id = repositoryId(database, repository);
  const sql = `SELECT rb.blob AS blob, rb.lease_end AS leaseEnd FROM blobs b JOIN repository_blobs rb ON rb.blob = b.id
    WHERE b.digest = ? AND rb.repository = ?`;
  const link = id && database.get<{ blob: number; leaseEnd: number | null }>(sql, digest, id);
  if (!id || !link) return 'unknown';
  if (link.leaseEnd === null) return 'in-use';
  database.run('DELETE FROM repository_blobs WHERE repository = ? AND blob = ?', id, link.blob);
  forgetUnlinked(database, link.blob);
  return 'deleted';
}

/** Forgets a blob that no repository has, and dooms its bytes; how many these are. */
export function forgetUnlinked(database: Database, blob: number): number | undefined {
  const sql = `SELECT key, size FROM blobs WHERE id = ?1
    AND NOT EXISTS (SELECT 1 FROM repository_blobs WHERE blob = ?1)`;
  const row = database.get<{ key: string | null; size: number }>(sql, blob);
  if (!row) return undefined;
  if (row.key !== null) database.run('INSERT INTO doomed (key) VALUES (?)', row.key);
  database.run('DELETE FROM blobs WHERE id = ?', blob);
  return row.size;
}
