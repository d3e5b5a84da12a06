import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { WorkerPool } from '../../lib/worker-pool.ts';
import type { ImageId } from '../../oci/digest.ts';
import { familiarReference } from '../../oci/reference.ts';
import { streamFromWorker } from '../../snapshot/stream-from-worker.ts';
import { streamLayer } from '../../snapshot/stream-layer.ts';
import type { ImageRecord } from '../../store/images.ts';
import type { ImageTree, LayerRow, RewrittenImage } from '../../wire/insight.ts';
import type { ImageNeeds } from '../images/image-needs.ts';
import { findBase } from './find-base.ts';
import { imageTree } from './image-tree.ts';
import type { QuestionRequest } from './insight-tasks.ts';
import { layerSteps } from './layer-steps.ts';
import type { Question } from './questions.ts';
import {
  flattenImage,
  type RewriteNeeds,
  type RewriteRequest,
  rebaseImage,
  squashBuild,
  squashImage,
} from './rewrite-image.ts';
import { stepShape } from './shapes.ts';
import type { NamedImage, StoredImage } from './stored-image.ts';

export interface InsightNeeds extends ImageNeeds {
  readonly workers: WorkerPool;
  /** Their threads are held as long as the client reads. */
  readonly receivers: WorkerPool;
}

interface Call {
  readonly signal: AbortSignal;
}

/**
 * Questions about images that the indexes of their layers answer, without unpacking or mounting anything, and images
 * that are made of others in the same way. Names are what a person typed; answers are streams, see wire/insight.ts.
 */
export class Insight {
  readonly #needs: InsightNeeds;

  constructor(needs: InsightNeeds) {
    this.#needs = needs;
  }

  async files(name: string, path: string, call: Call): Promise<Readable> {
    const image = this.#resolve(name);
    return this.#answer({ kind: 'files', image: this.#stored(image), path }, [image], call);
  }

  async read(name: string, path: string, call: Call): Promise<Readable> {
    const image = this.#resolve(name);
    return this.#answer({ kind: 'read', image: this.#stored(image), path }, [image], call);
  }

  /** Without names all images that have a name or no children. */
  async find(names: readonly string[], pattern: string, call: Call): Promise<Readable> {
    const { images } = this.#needs.store;
    const chosen =
      names.length > 0
        ? names.map((name) => this.#resolve(name))
        : images.list().filter(({ id }) => images.names.of(id).length > 0 || !images.isParent(id));
    const named = chosen.map(
      (image): NamedImage => ({
        ...this.#stored(image),
        id: image.id,
        names: images.names.of(image.id).map(familiarReference),
      }),
    );
    return this.#answer({ kind: 'find', images: named, pattern }, chosen, call);
  }

  async diff(name: string, other: string, call: Call): Promise<Readable> {
    const [first, second] = [this.#resolve(name), this.#resolve(other)];
    const question: Question = { kind: 'diff', first: this.#stored(first), second: this.#stored(second) };
    return this.#answer(question, [first, second], call);
  }

  async blame(name: string, path: string, call: Call): Promise<Readable> {
    const image = this.#resolve(name);
    return this.#answer({ kind: 'blame', image: this.#stored(image), path }, [image], call);
  }

  async layers(name: string): Promise<LayerRow[]> {
    const { config } = this.#resolve(name);
    const { layers } = this.#needs.store;
    return layerSteps(config).map((step) => ({
      ...stepShape(step),
      Size: layers.byDiffId(step.diffId)?.size ?? 0,
    }));
  }

  async changes(name: string, step: number, path: string, call: Call): Promise<Readable> {
    const image = this.#resolve(name);
    return this.#answer({ kind: 'changes', image: this.#stored(image), step, path }, [image], call);
  }

  async waste(name: string, call: Call): Promise<Readable> {
    const image = this.#resolve(name);
    const baseLayers = findBase(this.#needs.store, image)?.config.rootfs.diff_ids.length ?? 0;
    return this.#answer({ kind: 'waste', image: this.#stored(image), baseLayers }, [image], call);
  }

  async tree(): Promise<ImageTree> {
    return imageTree(this.#needs.store);
  }

  async flatten(name: string, request: RewriteRequest): Promise<RewrittenImage> {
    return flattenImage(this.#rewriteNeeds(), name, request);
  }

  async squash(name: string, request: RewriteRequest & { readonly from: number }): Promise<RewrittenImage> {
    return squashImage(this.#rewriteNeeds(), name, request);
  }

  /** The image that a build made, with one layer for all that it put on its base. */
  squashBuild(built: ImageId, base: ImageId | undefined, call: Call): Promise<ImageId> {
    return squashBuild(this.#rewriteNeeds(), built, base, call);
  }

  async rebase(
    name: string,
    request: RewriteRequest & { readonly onto: string; readonly base: string | undefined },
  ): Promise<RewrittenImage> {
    return rebaseImage(this.#rewriteNeeds(), name, request);
  }

  #resolve(name: string): ImageRecord {
    return this.#needs.store.images.resolve(name);
  }

  #stored({ config }: ImageRecord): StoredImage {
    const { layers } = this.#needs.store;
    return {
      folders: layers.chain(config.rootfs.diff_ids).map(({ id }) => layers.folder(id)),
      steps: layerSteps(config),
    };
  }

  /** The layers are kept from collection until the stream is closed. */
  #answer(question: Question, images: readonly ImageRecord[], { signal }: Call): Readable {
    const { store, receivers } = this.#needs;
    const lease = store.leases.hold({ diffIds: images.flatMap(({ config }) => config.rootfs.diff_ids) });
    const request: QuestionRequest = { question };
    const stream = Readable.from(streamFromWorker(receivers, 'layer-question', request, { signal }), {
      objectMode: false,
    });
    stream.once('close', () => lease[Symbol.dispose]());
    return stream;
  }

  /** In `workers`, not receivers: the layer that is made of the answer needs one of those, and one must not wait for another. */
  #rewriteNeeds(): RewriteNeeds {
    const { workers } = this.#needs;
    return {
      ...this.#needs,
      storedImage: (image) => this.#stored(image),
      ask: (question, call) => {
        const request: QuestionRequest = { question };
        return streamFromWorker(workers, 'layer-question', request, call);
      },
      pack: (image, from, call) => {
        const layers = this.#stored(image).folders.map((folder) => ({
          index: join(folder, 'index'),
          tree: join(folder, 'diff'),
        }));
        return streamLayer(workers, { form: 'squashed', layers, from }, call);
      },
    };
  }
}
