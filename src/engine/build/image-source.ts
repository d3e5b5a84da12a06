import type { ImageSource } from '../../build/needs.ts';
import { Failure, isFailure } from '../../lib/error.ts';
import { isHostPlatform, type Platform } from '../../oci/platform.ts';
import { parseReference, type Reference, withDefaultTag } from '../../oci/reference.ts';
import type { ImageRecord } from '../../store/images.ts';
import type { Store } from '../../store/open-store.ts';
import type { RegistryAuth } from '../../wire/auth.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import type { Transfers } from '../transfer/transfers.ts';

/** What the client of a build has for a registry host; undefined is anonymous. */
export type AskRegistryAuth = (
  host: string,
  options: { readonly signal: AbortSignal },
) => Promise<RegistryAuth | undefined>;

/** Base images: from the store, else, or with `pull` first of all, from their registries. */
export function imageSource(store: Store, transfers: Pick<Transfers, 'pull'>, auth: AskRegistryAuth): ImageSource {
  return {
    async resolve(name, { pull, platform, signal, report }) {
      let image = pull ? undefined : find(store, name, platform);
      if (!image) {
        const reference = referenceOf(store, name);
        const emit = async (line: ProgressLine) => {
          const text = lineText(line);
          if (text !== undefined) report(text);
        };
        const wanted = isHostPlatform(platform) ? undefined : platform;
        const holder = store.images.names.find(reference);
        const isBehind = wanted !== undefined && holder !== undefined && !isFor(store.images.demand(holder), wanted);
        await transfers.pull({
          reference,
          platform: wanted,
          isBehind,
          auth: await auth(reference.registry, { signal }),
          emit,
          signal,
        });
        image = isBehind ? behind(store, name, platform) : store.images.resolve(name);
        if (!image) throw new Failure('internal', 'PULL_BEHIND', `${name} was pulled and is not there`);
      }
      store.leases.touch({ diffIds: image.config.rootfs.diff_ids });
      return { id: image.id, config: image.config, layers: store.layers.chain(image.config.rootfs.diff_ids) };
    },
  };
}

/** The image in the store, when it is for the platform that is asked for. */
function find(store: Store, name: string, platform: Platform): ImageRecord | undefined {
  try {
    const image = store.images.resolve(name);
    return isHostPlatform(platform) || isFor(image, platform) ? image : behind(store, name, platform);
  } catch (error) {
    if (isFailure(error, 'not-found')) return undefined;
    throw error;
  }
}

function isFor({ config }: ImageRecord, { os, architecture }: Platform): boolean {
  return os === config.os && architecture === config.architecture;
}

/** What stands behind the image of a tag for another platform. */
function behind(store: Store, name: string, platform: Platform): ImageRecord | undefined {
  const meaning = store.images.names.interpret(name);
  const id = meaning.id === undefined ? store.images.platforms.find(meaning.reference, platform) : undefined;
  return id && store.images.demand(id);
}

/** The name to pull. What is an ID can only be in the store. */
function referenceOf(store: Store, name: string): Reference {
  const meaning = store.images.names.interpret(name);
  if (meaning.id !== undefined) throw new Failure('not-found', 'IMAGE_NOT_FOUND', `No such image: ${meaning.shown}`);
  return withDefaultTag(parseReference(name));
}

/** A line of progress as text; the moving ones have none. */
function lineText({ id, status, progressDetail }: ProgressLine): string | undefined {
  if (status === undefined || progressDetail?.current !== undefined) return undefined;
  return `${id === undefined ? '' : `${id}: `}${status}\n`;
}
