import { fixedTag, Refusal } from '../codes.ts';
import type { ContentDigest } from '../content-digest.ts';
import type { ManifestDocument } from '../manifest-document.ts';
import type { Manifests, Referrer, StoredManifest } from '../metadata-store.ts';
import type { RepositoryName, Tag } from '../names.ts';
import { ensureRepository, repositoryId } from './repositories.ts';
import {
  change,
  first,
  type MetadataDatabase,
  type Query,
  query,
  rows,
  together,
  type Value,
  type Work,
} from './work.ts';

const BY_TAG = `SELECT m.digest AS digest, m.media_type AS "mediaType", m.bytes AS bytes
  FROM repositories r JOIN tags t ON t.repository = r.id JOIN manifests m ON m.id = t.manifest
  WHERE r.name = ? AND t.name = ?`;
const BY_DIGEST = `SELECT m.digest AS digest, m.media_type AS "mediaType", m.bytes AS bytes
  FROM repositories r JOIN manifests m ON m.repository = r.id WHERE r.name = ? AND m.digest = ?`;

interface ReferrerRow {
  readonly mediaType: string;
  readonly digest: ContentDigest;
  readonly size: number;
  readonly artifactType: string | null;
  readonly annotations: string | null;
}

/** Manifests, tags and edges. */
export function manifests(database: MetadataDatabase): Manifests {
  return {
    findManifest(repository, reference) {
      return database.first(query<StoredManifest>(reference.includes(':') ? BY_DIGEST : BY_TAG, repository, reference));
    },
    putManifest(repository, manifest, tags, { isMirror = false, isFixed = () => false } = {}) {
      return database.durable(function* () {
        const id = yield* ensureRepository(repository);
        if (isMirror) yield* expectBlobs(id, manifest);
        else yield* requireEntries(id, manifest);
        const row = yield* insertManifest(id, manifest, isMirror);
        yield* refuseFixed(id, row, tags.filter(isFixed));
        const now = Date.now();
        for (const tag of tags)
          yield* change(
            `INSERT INTO tags (repository, name, manifest, updated) VALUES (?, ?, ?, ?)
             ON CONFLICT (repository, name) DO UPDATE SET manifest = excluded.manifest, updated = excluded.updated`,
            id,
            tag,
            row,
            now,
          );
      }, 'repeats');
    },
    deleteTag(repository, tag, leaseEnd) {
      return database.durable(function* () {
        const id = yield* repositoryId(repository);
        if (id === undefined) return false;
        yield* recordTags('t.repository = ? AND t.name = ?', [id, tag], leaseEnd);
        const sql = 'DELETE FROM tags WHERE repository = ? AND name = ? RETURNING name';
        return (yield* first(sql, id, tag)) !== undefined;
      }, 'frees');
    },
    deleteManifest(repository, digest, leaseEnd, isFixed = () => false) {
      return database.durable(() => removeManifest(repository, digest, leaseEnd, isFixed), 'frees');
    },
    listTags(repository, { last, limit }) {
      return database.transaction(function* () {
        const id = yield* repositoryId(repository);
        if (id === undefined) return undefined;
        const sql = 'SELECT name FROM tags WHERE repository = ? AND name > ? ORDER BY name LIMIT ?';
        return (yield* rows<{ name: string }>(sql, id, last, limit)).map(({ name }) => name);
      }, 'repeats');
    },
    async listRepositories({ last, limit }, term = '') {
      const sql = `SELECT name FROM repositories r WHERE name > ?1 AND (?2 = '' OR replace(name, ?2, '') <> name)
        AND EXISTS (SELECT 1 FROM manifests WHERE repository = r.id) ORDER BY name LIMIT ?3`;
      return (await database.rows(query<{ name: string }>(sql, last, term, limit))).map(({ name }) => name);
    },
    async listReferrers(repository, digest, artifactType, { last, limit }) {
      const sql = `SELECT m.media_type AS "mediaType", m.digest AS digest, length(m.bytes) AS size,
          m.artifact_type AS "artifactType", m.annotations AS annotations
        FROM repositories r JOIN manifests m ON m.repository = r.id
        WHERE r.name = ?1 AND m.subject = ?2 AND m.digest > ?3${artifactType === undefined ? '' : ' AND m.artifact_type = ?5'}
        ORDER BY m.digest LIMIT ?4`;
      const wanted = artifactType === undefined ? [] : [artifactType];
      const found = query<ReferrerRow>(sql, repository, digest, last, limit, ...wanted);
      return (await database.rows(found)).map(referrer);
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
function* insertManifest(repository: number, manifest: ManifestDocument, isMirror: boolean): Work<number> {
  const blobs = yield* findBlobs(repository, manifest, isMirror);
  const row = (yield* insertRow(repository, manifest)) ?? (yield* findRow(repository, manifest.digest)) ?? 0;
  for (const blob of blobs) {
    const name = `INSERT INTO manifest_blobs (repository, blob, manifest) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`;
    yield* change(name, repository, blob, row);
    const hold = `UPDATE repository_blobs SET lease_end = NULL
      WHERE repository = ? AND blob = ? AND lease_end IS NOT NULL`;
    yield* change(hold, repository, blob);
  }
  const enter = 'INSERT INTO index_entries (manifest, entry) VALUES (?, ?) ON CONFLICT DO NOTHING';
  for (const entry of manifest.manifests) yield* change(enter, row, entry);
  return row;
}

/** Row numbers of the blobs that a manifest names. Throws when one of them is not here or has another size. */
function* findBlobs(repository: number, { blobs }: ManifestDocument, isMirror: boolean): Work<number[]> {
  const sql = `SELECT b.id AS id, b.size AS size FROM blobs b JOIN repository_blobs rb ON rb.blob = b.id
    WHERE b.digest = ? AND rb.repository = ?${isMirror ? '' : ' AND b.key IS NOT NULL'}`;
  const found = yield* together(
    blobs.map(({ digest }) => query<{ id: number; size: number }>(sql, digest, repository)),
  );
  return blobs.flatMap((blob, index) => {
    const row = found[index]?.[0];
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
}

/** The blobs that a mirror will get when somebody asks for them. */
function* expectBlobs(repository: number, { blobs }: ManifestDocument): Work<void> {
  const link = `INSERT INTO repository_blobs (repository, blob)
    SELECT CAST(? AS BIGINT), id FROM blobs WHERE digest = ? ON CONFLICT DO NOTHING`;
  for (const { digest, size } of blobs) {
    yield* change('INSERT INTO blobs (digest, size) VALUES (?, ?) ON CONFLICT DO NOTHING', digest, size);
    yield* change(link, repository, digest);
  }
}

function* requireEntries(repository: number, { manifests }: ManifestDocument): Work<void> {
  const found = yield* together(manifests.map((entry) => rowQuery(repository, entry)));
  const missing = manifests.find((_, index) => found[index]?.length === 0);
  if (missing === undefined) return;
  throw new Refusal('MANIFEST_BLOB_UNKNOWN', {
    message: 'manifest unknown to registry: the entries of an index are pushed before it',
    detail: { digest: missing },
  });
}

/** Undefined when it is known. */
function* insertRow(repository: number, manifest: ManifestDocument): Work<number | undefined> {
  const { digest, mediaType, bytes, subject, artifactType, annotations } = manifest;
  const made = yield* first<{ id: number }>(
    `INSERT INTO manifests (repository, digest, media_type, subject, artifact_type, annotations, pushed, bytes)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (repository, digest) DO NOTHING RETURNING id`,
    repository,
    digest,
    mediaType,
    subject ?? null,
    artifactType ?? null,
    annotations === undefined ? null : JSON.stringify(annotations),
    Date.now(),
    bytes,
  );
  return made?.id;
}

function* removeManifest(
  repository: RepositoryName,
  digest: ContentDigest,
  leaseEnd: number,
  isFixed: (tag: string) => boolean,
): Work<boolean> {
  const id = yield* repositoryId(repository);
  const row = id === undefined ? undefined : yield* findRow(id, digest);
  if (id === undefined || row === undefined) return false;
  const blobs = yield* rows<{ blob: number }>('SELECT blob FROM manifest_blobs WHERE manifest = ?', row);
  const tags = yield* rows<{ name: string }>('SELECT name FROM tags WHERE manifest = ?', row);
  const fixed = tags.find(({ name }) => isFixed(name));
  if (fixed) throw fixedTag(fixed.name);
  yield* recordTags('t.manifest = ?', [row], leaseEnd);
  const record = `INSERT INTO deleted_manifests (repository, digest, media_type, bytes, lease_end)
    SELECT repository, digest, media_type, bytes, CAST(? AS BIGINT) FROM manifests WHERE id = ?
    ON CONFLICT (repository, digest) DO UPDATE SET media_type = excluded.media_type, lease_end = excluded.lease_end`;
  yield* change(record, leaseEnd, row);
  yield* change('DELETE FROM tags WHERE manifest = ?', row);
  yield* change('DELETE FROM manifests WHERE id = ?', row);
  const lease = `UPDATE repository_blobs SET lease_end = ?3 WHERE repository = ?1 AND blob = ?2
    AND NOT EXISTS (SELECT 1 FROM manifest_blobs WHERE repository = ?1 AND blob = ?2)`;
  for (const { blob } of blobs) yield* change(lease, id, blob, leaseEnd);
  return true;
}

/** Keeps in mind what the tags named that are about to be deleted. */
function* recordTags(which: string, values: readonly Value[], leaseEnd: number): Work<void> {
  const sql = `INSERT INTO deleted_tags (repository, name, digest, lease_end)
    SELECT t.repository, t.name, m.digest, CAST(? AS BIGINT) FROM tags t JOIN manifests m ON m.id = t.manifest WHERE ${which}
    ON CONFLICT (repository, name) DO UPDATE SET digest = excluded.digest, lease_end = excluded.lease_end`;
  yield* change(sql, leaseEnd, ...values);
}

function* refuseFixed(repository: number, manifest: number, tags: readonly Tag[]): Work<void> {
  const sql = 'SELECT name FROM tags WHERE repository = ? AND name = ? AND manifest <> ?';
  const others = yield* together(tags.map((tag) => query<{ name: string }>(sql, repository, tag, manifest)));
  const [other] = others.flat();
  if (other) throw fixedTag(other.name);
}

function* findRow(repository: number, digest: ContentDigest): Work<number | undefined> {
  const [found = []] = yield* together([rowQuery(repository, digest)]);
  return found[0]?.id;
}

function rowQuery(repository: number, digest: ContentDigest): Query<{ id: number }> {
  return query('SELECT id FROM manifests WHERE repository = ? AND digest = ?', repository, digest);
}
