import type { BuildHistoryBackend } from '../backend/build.ts';
import { flag, integer, list, object, text } from '../check.ts';
import type { Route } from '../router.ts';

/** In all of them `build` is the ID of a build or a beginning of it, or an image; without it the last build. */
export const buildHistoryRoutes: readonly Route<BuildHistoryBackend>[] = [
  {
    method: 'GET',
    path: '/strake/builds',
    handle: async (backend, exchange) => exchange.answer(200, await backend.list()),
  },
  {
    method: 'GET',
    path: '/strake/builds/explain',
    handle: async (backend, exchange) =>
      exchange.answer(200, await backend.explain(exchange.query.text('build'), { signal: exchange.signal })),
  },
  {
    method: 'POST',
    path: '/strake/builds/debug',
    handle: async (backend, exchange) => {
      const { query, signal } = exchange;
      const request = (await exchange.json(debugRequest)) ?? {};
      exchange.answer(201, await backend.debug(query.text('build'), request, { signal }));
    },
  },
];

const debugRequest = object({ Step: integer, Before: flag, Retry: flag, Cmd: list(text), Tty: flag });
