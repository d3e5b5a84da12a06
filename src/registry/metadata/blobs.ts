import type { BlobKey } from '../blob-storage.ts';
import { Refusal } from '../codes.ts';
import type { Blobs, HeldBlob, StoredBlob } from '../metadata-store.ts';
import type { RepositoryName } from '../names.ts';
import { ensureRepository } from './repositories.ts';
import { change, first, type MetadataDatabase, query, rows, together, type Work } from './work.ts';

const FIND = `SELECT b.key AS key, b.size AS size, rb.lease_end AS "leaseEnd"
  FROM repositories r CROSS JOIN blobs b JOIN repository_blobs rb ON rb.repository = r.id AND rb.blob = b.id
  WHERE r.name = ? AND b.digest = ? AND b.key IS NOT NULL`;

const SIZE = `SELECT b.size AS size FROM repositories r CROSS JOIN blobs b
  JOIN repository_blobs rb ON rb.repository = r.id AND rb.blob = b.id WHERE r.name = ? AND b.digest = ?`;

const EXTEND = `UPDATE repository_blobs SET lease_end = CASE WHEN lease_end < ?1 THEN ?1 ELSE lease_end END
  WHERE repository = (SELECT id FROM repositories WHERE name = ?2) AND blob = (SELECT id FROM blobs WHERE digest = ?3)
  RETURNING blob`;

const PLACES = `SELECT r.name AS name, b.id AS blob, b.size AS size FROM blobs b JOIN repository_blobs rb ON rb.blob = b.id
  JOIN repositories r ON r.id = rb.repository WHERE b.digest = ? AND b.key IS NOT NULL`;

/** Which repository has which blob. */
export function blobs(database: MetadataDatabase): Blobs {
  return {
    findBlob(repository, digest) {
      return database.first(query<HeldBlob>(FIND, repository, digest));
    },
    async extendLease(repository, digest, leaseEnd) {
      return (await database.rows(query(EXTEND, leaseEnd, repository, digest))).length > 0;
    },
    async expectedSize(repository, digest) {
      return (await database.first(query<{ size: number }>(SIZE, repository, digest)))?.size;
    },
    findContent(digest) {
      return database.first(
        query<StoredBlob>('SELECT key, size FROM blobs WHERE digest = ? AND key IS NOT NULL', digest),
      );
    },
    mountBlob(repository, digest, { from, allowed }, { leaseEnd, quota }) {
      const sql = `${PLACES}${from === undefined ? '' : ' AND r.name = ?'}${allowed ? '' : ' LIMIT 1'}`;
      const values = from === undefined ? [digest] : [digest, from];
      return database.transaction(function* () {
        const places = yield* rows<{ name: string; blob: number; size: number }>(sql, ...values);
        const source = allowed ? places.find(({ name }) => allowed(name)) : places[0];
        if (!source) return false;
        const id = yield* ensureRepository(repository);
        yield* requireRoom(id, source, quota);
        yield* linkBlob(id, source.blob, leaseEnd);
        return true;
      }, 'repeats');
    },
    unlinkBlob(repository, digest) {
      return database.transaction(() => unlink(repository, digest), 'frees');
    },
  };
}

/** Gives a repository a blob; a lease that is there already becomes no shorter. */
export function* linkBlob(repository: number, blob: number, leaseEnd: number): Work<void> {
  yield* change(
    `INSERT INTO repository_blobs (repository, blob, lease_end) VALUES (?, ?, ?)
     ON CONFLICT (repository, blob) DO UPDATE SET lease_end = excluded.lease_end
     WHERE repository_blobs.lease_end < excluded.lease_end`,
    repository,
    blob,
    leaseEnd,
  );
}

/** Throws DENIED when a repository would have more bytes than it may with this blob. */
export function* requireRoom(
  repository: number,
  { blob, size }: { readonly blob: number; readonly size: number },
  quota: number | undefined,
): Work<void> {
  if (quota === undefined) return;
  const sql = `SELECT CAST(coalesce(sum(b.size), 0) AS BIGINT) AS used FROM repository_blobs rb JOIN blobs b ON b.id = rb.blob
    WHERE rb.repository = ? AND rb.blob <> ?`;
  const used = (yield* first<{ used: number }>(sql, repository, blob))?.used ?? 0;
  if (used + size <= quota) return;
  throw new Refusal('DENIED', {
    message: `quota exceeded: the repository may have ${quota} bytes, has ${used}, and this blob has ${size}`,
    detail: { quota, used, size },
  });
}

function* unlink(repository: RepositoryName, digest: string): Work<'deleted' | 'unknown' | 'in-use'> {
  const sql = `SELECT rb.repository AS repository, rb.blob AS blob, rb.lease_end AS "leaseEnd"
    FROM repositories r CROSS JOIN blobs b JOIN repository_blobs rb ON rb.repository = r.id AND rb.blob = b.id
    WHERE r.name = ? AND b.digest = ?`;
  const link = yield* first<{ repository: number; blob: number; leaseEnd: number | null }>(sql, repository, digest);
  if (!link) return 'unknown';
  if (link.leaseEnd === null) return 'in-use';
  yield* change('DELETE FROM repository_blobs WHERE repository = ? AND blob = ?', link.repository, link.blob);
  yield* forgetUnlinked([link.blob]);
  return 'deleted';
}

/** Forgets those blobs that no repository has, and dooms their bytes; the sizes of these. */
export function* forgetUnlinked(blobs: readonly number[]): Work<number[]> {
  const sql = `SELECT id, key, size FROM blobs WHERE id = ?1
    AND NOT EXISTS (SELECT 1 FROM repository_blobs WHERE blob = ?1)`;
  const found = yield* together(
    blobs.map((blob) => query<{ id: number; key: BlobKey | null; size: number }>(sql, blob)),
  );
  const unlinked = found.flat();
  for (const { id, key } of unlinked) {
    if (key !== null) yield* doom(key);
    yield* change('DELETE FROM blobs WHERE id = ?', id);
  }
  return unlinked.map(({ size }) => size);
}

/** Has the bytes at a key deleted after the transaction. */
export function* doom(key: BlobKey): Work<void> {
  yield* change('INSERT INTO doomed (key) VALUES (?)', key);
}
