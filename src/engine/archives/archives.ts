import type { Readable } from 'node:stream';
import { Failure } from '../../lib/error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Reference, withDefaultTag } from '../../oci/reference.ts';
import type { FileOffer } from '../../wire/file-offer.ts';
import type { ImageNeeds } from '../images/image-needs.ts';
import { platformImages, type ResultImage } from '../images/platform-images.ts';
import { openOffered } from '../offered-file.ts';
import { type ArchiveForm, archiveDescriptor } from './archive-documents.ts';
import { savedImages } from './archive-pieces.ts';
import { type LoadRequest, loadArchive } from './load-archive.ts';
import { type SaveNeeds, saveArchive } from './save-archive.ts';
import { type SaveTreeNeeds, saveTree } from './save-tree.ts';
import { saveTrees } from './save-trees.ts';
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

  /**
   * Images as a build gives them to its client: with names that the store need not know, or their files alone. Several are
   * for as many platforms.
   */
  async output(
    results: readonly ResultImage[],
    request: {
      readonly form: ArchiveForm | 'tree';
      readonly names: readonly Reference[];
      readonly signal: AbortSignal;
    },
  ): Promise<Readable> {
    const { form, signal } = request;
    const names = request.names.map(withDefaultTag);
    const images = platformImages(this.#needs.store, results);
    const [one] = images;
    if (form === 'tree')
      return one && images.length === 1
        ? saveTree(this.#needs, one.image, signal)
        : saveTrees(this.#needs, images, signal);
    if (images.length === 1)
      return saveArchive(
        this.#needs,
        images.map(({ image }) => ({ image, names })),
        { form, signal },
      );
    if (form === 'docker')
      throw new Failure(
        'unsupported',
        'EXPORT_INDEX',
        'docker exporter does not currently support exporting manifest lists',
        { hint: 'use the oci exporter' },
      );
    const parts = images.map(({ image, platform }) => ({ image, names: [], platform }));
    return saveArchive(this.#needs, parts, { form, index: names, signal });
  }

  /** What `output` names in an OCI layout: the manifest of the image, or the index of several. */
  async describe(results: readonly ResultImage[]): Promise<Descriptor> {
    const { store } = this.#needs;
    const images = platformImages(store, results).map((image) => ({ ...image, names: [] }));
    const descriptor = archiveDescriptor(savedImages(store, images), images.length > 1);
    if (!descriptor) throw new Failure('internal', 'NO_IMAGE', 'no image is to be described');
    return descriptor;
  }

  load(request: LoadRequest): Promise<void> {
    return loadArchive(this.#needs, request);
  }
  #tell(selected: readonly SelectedImage[]): void {
    for (const { image } of selected)
      this.#needs.emit({ type: 'image', action: 'save', id: image.id, attributes: { name: image.id } });
  }
}
