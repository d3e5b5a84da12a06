import { Failure } from '../../lib/error.ts';
import { parseReference, withDefaultTag } from '../../oci/reference.ts';
import type { CacheTransferBackend } from '../backend/build.ts';
import { list, object, text } from '../check.ts';
import { readRegistryAuth } from '../credentials.ts';
import type { Exchange } from '../exchange.ts';
import type { Query } from '../query.ts';
import type { Route } from '../router.ts';

export const cacheTransferRoutes: readonly Route<CacheTransferBackend>[] = [
  { method: 'POST', path: '/strake/builds/cache', handle: exportCache },
  { method: 'POST', path: '/strake/builds/cache/push', handle: pushCache },
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
  const mode = readMode(query);
  const { Have: have = [] } = (await exchange.json(object({ Have: list(text) }))) ?? {};
  await exchange.send(await cache.export(query.text('build'), { mode, have, signal }), 'application/x-tar');
}

async function pushCache(cache: CacheTransferBackend, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const mode = readMode(query);
  const reference = withDefaultTag(parseReference(query.text('ref')));
  const auth = readRegistryAuth(exchange.header('x-registry-auth'));
  exchange.answer(200, { Digest: await cache.push([query.text('build')], { mode, reference, auth, signal }) });
}

function readMode(query: Query): 'min' | 'max' {
  const mode = query.optional('mode') ?? 'min';
  if (mode !== 'min' && mode !== 'max')
    throw new Failure('invalid', 'CACHE_MODE', `invalid cache mode "${mode}": expected min or max`);
  return mode;
}
