import type { BuildHistoryBackend } from '../backend.ts';
import type { Route } from '../router.ts';

export const buildHistoryRoutes: readonly Route<BuildHistoryBackend>[] = [
  {
    method: 'GET',
    path: '/strake/builds',
    handle: async (backend, exchange) => exchange.answer(200, await backend.list()),
  },
  {
    // `build` is the ID of a build or a beginning of it, or an image; without it the last build.
    method: 'GET',
    path: '/strake/builds/explain',
    handle: async (backend, exchange) =>
      exchange.answer(200, await backend.explain(exchange.query.text('build'), { signal: exchange.signal })),
  },
];
