import { collect } from '../../store/collect.ts';
import type { BuildHistory } from './build-history.ts';
import { type BuildImageRequest, type BuildParts, buildImage } from './build-image.ts';

export interface BuildCaseParts extends BuildParts {
  readonly settled: () => void;
  readonly history: BuildHistory;
}

/** Builds and their cache, as a door asks for them. */
export class BuildCases {
  readonly #parts: BuildCaseParts;
  #running = 0;

  /** `settled` is called after each build, when its layers are sealed. */
  constructor(parts: BuildCaseParts) {
    this.#parts = parts;
  }

  get isBusy(): boolean {
    return this.#running > 0;
  }

  async build(request: BuildImageRequest): Promise<{ image: string }> {
    this.#running++;
    const { history } = this.#parts;
    const trace = history.begin(request);
    try {
      const done = await buildImage(this.#parts, {
        ...request,
        trace,
        emit: (event) => {
          trace.event(event);
          return request.emit(event);
        },
      });
      await history.end(trace, done);
      return done;
    } catch (error) {
      await history.end(trace, { error, cancelled: request.signal.aborted });
      throw error;
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
