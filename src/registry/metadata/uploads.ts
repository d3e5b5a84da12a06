import type { BlobKey } from '../blob-storage.ts';
import { Refusal } from '../codes.ts';
import type { Algorithm } from '../content-digest.ts';
import type { Upload, Uploads } from '../metadata-store.ts';
import { doom, linkBlob, requireRoom } from './blobs.ts';
import { ensureRepository } from './repositories.ts';
import { change, first, type MetadataDatabase, query, type Work } from './work.ts';

interface UploadRow {
  readonly id: string;
  readonly key: BlobKey;
  readonly algorithm: Algorithm;
  readonly size: number;
  readonly resume: string;
  readonly holder: string | null;
  readonly claimEnd: number;
}

const FIND = `SELECT u.id AS id, u.key AS key, u.algorithm AS algorithm, u.size AS size, u.resume AS resume,
    u.holder AS holder, u.claim_end AS "claimEnd"
  FROM uploads u JOIN repositories r ON r.id = u.repository WHERE u.id = ? AND r.name = ?`;

/** Uploads and their claims. */
export function uploads(database: MetadataDatabase): Uploads {
  return {
    createUpload(repository, { id, key, algorithm, size, resume }, leaseEnd) {
      return database.transaction(function* () {
        const sql = `INSERT INTO uploads (id, repository, key, algorithm, size, resume, claim_end, lease_end)
          VALUES (?, ?, ?, ?, ?, ?, 0, ?) ON CONFLICT DO NOTHING`;
        yield* change(sql, id, yield* ensureRepository(repository), key, algorithm, size, resume, leaseEnd);
      }, 'repeats');
    },
    async findUpload(repository, id) {
      return uploadOf(await database.first(query<UploadRow>(FIND, id, repository)));
    },
    claimUpload(repository, id, { holder, now, claimEnd, leaseEnd }) {
      return database.transaction(function* () {
        const row = yield* first<UploadRow>(FIND, id, repository);
        if (!row) return 'unknown';
        if (row.holder !== null && row.holder !== holder && row.claimEnd > now) return { takenUntil: row.claimEnd };
        const sql = 'UPDATE uploads SET holder = ?, claim_end = ?, lease_end = ? WHERE id = ?';
        yield* change(sql, holder, claimEnd, leaseEnd, id);
        return uploadOf(row) ?? 'unknown';
      }, 'repeats');
    },
    async releaseUpload(id, holder, { size, resume }) {
      const sql = 'UPDATE uploads SET size = ?, resume = ?, holder = NULL WHERE id = ? AND holder = ?';
      await database.rows(query(sql, size, resume, id, holder));
    },
    commitUpload({ id, holder }, { digest, size, damaged }, { leaseEnd, quota }) {
      return database.transaction(function* () {
        const find = 'SELECT repository, key FROM uploads WHERE id = ? AND holder = ?';
        const upload = yield* first<{ repository: number; key: BlobKey }>(find, id, holder);
        if (!upload) throw new Refusal('BLOB_UPLOAD_UNKNOWN');
        yield* change('DELETE FROM uploads WHERE id = ?', id);
        const { blob, spare } = yield* keepContent({ digest, size, damaged, key: upload.key });
        if (spare !== undefined) yield* doom(spare);
        yield* requireRoom(upload.repository, { blob, size }, quota);
        yield* linkBlob(upload.repository, blob, leaseEnd);
        return spare;
      }, 'repeats');
    },
    deleteUpload(repository, id) {
      return database.transaction(function* () {
        const row = yield* first<UploadRow>(FIND, id, repository);
        if (!row) return undefined;
        yield* change('DELETE FROM uploads WHERE id = ?', id);
        yield* doom(row.key);
        return row.key;
      }, 'frees');
    },
  };
}

/** The row of the blob, and the key that it does not need. */
function* keepContent(content: {
  readonly digest: string;
  readonly size: number;
  readonly damaged: BlobKey | undefined;
  readonly key: BlobKey;
}): Work<{ readonly blob: number; readonly spare: BlobKey | undefined }> {
  const { digest, size, damaged, key } = content;
  const sql = 'SELECT id, key FROM blobs WHERE digest = ?';
  const known = yield* first<{ id: number; key: BlobKey | null }>(sql, digest);
  if (known && known.key !== null && known.key !== damaged) return { blob: known.id, spare: key };
  if (known) {
    yield* change('UPDATE blobs SET key = ?, size = ? WHERE id = ?', key, size, known.id);
    return { blob: known.id, spare: known.key ?? undefined };
  }
  const insert = 'INSERT INTO blobs (digest, size, key) VALUES (?, ?, ?) RETURNING id';
  const made = yield* first<{ id: number }>(insert, digest, size, key);
  return { blob: made?.id ?? 0, spare: undefined };
}

function uploadOf(row: UploadRow | undefined): Upload | undefined {
  return row && { id: row.id, key: row.key, algorithm: row.algorithm, size: row.size, resume: row.resume };
}
