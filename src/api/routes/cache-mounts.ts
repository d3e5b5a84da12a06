import type { CacheMountBackend } from '../backend/build.ts';
import type { Route } from '../router.ts';

/** `name` is what a Dockerfile calls a cache mount, which may hold slashes, or its ID. */
export const cacheMountRoutes: readonly Route<CacheMountBackend>[] = [
  {
    method: 'GET',
    path: '/strake/cache',
    handle: async (backend, exchange) => exchange.answer(200, await backend.list(exchange)),
  },
  {
    method: 'GET',
    path: '/strake/cache/inspect',
    handle: async (backend, exchange) =>
      exchange.answer(200, await backend.inspect(exchange.query.text('name'), exchange)),
  },
  {
    method: 'DELETE',
    path: '/strake/cache',
    handle: async (backend, exchange) => {
      await backend.remove(exchange.query.text('name'));
      exchange.empty(204);
    },
  },
  {
    method: 'GET',
    path: '/strake/cache/tar',
    handle: async (backend, exchange) =>
      exchange.send(await backend.export(exchange.query.text('name'), exchange), 'application/x-tar'),
  },
  {
    method: 'PUT',
    path: '/strake/cache/tar',
    handle: async (backend, exchange) =>
      exchange.answer(200, await backend.import(exchange.query.text('name'), exchange.body(), exchange)),
  },
];
