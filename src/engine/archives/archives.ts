import type { Readable } from 'node:stream';
import { type Reference, withDefaultTag } from '../../oci/reference.ts';
import type { ImageNeeds } from '../images/image-needs.ts';
import type { ArchiveForm } from './archive-documents.ts';
import { type LoadRequest, loadArchive } from './load-archive.ts';
import { type SaveNeeds, saveArchive } from './save-archive.ts';
import { type SaveTreeNeeds, saveTree } from './save-tree.ts';
import { selectImages } from './select-images.ts';

export interface ArchiveNeeds extends SaveNeeds, SaveTreeNeeds, Pick<ImageNeeds, 'emit' | 'receiveLayer'> {}

/** Images as files: `save` and `load` of one host. */
export class Archives {
  readonly #needs: ArchiveNeeds;

  constructor(needs: ArchiveNeeds) {
    this.#needs = needs;
  }

  /** Resolves when every name is found; the stream is then a tar. */
  async save(names: readonly string[], { signal }: { readonly signal: AbortSignal }): Promise<Readable> {
    const selected = selectImages(this.#needs.store, names);
    const stream = saveArchive(this.#needs, selected, { form: 'docker', signal });
    for (const { image } of selected)
      this.#needs.emit({ type: 'image', action: 'save', id: image.id, attributes: { name: image.id } });
    return stream;
  }

  /** An image as a build gives it to its client: with names that the store need not know, or its files alone. */
  async output(
    ref: string,
    request: {
      readonly form: ArchiveForm | 'tree';
      readonly names: readonly Reference[];
      readonly signal: AbortSignal;
    },
  ): Promise<Readable> {
    const { form, names, signal } = request;
    const image = this.#needs.store.images.resolve(ref);
    if (form === 'tree') return saveTree(this.#needs, image, signal);
    return saveArchive(this.#needs, [{ image, names: names.map(withDefaultTag) }], { form, signal });
  }

  load(request: LoadRequest): Promise<void> {
    return loadArchive(this.#needs, request);
  }
}
