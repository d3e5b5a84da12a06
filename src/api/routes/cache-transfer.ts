import { Failure } from '../../lib/error.ts';
import type { CacheTransferBackend } from '../backend.ts';
import { list, object, text } from '../check.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';

export const cacheTransferRoutes: readonly Route<CacheTransferBackend>[] = [
  { method: 'POST', path: '/strake/builds/cache', handle: exportCache },
  {
    method: 'POST',
    path: '/strake/build-cache/missing',
    handle: async (cache, exchange) => {
      const { Layers = [] } = (await exchange.json(object({ Layers: list(text) }))) ?? {};
      exchange.answer(200, { Layers: await cache.missing(Layers) });
    },
  },
  {
    method: 'POST',
    path: '/strake/build-cache',
    handle: async (cache, exchange) =>
      exchange.answer(200, await cache.import(exchange.body(), { signal: exchange.signal })),
  },
];

async function exportCache(cache: CacheTransferBackend, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const mode = query.optional('mode') ?? 'min';
  if (mode !== 'min' && mode !== 'max')
    throw new Failure('invalid', 'CACHE_MODE', `invalid cache mode "${mode}": expected min or max`);
  const { Have: have = [] } = (await exchange.json(object({ Have: list(text) }))) ?? {};
  await exchange.send(await cache.export(query.text('build'), { mode, have, signal }), 'application/x-tar');
}
