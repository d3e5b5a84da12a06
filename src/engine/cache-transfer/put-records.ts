import { partialKeyOf } from '../../build/cache-key.ts';
import type { StepCache } from '../../build/needs.ts';
import { parseDiffId, parseDigest } from '../../oci/digest.ts';
import type { Store } from '../../store/open-store.ts';
import type { CacheDocument } from '../../wire/cache-transfer.ts';

/** Adds the records whose layers are in the store. What the cache knows already stays. Returns how many are new. */
export function putRecords(store: Store, cache: StepCache, { records }: CacheDocument): number {
  return store.transaction(() => {
    let added = 0;
    for (const { key, site, components, result, created, layer: diffId } of records) {
      const layer = diffId === undefined ? undefined : store.layers.byDiffId(parseDiffId(diffId));
      if ((diffId !== undefined && !layer) || cache.get(key)) continue;
      const whole = { digest: parseDigest(key), site, components };
      cache.put(whole, { result, created, layer });
      const partial = partialKeyOf(whole);
      if (partial) cache.put(partial, { result, created, layer: undefined });
      added++;
    }
    return added;
  });
}
