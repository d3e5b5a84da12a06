import type { Database } from '../lib/database.ts';
import type { ImageId } from '../oci/digest.ts';
import { formatPlatform, type Platform, parsePlatform } from '../oci/platform.ts';
import { type Reference, repositoryName } from '../oci/reference.ts';

export interface PlatformImage {
  readonly platform: Platform;
  readonly image: ImageId;
}

export type Tagged = Pick<Reference, 'registry' | 'path' | 'tag'>;

/**
 * Images for other platforms behind the image of a tag. They go when the tag goes or means another image; no list shows them
 * as images of their own.
 */
export class TagPlatforms {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Makes a tag an index: these images, the tag's own among them, were built to be one. */
  setIndex(reference: Tagged, members: readonly PlatformImage[]): void {
    this.#database.transaction(() => {
      this.#database.run('DELETE FROM tag_platforms WHERE repository = ? AND tag = ?', ...keyOf(reference));
      for (const [position, { platform, image }] of members.entries())
        this.#put(reference, { platform, image }, { position, inIndex: 1 });
    });
  }

  /** The images of the index that a tag is, in the order in which they were given; empty for a tag of one image. */
  indexOf(reference: Tagged): PlatformImage[] {
    return this.#database
      .all<{ platform: string; image: ImageId }>(
        'SELECT platform, image FROM tag_platforms WHERE repository = ? AND tag = ? AND in_index = 1 ORDER BY position',
        ...keyOf(reference),
      )
      .map(({ platform, image }) => ({ platform: parsePlatform(platform), image }));
  }

  /** Notes the image that the tag, which must be there, means for another platform. */
  add(reference: Tagged, member: PlatformImage): void {
    this.#put(reference, member, { position: 0, inIndex: 0 });
  }

  /** The image behind a tag for a platform. */
  find(reference: Tagged, platform: Platform): ImageId | undefined {
    return this.#database.get<{ image: ImageId }>(
      'SELECT image FROM tag_platforms WHERE repository = ? AND tag = ? AND platform = ?',
      ...keyOf(reference),
      formatPlatform(platform),
    )?.image;
  }

  /** Whether the image stands behind any tag. */
  has(image: ImageId): boolean {
    return this.#database.get('SELECT 1 FROM tag_platforms WHERE image = ? LIMIT 1', image) !== undefined;
  }

  #put(
    reference: Tagged,
    { platform, image }: PlatformImage,
    { position, inIndex }: { readonly position: number; readonly inIndex: 0 | 1 },
  ): void {
    this.#database.run(
      'INSERT OR REPLACE INTO tag_platforms (repository, tag, platform, position, image, in_index) VALUES (?, ?, ?, ?, ?, ?)',
      ...keyOf(reference),
      formatPlatform(platform),
      position,
      image,
      inIndex,
    );
  }
}

/** The columns by which rows about a tag are found. */
export const keyOf = ({ registry, path, tag }: Tagged): [repository: string, tag: string] => [
  repositoryName({ registry, path, tag: undefined, digest: undefined }),
  tag ?? 'latest',
];
