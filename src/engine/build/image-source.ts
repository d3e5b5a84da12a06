import type { ImageSource } from '../../build/needs.ts';
import { Failure, isFailure } from '../../lib/error.ts';
import { hostPlatform, type Platform } from '../../oci/platform.ts';
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
        await transfers.pull({
          reference,
          platform: wanted,
          auth: await auth(reference.registry, { signal }),
          emit,
          signal,
        });
        image = store.images.resolve(name);
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
    const { os, architecture } = image.config;
    const isRight = isHostPlatform(platform) || (os === platform.os && architecture === platform.architecture);
    return isRight ? image : undefined;
  } catch (error) {
    if (isFailure(error, 'not-found')) return undefined;
    throw error;
  }
}

/** The name to pull. What is an ID can only be in the store. */
function referenceOf(store: Store, name: string): Reference {
  const meaning = store.images.names.interpret(name);
  if (meaning.id !== undefined) throw new Failure('not-found', 'IMAGE_NOT_FOUND', `No such image: ${meaning.shown}`);
  return withDefaultTag(parseReference(name));
}

function isHostPlatform({ os, architecture }: Platform): boolean {
  const host = hostPlatform();
  return os === host.os && architecture === host.architecture;
}

/** A line of progress as text; the moving ones have none. */
function lineText({ id, status, progressDetail }: ProgressLine): string | undefined {
  if (status === undefined || progressDetail?.current !== undefined) return undefined;
  return `${id === undefined ? '' : `${id}: `}${status}\n`;
}
