/**
 * Steps from an empty database to the newest shape. A released step is never changed. Times are milliseconds since the
 * epoch, sizes are bytes, digests are `algorithm:hex`. Nothing here is of SQLite alone: the same tables serve a database
 * that many nodes share.
 */
export const STEPS: readonly string[] = [
  `
  CREATE TABLE repositories (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

  -- Content, once for all repositories. key is null when the bytes were found damaged, until somebody pushes them again.
  CREATE TABLE blobs (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    key TEXT UNIQUE
  ) STRICT;

  -- Which repository has which blob. lease_end is null while a manifest there names the blob.
  CREATE TABLE repository_blobs (
    repository INTEGER NOT NULL REFERENCES repositories (id),
    blob INTEGER NOT NULL REFERENCES blobs (id),
    lease_end INTEGER,
    PRIMARY KEY (repository, blob)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX repositories_of_blob ON repository_blobs (blob);
  CREATE INDEX leased_blobs ON repository_blobs (lease_end) WHERE lease_end IS NOT NULL;

  CREATE TABLE manifests (
    id INTEGER PRIMARY KEY,
    repository INTEGER NOT NULL REFERENCES repositories (id),
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    subject TEXT,
    artifact_type TEXT,
    annotations TEXT,
    pushed INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (repository, digest)
  ) STRICT;
  CREATE INDEX referrers ON manifests (repository, subject, digest) WHERE subject IS NOT NULL;

  CREATE TABLE tags (
    repository INTEGER NOT NULL REFERENCES repositories (id),
    name TEXT NOT NULL,
    manifest INTEGER NOT NULL REFERENCES manifests (id),
    updated INTEGER NOT NULL,
    PRIMARY KEY (repository, name)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tags_of_manifest ON tags (manifest);

  -- What manifests name. The entries of an index name other manifests of the same repository by digest.
  CREATE TABLE manifest_blobs (
    repository INTEGER NOT NULL,
    blob INTEGER NOT NULL REFERENCES blobs (id),
    manifest INTEGER NOT NULL REFERENCES manifests (id) ON DELETE CASCADE,
    PRIMARY KEY (repository, blob, manifest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blobs_of_manifest ON manifest_blobs (manifest);
  CREATE TABLE index_entries (
    manifest INTEGER NOT NULL REFERENCES manifests (id) ON DELETE CASCADE,
    entry TEXT NOT NULL,
    PRIMARY KEY (manifest, entry)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX indexes_of_entry ON index_entries (entry);

  -- holder is the node that writes to it until claim_end; lease_end is when it counts as given up.
  CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    repository INTEGER NOT NULL REFERENCES repositories (id),
    key TEXT NOT NULL UNIQUE,
    algorithm TEXT NOT NULL,
    size INTEGER NOT NULL,
    resume TEXT NOT NULL,
    holder TEXT,
    claim_end INTEGER NOT NULL,
    lease_end INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX uploads_by_lease ON uploads (lease_end);

  -- What was deleted, until its blobs' leases end: it can be put back till then.
  CREATE TABLE deleted_manifests (
    repository INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes BLOB NOT NULL,
    lease_end INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
  ) STRICT;
  CREATE INDEX deleted_manifests_by_lease ON deleted_manifests (lease_end);
  CREATE TABLE deleted_tags (
    repository INTEGER NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    lease_end INTEGER NOT NULL,
    PRIMARY KEY (repository, name)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX deleted_tags_by_lease ON deleted_tags (lease_end);

  -- Keys whose bytes nobody needs: written in the transaction that forgot them, removed when the bytes are.
  CREATE TABLE doomed (key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  `,
];
