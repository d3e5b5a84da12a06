import { parsePlatform } from '../../oci/platform.ts';
import type { Filters } from '../../wire/filters.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import type { ImageBackend } from '../backend/images.ts';
import type { Exchange } from '../exchange.ts';
import { flagFilter, readFilters } from '../filters.ts';
import { optionalTarget, targetReference } from '../reference.ts';
import type { Route } from '../router.ts';
import { readArchiveSource } from '../shape/file-offer.ts';
import { shapeImageInspect, shapeImageSummary } from '../shape/image.ts';

const LIST_FILTERS = ['dangling', 'label', 'label!', 'before', 'since', 'until', 'reference'];
const PRUNE_FILTERS = ['dangling', 'label', 'label!', 'until'];

export const imageRoutes: readonly Route<ImageBackend>[] = [
  { method: 'GET', path: '/images/json', handle: list },
  {
    method: 'GET',
    path: '/images/{name*}/json',
    handle: async (images, exchange) => {
      const image = await images.inspect(exchange.param('name'), exchange);
      // docker-compose 1 speaks the newest version that it is offered and reads what 1.45 took away.
      const isOldCompose = exchange.header('user-agent')?.startsWith('docker-compose/1.') ?? false;
      exchange.answer(200, shapeImageInspect(image, isOldCompose ? Math.min(exchange.version, 44) : exchange.version));
    },
  },
  {
    method: 'GET',
    path: '/images/{name*}/history',
    handle: async (images, exchange) => exchange.answer(200, await images.history(exchange.param('name'), exchange)),
  },
  {
    method: 'POST',
    path: '/images/{name*}/tag',
    handle: async (images, exchange) => {
      const target = targetReference(exchange.query.text('repo'), exchange.query.text('tag'));
      await images.tag(exchange.param('name'), target, exchange);
      exchange.empty(201);
    },
  },
  {
    method: 'POST',
    path: '/images/prune',
    since: 25,
    handle: async (images, exchange) => {
      const filters = readFilters(exchange.query, PRUNE_FILTERS);
      flagFilter(filters, 'dangling');
      exchange.answer(200, await images.prune({ filters, signal: exchange.signal }));
    },
  },
  {
    method: 'DELETE',
    path: '/images/{name*}',
    handle: async (images, exchange) => {
      const { query, signal } = exchange;
      const options = { force: query.flag('force'), prune: !query.flag('noprune'), signal };
      exchange.answer(200, await images.remove(exchange.param('name'), options));
    },
  },
];

async function list(images: ImageBackend, exchange: Exchange): Promise<void> {
  const { query, signal, version } = exchange;
  const filters = withNameFilter(readFilters(query, LIST_FILTERS), query.optional('filter'));
  flagFilter(filters, 'dangling');
  const rows = await images.list({
    all: query.flag('all'),
    filters,
    sharedSize: query.flag('shared-size'),
    manifests: version >= 47 && query.flag('manifests'),
    signal,
  });
  exchange.answer(
    200,
    rows.map((row) => shapeImageSummary(row, version)),
  );
}

/** Clients before API 1.28 name the image they want in a parameter of its own. */
function withNameFilter(filters: Filters, name: string | undefined): Filters {
  return name === undefined ? filters : { ...filters, reference: [...(filters['reference'] ?? []), name] };
}

/** POST /images/create with `fromSrc`. */
export async function importImage(images: ImageBackend, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const source = query.text('fromSrc');
  const platform = query.optional('platform');
  const lines = exchange.lines<ProgressLine>();
  const { image } = await images.importTar({
    source: source === '-' ? readArchiveSource(exchange) : { kind: 'url', url: source },
    target: optionalTarget(query.text('repo'), query.text('tag')),
    message: query.text('message'),
    changes: query.list('changes'),
    platform: platform === undefined ? undefined : parsePlatform(platform),
    emit: (line) => lines.write(line),
    signal,
  });
  await lines.write({ status: image });
  lines.end();
}
