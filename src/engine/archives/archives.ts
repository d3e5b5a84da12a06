import type { Readable } from 'node:stream';
import type { ImageNeeds } from '../images/image-needs.ts';
import { type LoadRequest, loadArchive } from './load-archive.ts';
import { type SaveNeeds, saveArchive } from './save-archive.ts';
import { selectImages } from './select-images.ts';

export interface ArchiveNeeds extends SaveNeeds, Pick<ImageNeeds, 'emit' | 'receiveLayer'> {}

/** Images as files: `save` and `load` of one host. */
export class Archives {
  readonly #needs: ArchiveNeeds;

  constructor(needs: ArchiveNeeds) {
    this.#needs = needs;
  }

  /** Resolves when every name is found; the stream is then a tar. */
  async save(names: readonly string[], { signal }: { readonly signal: AbortSignal }): Promise<Readable> {
    const selected = selectImages(this.#needs.store, names);
    const stream = saveArchive(this.#needs, selected, signal);
    for (const { image } of selected)
      this.#needs.emit({ type: 'image', action: 'save', id: image.id, attributes: { name: image.id } });
    return stream;
  }

  load(request: LoadRequest): Promise<void> {
    return loadArchive(this.#needs, request);
  }
}
