import type { Database } from '../lib/database.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { DiffId, Digest, ImageId } from '../oci/digest.ts';
import { type Reference, repositoryName } from '../oci/reference.ts';

/** A blob that holds a layer, and the repositories (complete names) that had it. */
export interface LayerBlob extends Descriptor {
  readonly repositories: readonly string[];
}

interface BlobRow {
  seq: number;
  digest: Digest;
  media_type: string;
  size: number;
}

/**
 * How layers and images look to registries: which compressed blobs hold a layer, which manifests describe an image. Only
 * what Strake made or verified is noted, so that no registry can pass off one layer as another. A record goes with its
 * layer or image; the blobs that records name stay in the content store, when they are there.
 */
export class ShippedRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Notes that the blob holds the layer, and a repository that has it. The layer must be sealed. */
  addBlob(diffId: DiffId, blob: Descriptor, repository?: Pick<Reference, 'registry' | 'path'>): void {
    this.#database.transaction(() => {
      this.#database.run(
        'INSERT OR IGNORE INTO layer_blobs (diff_id, digest, media_type, size) VALUES (?, ?, ?, ?)',
        diffId,
        blob.digest,
        blob.mediaType,
        blob.size,
      );
      if (!repository) return;
      this.#database.run(
        `INSERT OR IGNORE INTO layer_blob_places (repository, blob)
         SELECT ?, seq FROM layer_blobs WHERE diff_id = ? AND digest = ?`,
        repositoryName({ ...repository, tag: undefined, digest: undefined }),
        diffId,
        blob.digest,
      );
    });
  }

  /** The blobs that hold a layer, newest first. */
  blobsOf(diffId: DiffId): LayerBlob[] {
    return this.#database
      .all<BlobRow>('SELECT seq, digest, media_type, size FROM layer_blobs WHERE diff_id = ? ORDER BY seq DESC', diffId)
      .map((row) => ({
        digest: row.digest,
        mediaType: row.media_type,
        size: row.size,
        repositories: this.#database
          .all<{ repository: string }>(
            'SELECT repository FROM layer_blob_places WHERE blob = ? ORDER BY repository',
            row.seq,
          )
          .map(({ repository }) => repository),
      }));
  }

  /** Notes that the image was pulled or pushed under this manifest, whose bytes are in the content store. */
  addManifest(image: ImageId, digest: Digest): void {
    this.#database.run('INSERT OR REPLACE INTO image_manifests (image, digest) VALUES (?, ?)', image, digest);
  }

  /** The manifests of an image, newest first. */
  manifestsOf(image: ImageId): Digest[] {
    return this.#database
      .all<{ digest: Digest }>('SELECT digest FROM image_manifests WHERE image = ? ORDER BY seq DESC', image)
      .map((row) => row.digest);
  }

  /** Whether some record names this blob. */
  names(digest: Digest): boolean {
    return (
      this.#database.get(
        `SELECT 1 FROM layer_blobs WHERE digest = ?
         UNION ALL SELECT 1 FROM image_manifests WHERE digest = ? LIMIT 1`,
        digest,
        digest,
      ) !== undefined
    );
  }
}
