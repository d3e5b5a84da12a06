import type { Database } from '../../lib/database.ts';
import { fixedTag, Refusal } from '../codes.ts';
import type { ContentDigest } from '../content-digest.ts';
import type { ManifestDocument } from '../manifest-document.ts';
import type { Manifests, Referrer, StoredManifest } from '../metadata-store.ts';
import type { RepositoryName, Tag } from '../names.ts';
import { ensureRepository, repositoryId } from './repositories.ts';

const BY_TAG = `SELECT m.digest AS digest, m.media_type AS mediaType, m.bytes AS bytes
  FROM repositories r JOIN tags t ON t.repository = r.id JOIN manifests m ON m.id = t.manifest
  WHERE r.name = ? AND t.name = ?`;
const BY_DIGEST = `SELECT m.digest AS digest, m.media_type AS mediaType, m.bytes AS bytes
  FROM repositories r JOIN manifests m ON m.repository = r.id WHERE r.name = ? AND m.digest = ?`;

interface ReferrerRow {
  readonly mediaType: string;
  readonly digest: ContentDigest;
  readonly size: number;
  readonly artifactType: string | null;
  readonly annotations: string | null;
}

/** Manifests, tags and edges in SQLite. `durable` resolves when what was committed before it was called is on disk. */
export function sqliteManifests(database: Database, durable: () => Promise<void>): Manifests {
  return {
    async findManifest(repository, reference) {
      return database.get<StoredManifest>(reference.includes(':') ? BY_DIGEST : BY_TAG, repository, reference);
    },
    async putManifest(repository, manifest, tags, { isMirror = false, isFixed = () => false } = {}) {
      database.transaction(() => {
        const id = ensureRepository(database, repository);
        if (isMirror) expectBlobs(database, id, manifest);
        else requireEntries(database, id, manifest);
        const row = insertManifest(database, id, manifest, isMirror);
        refuseFixed(database, id, row, tags.filter(isFixed));
        const now = Date.now();
        for (const tag of tags)
          database.run(
            `INSERT INTO tags (repository, name, manifest, updated) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET manifest = excluded.manifest, updated = excluded.updated`,
            id,
            tag,
            row,
            now,
          );
      });
      await durable();
    },
    async deleteTag(repository, tag, leaseEnd) {
      const deleted = database.transaction(() => {
        const id = repositoryId(database, repository);
        if (id === undefined) return false;
        recordTags(database, 't.repository = ? AND t.name = ?', [id, tag], leaseEnd);
        return database.run('DELETE FROM tags WHERE repository = ? AND name = ?', id, tag) > 0;
      });
      await durable();
      return deleted;
    },
    async deleteManifest(repository, digest, leaseEnd, isFixed = () => false) {
      const deleted = database.transaction(() => removeManifest(database, repository, digest, leaseEnd, isFixed));
      await durable();
      return deleted;
    },
    async listTags(repository, { last, limit }) {
      const id = repositoryId(database, repository);
      if (id === undefined) return undefined;
      const sql = 'SELECT name FROM tags WHERE repository = ? AND name > ? ORDER BY name LIMIT ?';
      return database.all<{ name: string }>(sql, id, last, limit).map(({ name }) => name);
    },
    async listRepositories({ last, limit }, term = '') {
      const sql = `SELECT name FROM repositories r WHERE name > ? AND instr(name, ?) > 0
        AND EXISTS (SELECT 1 FROM manifests WHERE repository = r.id) ORDER BY name LIMIT ?`;
      return database.all<{ name: string }>(sql, last, term, limit).map(({ name }) => name);
    },
    async listReferrers(repository, digest, artifactType, { last, limit }) {
      const sql = `SELECT m.media_type AS mediaType, m.digest AS digest, length(m.bytes) AS size,
          m.artifact_type AS artifactType, m.annotations AS annotations
        FROM repositories r JOIN manifests m ON m.repository = r.id
        WHERE r.name = ? AND m.subject = ? AND m.digest > ? AND (?4 IS NULL OR m.artifact_type = ?4)
        ORDER BY m.digest LIMIT ?5`;
      const rows = database.all<ReferrerRow>(sql, repository, digest, last, artifactType ?? null, limit);
      return rows.map(referrer);
    },
  };
}

function referrer({ mediaType, digest, size, artifactType, annotations }: ReferrerRow): Referrer {
  return {
    mediaType,
    digest,
    size,
    ...(artifactType !== null && { artifactType }),
    // Written below, by JSON.stringify of the same type.
    ...(annotations !== null && { annotations: JSON.parse(annotations) as Record<string, string> }),
  };
}

/** Row number of the manifest, new or known; holds what it names. */
function insertManifest(database: Database, repository: number, manifest: ManifestDocument, isMirror: boolean): number {
  const { digest } = manifest;
  const blobs = manifest.blobs.flatMap((blob) => {
    const row = findBlob(database, repository, blob.digest, isMirror);
    if (row === undefined) {
      if (blob.isElsewhere) return [];
      throw new Refusal('MANIFEST_BLOB_UNKNOWN', { detail: { digest: blob.digest } });
    }
    if (row.size !== blob.size)
      throw new Refusal('MANIFEST_INVALID', {
        message: `manifest invalid: blob ${blob.digest} has ${row.size} bytes, the manifest says ${blob.size}`,
      });
    return [row.id];
  });
  const row = findManifestRow(database, repository, digest) ?? insertRow(database, repository, manifest);
  for (const blob of blobs) {
    database.run(
      'INSERT OR IGNORE INTO manifest_blobs (repository, blob, manifest) VALUES (?, ?, ?)',
      repository,
      blob,
      row,
    );
    const hold = `UPDATE repository_blobs SET lease_end = NULL
      WHERE repository = ? AND blob = ? AND lease_end IS NOT NULL`;
    database.run(hold, repository, blob);
  }
  for (const entry of manifest.manifests)
    database.run('INSERT OR IGNORE INTO index_entries (manifest, entry) VALUES (?, ?)', row, entry);
  return row;
}

/** The blobs that a mirror will get when somebody asks for them. */
function expectBlobs(database: Database, repository: number, { blobs }: ManifestDocument): void {
  for (const { digest, size } of blobs) {
    database.run('INSERT OR IGNORE INTO blobs (digest, size) VALUES (?, ?)', digest, size);
    const sql = 'INSERT OR IGNORE INTO repository_blobs (repository, blob) SELECT ?, id FROM blobs WHERE digest = ?';
    database.run(sql, repository, digest);
  }
}

function requireEntries(database: Database, repository: number, manifest: ManifestDocument): void {
  for (const entry of manifest.manifests)
    if (findManifestRow(database, repository, entry) === undefined)
      throw new Refusal('MANIFEST_BLOB_UNKNOWN', {
        message: 'manifest unknown to registry: the entries of an index are pushed before it',
        detail: { digest: entry },
      });
}

function insertRow(database: Database, repository: number, manifest: ManifestDocument): number {
  const { digest, mediaType, bytes, subject, artifactType, annotations } = manifest;
  database.run(
    `INSERT INTO manifests (repository, digest, media_type, subject, artifact_type, annotations, pushed, bytes)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    repository,
    digest,
    mediaType,
    subject ?? null,
    artifactType ?? null,
    annotations === undefined ? null : JSON.stringify(annotations),
    Date.now(),
    bytes,
  );
  return findManifestRow(database, repository, digest) ?? 0;
}

function removeManifest(
  database: Database,
  repository: RepositoryName,
  digest: ContentDigest,
  leaseEnd: number,
  isFixed: (tag: string) => boolean,
): boolean {
  const id = repositoryId(database, repository);
  const row = id === undefined ? undefined : findManifestRow(database, id, digest);
  if (id === undefined || row === undefined) return false;
  const blobs = database.all<{ blob: number }>('SELECT blob FROM manifest_blobs WHERE manifest = ?', row);
  const tags = database.all<{ name: string }>('SELECT name FROM tags WHERE manifest = ?', row);
  const fixed = tags.find(({ name }) => isFixed(name));
  if (fixed) throw fixedTag(fixed.name);
  recordTags(database, 't.manifest = ?', [row], leaseEnd);
  const record = `INSERT OR REPLACE INTO deleted_manifests (repository, digest, media_type, bytes, lease_end)
    SELECT repository, digest, media_type, bytes, ? FROM manifests WHERE id = ?`;
  database.run(record, leaseEnd, row);
  database.run('DELETE FROM tags WHERE manifest = ?', row);
  database.run('DELETE FROM manifests WHERE id = ?', row);
  for (const { blob } of blobs)
    database.run(
      `UPDATE repository_blobs SET lease_end = ?3 WHERE repository = ?1 AND blob = ?2
       AND NOT EXISTS (SELECT 1 FROM manifest_blobs WHERE repository = ?1 AND blob = ?2)`,
      id,
      blob,
      leaseEnd,
    );
  return true;
}

/** Keeps in mind what the tags named that are about to be deleted. */
function recordTags(database: Database, which: string, values: readonly (number | string)[], leaseEnd: number): void {
  const sql = `INSERT OR REPLACE INTO deleted_tags (repository, name, digest, lease_end)
    SELECT t.repository, t.name, m.digest, ? FROM tags t JOIN manifests m ON m.id = t.manifest WHERE ${which}`;
  database.run(sql, leaseEnd, ...values);
}

function refuseFixed(database: Database, repository: number, manifest: number, tags: readonly Tag[]): void {
  const sql = 'SELECT 1 FROM tags WHERE repository = ? AND name = ? AND manifest <> ?';
  for (const tag of tags) if (database.get(sql, repository, tag, manifest)) throw fixedTag(tag);
}

function findBlob(
  database: Database,
  repository: number,
  digest: ContentDigest,
  isMirror: boolean,
): { readonly id: number; readonly size: number } | undefined {
  const sql = `SELECT b.id AS id, b.size AS size FROM blobs b JOIN repository_blobs rb ON rb.blob = b.id
    WHERE b.digest = ? AND rb.repository = ? AND (b.key IS NOT NULL OR ?)`;
  return database.get(sql, digest, repository, isMirror ? 1 : 0);
}

function findManifestRow(database: Database, repository: number, digest: ContentDigest): number | undefined {
  const sql = 'SELECT id FROM manifests WHERE repository = ? AND digest = ?';
  return database.get<{ id: number }>(sql, repository, digest)?.id;
}
