import { parseImageId } from '../../oci/digest.ts';
import type { Reference } from '../../oci/reference.ts';
import type { Filters } from '../../wire/filters.ts';
import type { DeletedRow, HistoryRow, ImageInspect, ImageSummary, ImagesPruned } from '../../wire/image.ts';
import { imageHistory } from './image-history.ts';
import { manifestSummaries } from './image-manifests.ts';
import type { ImageNeeds } from './image-needs.ts';
import { type ImportRequest, importImage } from './import-image.ts';
import { inspectImage } from './inspect-image.ts';
import { type ListQuery, listImages } from './list-images.ts';
import { pruneImages } from './prune-images.ts';
import { type RemoveOptions, removeImage } from './remove-image.ts';
import { tagImage } from './tag-image.ts';

/** The image use cases of one host, as its doors ask for them. Names are what a person typed. */
export class Images {
  readonly #needs: ImageNeeds;

  constructor(needs: ImageNeeds) {
    this.#needs = needs;
  }

  async list(query: ListQuery & { readonly manifests: boolean }): Promise<ImageSummary[]> {
    const rows = listImages(this.#needs, query);
    if (!query.manifests) return rows;
    return Promise.all(
      rows.map(async (row) => ({ ...row, Manifests: await manifestSummaries(this.#needs, parseImageId(row.Id)) })),
    );
  }

  async inspect(name: string): Promise<ImageInspect> {
    return inspectImage(this.#needs, name);
  }

  async history(name: string): Promise<HistoryRow[]> {
    return imageHistory(this.#needs, name);
  }

  async tag(name: string, target: Reference): Promise<void> {
    tagImage(this.#needs, name, target);
  }

  async remove(name: string, options: RemoveOptions): Promise<DeletedRow[]> {
    return removeImage(this.#needs, name, options);
  }

  async prune(options: { readonly filters: Filters; readonly signal: AbortSignal }): Promise<ImagesPruned> {
    return pruneImages(this.#needs, options);
  }

  async importTar(request: ImportRequest): Promise<{ image: string }> {
    return { image: await importImage(this.#needs, request) };
  }
}
