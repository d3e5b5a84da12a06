import type { Database } from '../lib/database.ts';

/**
 * Steps from an empty database to the newest shape; `user_version` counts how many a database has taken. A released
 * step is never changed. Times are milliseconds since the epoch, sizes are bytes.
 */
const STEPS: readonly string[] = [
  `
  CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  -- Sealed layers. A diff ID is stored once; a second tree of it waits in duplicates until nothing mounts it.
  CREATE TABLE layers (
    diff_id TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    tar_size INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    created INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    durable INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE duplicates (id TEXT PRIMARY KEY, diff_id TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- config holds the exact bytes whose digest is the image ID, so that an image appears whole in one transaction.
  CREATE TABLE images (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    config BLOB NOT NULL,
    created INTEGER NOT NULL,
    size INTEGER NOT NULL,
    parent TEXT REFERENCES images (id) ON DELETE SET NULL,
    step_key TEXT,
    last_tag_time INTEGER
  ) STRICT;
  CREATE INDEX images_by_parent ON images (parent, step_key);
  CREATE TABLE image_layers (
    image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    diff_id TEXT NOT NULL REFERENCES layers (diff_id),
    chain_id TEXT NOT NULL,
    PRIMARY KEY (image, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX image_layers_by_layer ON image_layers (diff_id);
  CREATE INDEX image_layers_by_chain ON image_layers (chain_id);

  -- repository is complete: docker.io/library/debian.
  CREATE TABLE tags (
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    image TEXT NOT NULL REFERENCES images (id),
    PRIMARY KEY (repository, tag)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tags_by_image ON tags (image);
  CREATE TABLE repo_digests (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    image TEXT NOT NULL REFERENCES images (id),
    PRIMARY KEY (repository, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX repo_digests_by_image ON repo_digests (image);
  CREATE INDEX repo_digests_by_digest ON repo_digests (digest);

  -- components: zstd of a JSON list of {name, value}.
  CREATE TABLE cache (
    key TEXT PRIMARY KEY,
    site TEXT NOT NULL,
    components BLOB NOT NULL,
    result TEXT NOT NULL,
    layer TEXT REFERENCES layers (diff_id) ON DELETE CASCADE,
    image TEXT REFERENCES images (id) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    use_count INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX cache_by_site ON cache (site, last_used);
  CREATE INDEX cache_by_layer ON cache (layer);
  CREATE INDEX cache_by_image ON cache (image);

  -- image is not a foreign key: a stopped container outlives the image that was removed by force, with its layers.
  CREATE TABLE containers (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    image TEXT,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX containers_by_image ON containers (image);
  CREATE TABLE container_layers (
    container TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    diff_id TEXT NOT NULL REFERENCES layers (diff_id),
    chain_id TEXT NOT NULL,
    PRIMARY KEY (container, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX container_layers_by_layer ON container_layers (diff_id);
  CREATE INDEX container_layers_by_chain ON container_layers (chain_id);

  CREATE TABLE volumes (
    name TEXT PRIMARY KEY,
    created INTEGER NOT NULL,
    anonymous INTEGER NOT NULL,
    labels TEXT NOT NULL,
    options TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE volume_refs (
    volume TEXT NOT NULL REFERENCES volumes (name),
    container TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    PRIMARY KEY (volume, container)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX volume_refs_by_container ON volume_refs (container);
  `,
  `
  -- Blobs that are known to hold a layer: what Strake compressed, or unpacked and verified. The blob itself may be
  -- stored or not. Newest last.
  CREATE TABLE layer_blobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    diff_id TEXT NOT NULL REFERENCES layers (diff_id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    UNIQUE (diff_id, digest)
  ) STRICT;
  CREATE INDEX layer_blobs_by_digest ON layer_blobs (digest);
  -- Repositories that had such a blob when it was pulled or pushed.
  CREATE TABLE layer_blob_places (
    repository TEXT NOT NULL,
    blob INTEGER NOT NULL REFERENCES layer_blobs (seq) ON DELETE CASCADE,
    PRIMARY KEY (repository, blob)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX layer_blob_places_by_blob ON layer_blob_places (blob);
  -- Manifests under which an image was pulled or pushed; their bytes are in the content store. Newest last.
  CREATE TABLE image_manifests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    UNIQUE (image, digest)
  ) STRICT;
  CREATE INDEX image_manifests_by_digest ON image_manifests (digest);
  `,
  `
  -- What past builds did, newest last. document: zstd of JSON.
  CREATE TABLE builds (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    started INTEGER NOT NULL,
    source TEXT NOT NULL,
    document BLOB NOT NULL
  ) STRICT;
  CREATE INDEX builds_by_source ON builds (source);

  -- Folders of RUN --mount=type=cache. size is what it was when it was last measured.
  CREATE TABLE cache_mounts (
    name TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    target TEXT NOT NULL,
    sharing TEXT NOT NULL,
    created INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    use_count INTEGER NOT NULL,
    size INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Images that a build was for. What else builds leave of images is the cache's.
  CREATE TABLE build_results (image TEXT PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE) STRICT, WITHOUT ROWID;
  `,
  `
  -- Layers of images that are mounted into a container have the number of the mount; 0 is its own file system.
  ALTER TABLE container_layers RENAME TO container_layers_before;
  CREATE TABLE container_layers (
    container TEXT NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    mount INTEGER NOT NULL,
    position INTEGER NOT NULL,
    diff_id TEXT NOT NULL REFERENCES layers (diff_id),
    chain_id TEXT NOT NULL,
    PRIMARY KEY (container, mount, position)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO container_layers SELECT container, 0, position, diff_id, chain_id FROM container_layers_before;
  DROP TABLE container_layers_before;
  CREATE INDEX container_layers_by_layer ON container_layers (diff_id);
  CREATE INDEX container_layers_by_chain ON container_layers (chain_id);
  `,
  `
  -- Copies of folders that clients sent for builds. boot: when its files are sure to be what was written. size as last known.
  CREATE TABLE client_folders (
    name TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    label TEXT NOT NULL,
    boot TEXT NOT NULL,
    created INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    use_count INTEGER NOT NULL,
    size INTEGER NOT NULL,
    has_xattrs INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX client_folders_by_key ON client_folders (key);
  `,
  `
  -- Images for other platforms that stand behind the image of a tag. in_index: a build made them together with that one, which
  -- then has a row too; the others are what the tag means in its registry.
  CREATE TABLE tag_platforms (
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    platform TEXT NOT NULL,
    position INTEGER NOT NULL,
    image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    in_index INTEGER NOT NULL,
    PRIMARY KEY (repository, tag, platform),
    FOREIGN KEY (repository, tag) REFERENCES tags (repository, tag) ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tag_platforms_by_image ON tag_platforms (image);
  `,
  `
  -- How a tag's image is to be written down when it is pushed; see oci/image-form.ts. It goes when the tag goes or means
  -- another image. form: zstd of JSON.
  CREATE TABLE tag_forms (
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    form BLOB NOT NULL,
    PRIMARY KEY (repository, tag),
    FOREIGN KEY (repository, tag) REFERENCES tags (repository, tag) ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  `,
];

/** Brings a database of the store to the newest shape. */
export function migrate(database: Database): void {
  database.migrate(STEPS);
}
