import type { BuildRecord } from '../../build/explain/build-record.ts';
import type { StepCache } from '../../build/needs.ts';
import type { BuildSession } from '../../build/session.ts';
import { cancelled, Failure, isFailure, messageOf } from '../../lib/error.ts';
import { digestOf, type ImageId } from '../../oci/digest.ts';
import { CONFIG_LIMIT, encodeConfig, type ImageConfig } from '../../oci/image-config.ts';
import { parseReference, withDefaultTag } from '../../oci/reference.ts';
import type { Store } from '../../store/open-store.ts';
import { INLINE_CACHE_FIELD } from '../../wire/cache-transfer.ts';
import type { AskRegistryAuth } from '../build/image-source.ts';
import { documentOf, readDocument } from './cache-document.ts';
import { putRecords } from './put-records.ts';
import type { RegistryCacheRequest } from './registry-cache.ts';

export interface InlineCacheParts {
  readonly store: Store;
  readonly steps: StepCache;
}

export interface CacheSourceParts extends InlineCacheParts {
  /** Takes over a cache from a registry; false when the name means something else. */
  readonly takeCache: (request: RegistryCacheRequest) => Promise<boolean>;
}

/** The same image with the build cache of its own steps in its config, made of the image that the build gave. */
export function withInlineCache({ store, steps }: InlineCacheParts, build: BuildRecord, image: ImageId): ImageId {
  const { config } = store.images.demand(image);
  const layers = new Set<string>(config.rootfs.diff_ids);
  const { version, records } = documentOf([build], steps, 'min');
  const own = records.filter(({ layer }) => layer === undefined || layers.has(layer));
  const stored = encodeConfig({ ...config, [INLINE_CACHE_FIELD]: { version, records: own } });
  if (stored.bytes.length > CONFIG_LIMIT)
    throw new Failure('exhausted', 'CACHE_TOO_LARGE', 'the inline cache does not fit into the image config', {
      hint: 'use --cache-to type=local',
    });
  return store.images.put({ config: stored, parent: image, stepKey: digestOf(`${INLINE_CACHE_FIELD} ${stored.id}`) })
    .id;
}

/** `--cache-from`: what is wrong with an image there is said, and the build goes on without it. */
export async function takeCaches(
  parts: CacheSourceParts,
  session: BuildSession,
  askAuth: AskRegistryAuth,
): Promise<void> {
  const { options, images, platform, signal } = session;
  const warn = (name: string, why: string) =>
    session.emit({ type: 'warning', message: `cache-from ${name} is passed over: ${why}` });
  for (const name of options.cacheFrom)
    try {
      if (!isStored(parts.store, name)) {
        const reference = withDefaultTag(parseReference(name));
        if (await parts.takeCache({ reference, auth: await askAuth(reference.registry, { signal }), signal })) continue;
      }
      const { config } = await images.resolve(name, { pull: false, platform, signal, report() {} });
      if (!takeInlineCache(parts, config, name))
        await warn(name, 'the image holds no build cache; one that is built with "--cache-to type=inline" does');
    } catch (error) {
      if (signal.aborted) throw cancelled(signal);
      await warn(name, messageOf(error));
    }
}

function isStored(store: Store, name: string): boolean {
  try {
    store.images.resolve(name);
    return true;
  } catch (error) {
    if (isFailure(error, 'not-found')) return false;
    throw error;
  }
}

/** False when the config holds no build cache. */
function takeInlineCache({ store, steps }: InlineCacheParts, config: ImageConfig, name: string): boolean {
  const field = config[INLINE_CACHE_FIELD];
  if (field === undefined) return false;
  const document = readDocument(field, `image ${name}`);
  const layers = new Set<string>(config.rootfs.diff_ids);
  // Only the image's own layers: others the store may have by chance.
  const records = document.records.filter(({ layer }) => layer === undefined || layers.has(layer));
  putRecords(store, steps, { ...document, records });
  return true;
}
