import type { Readable } from 'node:stream';
import { Failure } from '../../lib/error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { ImageForm } from '../../oci/image-form.ts';
import { type Reference, withDefaultTag } from '../../oci/reference.ts';
import { isIndexed } from '../../oci/write-image.ts';
import type { FileOffer } from '../../wire/file-offer.ts';
import type { ImageNeeds } from '../images/image-needs.ts';
import { platformImages, type ResultImage } from '../images/platform-images.ts';
import { openOffered } from '../offered-file.ts';
import { type ArchiveForm, archiveDescriptor } from './archive-documents.ts';
import { savedImages } from './archive-pieces.ts';
import { type FormArchiveNeeds, prepareForm, saveForm } from './form-archive.ts';
import { type LoadRequest, loadArchive } from './load-archive.ts';
import { saveArchive } from './save-archive.ts';
import { type SaveTreeNeeds, saveTree } from './save-tree.ts';
import { saveTrees } from './save-trees.ts';
import { type SelectedImage, selectImages } from './select-images.ts';
import { type WriteNeeds, writeArchive } from './write-archive.ts';

export interface ArchiveNeeds
  extends FormArchiveNeeds,
    SaveTreeNeeds,
    WriteNeeds,
    Pick<ImageNeeds, 'emit' | 'receiveLayer'> {}

/** An image as an archive that is still to be written. */
export interface ImageOutput extends Disposable {
  /** What an OCI layout names: the manifest of the image, or the index of several. */
  readonly descriptor: Descriptor;
  /** The tar; may be asked for once. */
  open(options: { readonly signal: AbortSignal }): Readable;
}

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

  /** The files of images as a build gives them to its client. Several are for as many platforms. */
  async tree(results: readonly ResultImage[], { signal }: { readonly signal: AbortSignal }): Promise<Readable> {
    const images = platformImages(this.#needs.store, results);
    const [one] = images;
    return one && images.length === 1
      ? saveTree(this.#needs, one.image, signal)
      : saveTrees(this.#needs, images, signal);
  }

  /**
   * Images as a build gives them to its client, under names that the store need not know. Several are for as many
   * platforms. With `form` what it needs is made before this resolves.
   */
  async output(
    results: readonly ResultImage[],
    request: {
      readonly type: ArchiveForm;
      readonly names: readonly Reference[];
      readonly form?: ImageForm | undefined;
      readonly signal: AbortSignal;
    },
  ): Promise<ImageOutput> {
    const { type, form, signal } = request;
    const { store } = this.#needs;
    const names = request.names.map(withDefaultTag);
    const images = platformImages(store, results);
    const isIndex = images.length > 1 || (form !== undefined && isIndexed(images, form));
    if (type === 'docker' && isIndex)
      throw new Failure(
        'unsupported',
        'EXPORT_INDEX',
        'docker exporter does not currently support exporting manifest lists',
        { hint: 'use the oci exporter' },
      );
    if (form) {
      const archive = await prepareForm(this.#needs, images, { form, names, signal });
      const { mediaType, digest, size } = archive.image.top;
      return {
        descriptor: { mediaType, digest, size },
        open: (options) => saveForm(this.#needs, archive, { type, names, ...options }),
        [Symbol.dispose]: () => archive[Symbol.dispose](),
      };
    }
    const parts = images.map(({ image, platform }) => ({ image, platform, names: isIndex ? [] : names }));
    const descriptor = archiveDescriptor(savedImages(store, parts), isIndex);
    if (!descriptor) throw new Failure('internal', 'NO_IMAGE', 'no image is to be described');
    return {
      descriptor,
      open: (options) =>
        saveArchive(this.#needs, parts, { form: type, ...(isIndex ? { index: names } : {}), ...options }),
      [Symbol.dispose]() {},
    };
  }

  load(request: LoadRequest): Promise<void> {
    return loadArchive(this.#needs, request);
  }
  #tell(selected: readonly SelectedImage[]): void {
    for (const { image } of selected)
      this.#needs.emit({ type: 'image', action: 'save', id: image.id, attributes: { name: image.id } });
  }
}
