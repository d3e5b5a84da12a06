import type { Database } from '../../lib/database.ts';
import { Refusal } from '../codes.ts';
import type { Blobs, HeldBlob, StoredBlob } from '../metadata-store.ts';
import type { RepositoryName } from '../names.ts';
import { ensureRepository, repositoryId } from './repositories.ts';

const FIND = `SELECT b.key AS key, b.size AS size, rb.lease_end AS leaseEnd
  FROM repositories r CROSS JOIN blobs b JOIN repository_blobs rb ON rb.repository = r.id AND rb.blob = b.id
  WHERE r.name = ? AND b.digest = ? AND b.key IS NOT NULL`;

/** Which repository has which blob, in SQLite. */
export function sqliteBlobs(database: Database): Blobs {
  return {
    async findBlob(repository, digest) {
      return database.get<HeldBlob>(FIND, repository, digest);
    },
    async extendLease(repository, digest, leaseEnd) {
      const sql = `UPDATE repository_blobs SET lease_end = max(lease_end, ?)
        WHERE repository = (SELECT id FROM repositories WHERE name = ?) AND blob = (SELECT id FROM blobs WHERE digest = ?)`;
      return database.run(sql, leaseEnd, repository, digest) > 0;
    },
    async expectedSize(repository, digest) {
      const sql = `SELECT b.size AS size FROM repositories r CROSS JOIN blobs b
        JOIN repository_blobs rb ON rb.repository = r.id AND rb.blob = b.id WHERE r.name = ? AND b.digest = ?`;
      return database.get<{ size: number }>(sql, repository, digest)?.size;
    },
    async findContent(digest) {
      return database.get<StoredBlob>('SELECT key, size FROM blobs WHERE digest = ? AND key IS NOT NULL', digest);
    },
    async mountBlob(repository, digest, { from, allowed }, { leaseEnd, quota }) {
      return database.transaction(() => {
        const sql = `SELECT r.name AS name, b.id AS blob, b.size AS size FROM blobs b JOIN repository_blobs rb ON rb.blob = b.id
          JOIN repositories r ON r.id = rb.repository
          WHERE b.digest = ?1 AND b.key IS NOT NULL AND (?2 IS NULL OR r.name = ?2) LIMIT ?3`;
        const most = allowed ? -1 : 1;
        const places = database.all<{ name: string; blob: number; size: number }>(sql, digest, from ?? null, most);
        const source = allowed ? places.find(({ name }) => allowed(name)) : places[0];
        if (!source) return false;
        const id = ensureRepository(database, repository);
        requireRoom(database, id, source, quota);
        linkBlob(database, id, source.blob, leaseEnd);
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

/** Throws DENIED when a repository would have more bytes than it may with this blob. */
export function requireRoom(
  database: Database,
  repository: number,
  { blob, size }: { readonly blob: number; readonly size: number },
  quota: number | undefined,
): void {
  if (quota === undefined) return;
  const sql = `SELECT coalesce(sum(b.size), 0) AS used FROM repository_blobs rb JOIN blobs b ON b.id = rb.blob
    WHERE rb.repository = ? AND rb.blob <> ?`;
  const used = database.get<{ used: number }>(sql, repository, blob)?.used ?? 0;
  if (used + size <= quota) return;
  throw new Refusal('DENIED', {
    message: `quota exceeded: the repository may have ${quota} bytes, has ${used}, and this blob has ${size}`,
    detail: { quota, used, size },
  });
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
