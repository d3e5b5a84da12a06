import type { CachedStep, StepCache } from '../../build/needs.ts';
import type { Store } from '../../store/open-store.ts';

/** The solver's cache in the store. A record whose layer is gone is no hit. `hold` is called when it grew. */
export function stepCache(store: Store, hold: () => void): StepCache {
  return {
    get(key): CachedStep | undefined {
      const record = store.cache.use(key);
      if (!record) return undefined;
      const { result, created }: { result: string; created: string } = JSON.parse(record.result); // written by `put` below
      if (record.layer === undefined) return { result, created, layer: undefined };
      const layer = store.layers.byDiffId(record.layer);
      return layer && { result, created, layer };
    },
    put(key, { layer, result, created }) {
      store.cache.put({
        key: key.digest,
        site: key.site,
        components: key.components,
        result: JSON.stringify({ result, created }),
        layer: layer?.diffId,
      });
      if (layer) hold();
    },
  };
}
