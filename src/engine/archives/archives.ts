import type { Readable } from 'node:stream';
import { type Reference, withDefaultTag } from '../../oci/reference.ts';
import type { FileOffer } from '../../wire/file-offer.ts';
import type { ImageNeeds } from '../images/image-needs.ts';
import { openOffered } from '../offered-file.ts';
import type { ArchiveForm } from './archive-documents.ts';
import { type LoadRequest, loadArchive } from './load-archive.ts';
import { type SaveNeeds, saveArchive } from './save-archive.ts';
import { type SaveTreeNeeds, saveTree } from './save-tree.ts';
import { type SelectedImage, selectImages } from './select-images.ts';
import { type WriteNeeds, writeArchive } from './write-archive.ts';

export interface ArchiveNeeds extends SaveNeeds, SaveTreeNeeds, WriteNeeds, Pick<ImageNeeds, 'emit' | 'receiveLayer'> {}

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
    this.#tell(selected);
    return stream;
  }

  /** The same into a file of the client, which must be empty; FILE_NOT_VISIBLE when the host does not see it. */
  async saveTo(
    offer: FileOffer,
    names: readonly string[],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    const selected = selectImages(this.#needs.store, names);
    await using file = await openOffered(offer, 'write');
    await writeArchive(this.#needs, selected, { file, signal });
    this.#tell(selected);
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
  #tell(selected: readonly SelectedImage[]): void {
    for (const { image } of selected)
      this.#needs.emit({ type: 'image', action: 'save', id: image.id, attributes: { name: image.id } });
  }
}
