import { parsePlatform } from '../../oci/platform.ts';
import { parseReference } from '../../oci/reference.ts';
import { drawBar, type ProgressLine } from '../../wire/progress.ts';
import type { RegistryBackend } from '../backend/registry.ts';
import { readRegistryAuth, registryAuth } from '../credentials.ts';
import type { Exchange } from '../exchange.ts';
import { readFilters } from '../filters.ts';
import { joinReference } from '../reference.ts';
import type { Route } from '../router.ts';

export const registryRoutes: readonly Route<RegistryBackend>[] = [
  {
    method: 'POST',
    path: '/images/{name*}/push',
    handle: (registry, exchange) =>
      transfer(exchange, joinReference(exchange.param('name'), exchange.query.text('tag')), (request) =>
        registry.push(request),
      ),
  },
  {
    method: 'POST',
    path: '/auth',
    handle: async (registry, exchange) =>
      exchange.answer(200, await registry.auth((await exchange.json(registryAuth)) ?? {}, exchange)),
  },
  { method: 'GET', path: '/images/search', handle: search },
  {
    method: 'GET',
    path: '/distribution/{name*}/json',
    since: 30,
    handle: async (registry, exchange) => {
      const reference = parseReference(exchange.param('name'));
      const options = { auth: readRegistryAuth(exchange.header('x-registry-auth')), signal: exchange.signal };
      exchange.answer(200, await registry.distribution(reference, options));
    },
  },
];

/** POST /images/create with `fromImage`. */
export function pullImage(registry: RegistryBackend, exchange: Exchange): Promise<void> {
  const reference = joinReference(exchange.query.text('fromImage'), exchange.query.text('tag'));
  return transfer(exchange, reference, (request) => registry.pull(request));
}

async function transfer(
  exchange: Exchange,
  reference: Parameters<RegistryBackend['pull']>[0]['reference'],
  run: RegistryBackend['pull'],
): Promise<void> {
  const platform = exchange.query.optional('platform');
  const lines = exchange.lines<ProgressLine>();
  await run({
    reference,
    platform: platform === undefined ? undefined : parsePlatform(platform),
    auth: readRegistryAuth(exchange.header('x-registry-auth')),
    emit: (line) => lines.write(withBar(line)),
    signal: exchange.signal,
  });
  lines.end();
}

/** Docker's daemons draw the bar too, as wide as can be. */
function withBar(line: ProgressLine): ProgressLine {
  const progress = line.progressDetail && drawBar(line.progressDetail, Number.POSITIVE_INFINITY);
  return progress ? { ...line, progress } : line;
}

async function search(registry: RegistryBackend, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const rows = await registry.search({
    term: query.text('term'),
    limit: query.integer('limit') ?? 25,
    filters: readFilters(query, ['is-automated', 'is-official', 'stars']),
    auth: readRegistryAuth(exchange.header('x-registry-auth')),
    signal,
  });
  exchange.answer(200, rows);
}
