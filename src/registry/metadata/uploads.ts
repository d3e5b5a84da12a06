import type { Database } from '../../lib/database.ts';
import type { BlobKey } from '../blob-storage.ts';
import { Refusal } from '../codes.ts';
import type { Algorithm } from '../content-digest.ts';
import type { Upload, Uploads } from '../metadata-store.ts';
import type { RepositoryName } from '../names.ts';
import { linkBlob, requireRoom } from './blobs.ts';
import { ensureRepository } from './repositories.ts';

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
    u.holder AS holder, u.claim_end AS claimEnd
  FROM uploads u JOIN repositories r ON r.id = u.repository WHERE u.id = ? AND r.name = ?`;

/** Uploads and their claims, in SQLite. */
export function sqliteUploads(database: Database): Uploads {
  const find = (repository: RepositoryName, id: string) => database.get<UploadRow>(FIND, id, repository);
  return {
    async createUpload(repository, { id, key, algorithm, size, resume }, leaseEnd) {
      database.transaction(() => {
        const sql = `INSERT INTO uploads (id, repository, key, algorithm, size, resume, claim_end, lease_end)
          VALUES (?, ?, ?, ?, ?, ?, 0, ?)`;
        database.run(sql, id, ensureRepository(database, repository), key, algorithm, size, resume, leaseEnd);
      });
    },
    async findUpload(repository, id) {
      return uploadOf(find(repository, id));
    },
    async claimUpload(repository, id, { holder, now, claimEnd, leaseEnd }) {
      return database.transaction(() => {
        const row = find(repository, id);
        if (!row) return 'unknown';
        if (row.holder !== null && row.holder !== holder && row.claimEnd > now) return 'taken';
        const sql = 'UPDATE uploads SET holder = ?, claim_end = ?, lease_end = ? WHERE id = ?';
        database.run(sql, holder, claimEnd, leaseEnd, id);
        return uploadOf(row) ?? 'unknown';
      });
    },
    async releaseUpload(id, holder, { size, resume }) {
      const sql = 'UPDATE uploads SET size = ?, resume = ?, holder = NULL WHERE id = ? AND holder = ?';
      database.run(sql, size, resume, id, holder);
    },
    async commitUpload({ id, holder }, { digest, size, damaged }, { leaseEnd, quota }) {
      return database.transaction(() => {
        const sql = 'DELETE FROM uploads WHERE id = ? AND holder = ? RETURNING repository, key';
        const upload = database.get<{ repository: number; key: BlobKey }>(sql, id, holder);
        if (!upload) throw new Refusal('BLOB_UPLOAD_UNKNOWN');
        const { blob, spare } = keepContent(database, { digest, size, damaged, key: upload.key });
        if (spare !== undefined) database.run('INSERT INTO doomed (key) VALUES (?)', spare);
        requireRoom(database, upload.repository, { blob, size }, quota);
        linkBlob(database, upload.repository, blob, leaseEnd);
        return spare;
      });
    },
    async deleteUpload(repository, id) {
      return database.transaction(() => {
        const row = find(repository, id);
        if (!row) return undefined;
        database.run('DELETE FROM uploads WHERE id = ?', id);
        database.run('INSERT INTO doomed (key) VALUES (?)', row.key);
        return row.key;
      });
    },
  };
}

/** The row of the blob, and the key that it does not need. */
function keepContent(
  database: Database,
  content: {
    readonly digest: string;
    readonly size: number;
    readonly damaged: BlobKey | undefined;
    readonly key: BlobKey;
  },
): { readonly blob: number; readonly spare: BlobKey | undefined } {
  const { digest, size, damaged, key } = content;
  const sql = 'SELECT id, key FROM blobs WHERE digest = ?';
  const known = database.get<{ id: number; key: BlobKey | null }>(sql, digest);
  if (known && known.key !== null && known.key !== damaged) return { blob: known.id, spare: key };
  if (known) {
    database.run('UPDATE blobs SET key = ?, size = ? WHERE id = ?', key, size, known.id);
    return { blob: known.id, spare: known.key ?? undefined };
  }
  database.run('INSERT INTO blobs (digest, size, key) VALUES (?, ?, ?)', digest, size, key);
  return { blob: database.get<{ id: number }>(sql, digest)?.id ?? 0, spare: undefined };
}

function uploadOf(row: UploadRow | undefined): Upload | undefined {
  return row && { id: row.id, key: row.key, algorithm: row.algorithm, size: row.size, resume: row.resume };
}
