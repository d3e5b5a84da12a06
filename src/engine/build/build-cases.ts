import { Failure } from '../../lib/error.ts';
import { configPlatform } from '../../oci/image-config.ts';
import type { ImageForm } from '../../oci/image-form.ts';
import { isHostPlatform } from '../../oci/platform.ts';
import { type Reference, withDefaultTag } from '../../oci/reference.ts';
import { checkForm } from '../../oci/write-image.ts';
import { collect } from '../../store/collect.ts';
import { platformImages, type ResultImage } from '../images/platform-images.ts';
import type { PruneQuery } from './build-cache.ts';
import type { BuildHistory } from './build-history.ts';
import { type BuildImageRequest, type BuildParts, buildImage, checkBuild } from './build-image.ts';

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
    const { keepImage, verify } = request.options;
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
      if (!request.isPart) await history.end(trace, done);
      return done;
    } catch (error) {
      if (!request.isPart) await history.end(trace, { error, cancelled: request.signal.aborted });
      throw error;
    } finally {
      this.#running--;
      if (verify) collect(this.#parts.store); // the layers of the second time
      this.#parts.settled();
      if (keepImage) this.#parts.cache.hold(); // else the client has yet to ask for the files
    }
  }

  check(request: BuildImageRequest): ReturnType<typeof checkBuild> {
    return checkBuild(this.#parts, request);
  }

  async keep(results: readonly ResultImage[], names: readonly Reference[], form?: ImageForm): Promise<void> {
    const { store, tag, cache } = this.#parts;
    const members = platformImages(store, results);
    const own = members.find(({ image }) => isHostPlatform(configPlatform(image.config))) ?? members[0];
    if (!own) throw new Failure('internal', 'NO_IMAGE', 'no image is to be kept');
    const index = members.map(({ image, platform }) => ({ image: image.id, platform }));
    if (form)
      checkForm(
        members.map(({ platform }) => platform),
        form,
      );
    store.transaction(() => {
      if (names.length === 0) for (const { image } of index) store.cacheSpace.keepResult(image);
      for (const name of names) {
        tag(own.image.id, name);
        store.cacheSpace.keepResult(own.image.id);
        // A form is about the platforms that were asked for, which a config need not say as well.
        if (index.length > 1 || form) store.images.platforms.setIndex(withDefaultTag(name), index);
        if (form) store.images.forms.set(withDefaultTag(name), form);
      }
    });
    cache.hold();
  }

  pruneCache(query: PruneQuery): Promise<{ CachesDeleted: string[] | null; SpaceReclaimed: number }> {
    return this.#parts.cache.prune(query);
  }
}
