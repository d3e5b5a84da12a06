import { collect } from '../../store/collect.ts';
import { type BuildImageRequest, type BuildParts, buildImage } from './build-image.ts';

/** Builds and their cache, as a door asks for them. */
export class BuildCases {
  readonly #parts: BuildParts & { readonly settled: () => void };
  #running = 0;

  /** `settled` is called after each build, when its layers are sealed. */
  constructor(parts: BuildParts & { readonly settled: () => void }) {
    this.#parts = parts;
  }

  get isBusy(): boolean {
    return this.#running > 0;
  }

  async build(request: BuildImageRequest): Promise<{ image: string }> {
    this.#running++;
    try {
      return await buildImage(this.#parts, request);
    } finally {
      this.#running--;
      this.#parts.settled();
    }
  }

  async pruneCache(): Promise<{ CachesDeleted: string[] | null; SpaceReclaimed: number }> {
    const { store } = this.#parts;
    const keys = store.cache.prune();
    return { CachesDeleted: keys.length === 0 ? null : keys, SpaceReclaimed: collect(store).bytes };
  }
}
