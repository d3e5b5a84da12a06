import type { Database } from '../lib/database.ts';
import { Failure } from '../lib/error.ts';
import { type Digest, type ImageId, parseImageId } from '../oci/digest.ts';
import { familiarReference, parseReference, type Reference, repositoryName, withDefaultTag } from '../oci/reference.ts';

/** What a person's text can mean, before the store is asked. `shown` is how an error names it. */
export type Meaning =
  | { readonly id: ImageId; readonly shown: string }
  | { readonly id?: undefined; readonly reference: Reference; readonly shown: string };

interface TagRow {
  repository: string;
  tag: string;
}

interface DigestRow {
  repository: string;
  digest: Digest;
}

/** Names of images: `repository:tag`, given by people, and `repository@digest`, given by pull and push. */
export class ImageNames {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Reads `sha256:<64 hex>` or `<64 hex>` as an ID, everything else as a name. Throws `invalid` for bad names. */
  interpret(text: string): Meaning {
    const id = /^[0-9a-f]{64}$/.test(text) ? `sha256:${text}` : text;
    if (/^sha256:[0-9a-f]{64}$/.test(id)) return { id: parseImageId(id), shown: id };
    const reference = withDefaultTag(parseReference(text));
    return { reference, shown: familiarReference(reference) };
  }

  /** The holder of a name. A digest decides when there is one, the tag then says nothing, as in Docker. */
  find(reference: Reference): ImageId | undefined {
    const repository = repositoryName(reference);
    const row =
      reference.digest === undefined
        ? this.#database.get<{ image: ImageId }>(
            'SELECT image FROM tags WHERE repository = ? AND tag = ?',
            repository,
            reference.tag ?? 'latest',
          )
        : this.#database.get<{ image: ImageId }>(
            'SELECT image FROM repo_digests WHERE repository = ? AND digest = ?',
            repository,
            reference.digest,
          );
    return row?.image;
  }

  /** Gives `repository:tag` to an image and returns its previous holder, if that was another one. */
  tag(reference: Reference, id: ImageId): ImageId | undefined {
    if (reference.digest !== undefined)
      throw new Failure('invalid', 'TAG_WITH_DIGEST', 'refusing to create a tag with a digest reference');
    if (repositoryName(reference) === 'docker.io/library/scratch')
      throw new Failure('invalid', 'SCRATCH_RESERVED', "'scratch' is a reserved name");
    return this.#database.transaction(() => {
      const previous = this.find(reference);
      this.#database.run(
        'INSERT OR REPLACE INTO tags (repository, tag, image) VALUES (?, ?, ?)',
        repositoryName(reference),
        reference.tag ?? 'latest',
        id,
      );
      this.#database.run('UPDATE images SET last_tag_time = ? WHERE id = ?', Date.now(), id);
      return previous === id ? undefined : previous;
    });
  }

  /** Notes that a registry has the image in this repository under this manifest digest. */
  addDigest(reference: Reference, digest: Digest, id: ImageId): void {
    this.#database.run(
      'INSERT OR REPLACE INTO repo_digests (repository, digest, image) VALUES (?, ?, ?)',
      repositoryName(reference),
      digest,
      id,
    );
  }

  /** Takes away one name, of either kind. False when it was not there. */
  untag(reference: Reference): boolean {
    const repository = repositoryName(reference);
    const gone =
      reference.digest === undefined
        ? this.#database.run('DELETE FROM tags WHERE repository = ? AND tag = ?', repository, reference.tag ?? 'latest')
        : this.#database.run(
            'DELETE FROM repo_digests WHERE repository = ? AND digest = ?',
            repository,
            reference.digest,
          );
    return gone > 0;
  }

  /** `repository:tag` names of an image, sorted. */
  of(id: ImageId): Reference[] {
    return this.#database
      .all<TagRow>('SELECT repository, tag FROM tags WHERE image = ? ORDER BY repository, tag', id)
      .map((row) => ({ ...split(row.repository), tag: row.tag, digest: undefined }));
  }

  /** `repository@digest` names of an image, sorted. */
  digestsOf(id: ImageId): Reference[] {
    return this.#database
      .all<DigestRow>('SELECT repository, digest FROM repo_digests WHERE image = ? ORDER BY repository, digest', id)
      .map((row) => ({ ...split(row.repository), tag: undefined, digest: row.digest }));
  }

  /** All tags of a repository with their images, sorted. */
  inRepository(reference: Reference): { readonly tag: string; readonly image: ImageId }[] {
    return this.#database
      .all<{ tag: string; image: ImageId }>(
        'SELECT tag, image FROM tags WHERE repository = ? ORDER BY tag',
        repositoryName(reference),
      )
      .map((row) => ({ tag: row.tag, image: row.image }));
  }

  /** Forgets every `repository@digest` of an image. */
  dropDigests(id: ImageId): void {
    this.#database.run('DELETE FROM repo_digests WHERE image = ?', id);
  }
}

function split(repository: string): { registry: string; path: string } {
  const slash = repository.indexOf('/');
  return { registry: repository.slice(0, slash), path: repository.slice(slash + 1) };
}
