import type { BuildTrace, LentInput } from '../../build/explain/build-trace.ts';
import type { ImageSource } from '../../build/needs.ts';
import type { StagePlan } from '../../dockerfile/stages.ts';
import { configDigest, type Digest, type ImageId } from '../../oci/digest.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { type Reference, repositoryName } from '../../oci/reference.ts';
import type { Lease } from '../../store/leases.ts';
import type { Store } from '../../store/open-store.ts';
import type { ContextSource } from './build-context.ts';
import type { NamedSource } from './named-contexts.ts';

/** What a build took from outside. */
export interface BuildInputs {
  /** In the order of their names. Without a registry's digest it is that of the config. */
  readonly images: readonly { readonly name: string; readonly platform: string; readonly digest: Digest }[];
  /** Repositories of git that were contexts, with their commits. */
  readonly commits: readonly { readonly url: string; readonly commit: string }[];
  readonly secrets: readonly LentInput[];
  readonly agents: readonly LentInput[];
  /** Whether a RUN could reach anybody. */
  readonly hasNetwork: boolean;
  /** Whether nothing came in besides these images and commits. */
  readonly isComplete: boolean;
}

/** Notes what a build takes while it takes it. */
export class InputNotes {
  readonly #store: Store;
  readonly #images = new Map<string, BuildInputs['images'][number]>();
  readonly #remotes = new Map<string, string | undefined>();
  #isComplete = true;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The same source; what comes from it is noted, and stays until `kept` ends. */
  images(source: ImageSource, kept: Lease): ImageSource {
    return {
      resolve: async (name, options) => {
        const image = await source.resolve(name, options);
        kept.keep({ images: [image.id] });
        const meaning = this.#store.images.names.interpret(name);
        if (meaning.id !== undefined)
          this.#isComplete = false; // whatever went into it
        else {
          const platform = formatPlatform(options.platform);
          const digest = this.#digestOf(meaning.reference, image.id);
          this.#images.set(`${name} ${platform}`, { name, platform, digest });
        }
        return image;
      },
    };
  }

  /** A remote context is there; `commit` when it is a repository. */
  fetched(url: string, commit?: string): void {
    this.#remotes.set(url, commit);
  }

  /** All that was noted, with what the record of the build knows. */
  all(
    trace: Pick<BuildTrace, 'lent' | 'record'>,
    plan: StagePlan,
    sources: { readonly context: ContextSource; readonly named: ReadonlyMap<string, NamedSource> },
  ): BuildInputs {
    const lent = [...trace.lent.values()].sort(byId);
    const isKnown = ({ kind }: ContextSource | NamedSource) => kind === 'remote' || kind === 'image';
    const downloads = plan.stages.some(({ instructions }) =>
      instructions.some(({ kind, original }) => kind === 'ADD' && /:\/\/|git@/.test(original)),
    );
    return {
      images: [...this.#images.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
      commits: [...this.#remotes].flatMap(([url, commit]) => (commit === undefined ? [] : { url, commit })),
      secrets: lent.filter(({ kind }) => kind === 'secret'),
      agents: lent.filter(({ kind }) => kind === 'agent'),
      hasNetwork: trace.record.steps.some(({ run }) => run !== undefined && run.network !== 'none'),
      isComplete:
        this.#isComplete &&
        [sources.context, ...sources.named.values()].every(isKnown) &&
        [...this.#remotes.values()].every((commit) => commit !== undefined) &&
        !downloads,
    };
  }

  /** What the registry of the name calls the image. */
  #digestOf(name: Reference, id: ImageId): Digest {
    const known = this.#store.images.names.digestsOf(id);
    return known.find((one) => repositoryName(one) === repositoryName(name))?.digest ?? configDigest(id);
  }
}

const byId = (a: LentInput, b: LentInput) => (a.id < b.id ? -1 : 1);
