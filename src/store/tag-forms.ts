import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Database } from '../lib/database.ts';
import type { ImageForm } from '../oci/image-form.ts';
import { keyOf, type Tagged } from './tag-platforms.ts';

/** How images are to be written down under their tags, where that was said. It goes when the tag goes or is given anew. */
export class TagForms {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The tag must be there. */
  set(reference: Tagged, form: ImageForm): void {
    this.#database.run(
      'INSERT OR REPLACE INTO tag_forms (repository, tag, form) VALUES (?, ?, ?)',
      ...keyOf(reference),
      zstdCompressSync(JSON.stringify(form)),
    );
  }

  of(reference: Tagged): ImageForm | undefined {
    const row = this.#database.get<{ form: Uint8Array }>(
      'SELECT form FROM tag_forms WHERE repository = ? AND tag = ?',
      ...keyOf(reference),
    );
    return row && (JSON.parse(zstdDecompressSync(row.form).toString()) as ImageForm); // written by `set`
  }
}
