import { Failure } from '../../lib/error.ts';
import type { InsightBackend, RewriteRequest } from '../backend.ts';
import type { Exchange } from '../exchange.ts';
import { optionalTarget } from '../reference.ts';
import type { Route } from '../router.ts';

const JSON_TYPE = 'application/json';

export const insightRoutes: readonly Route<InsightBackend>[] = [
  {
    method: 'GET',
    path: '/strake/images/tree',
    handle: async (insight, exchange) => exchange.answer(200, await insight.tree()),
  },
  {
    method: 'GET',
    path: '/strake/images/find',
    handle: async (insight, exchange) => {
      const found = await insight.find(exchange.query.list('image'), required(exchange, 'pattern'), exchange);
      await exchange.send(found, JSON_TYPE);
    },
  },
  {
    method: 'GET',
    path: '/strake/images/{name*}/files',
    handle: async (insight, exchange) =>
      exchange.send(await insight.files(exchange.param('name'), required(exchange, 'path'), exchange), JSON_TYPE),
  },
  {
    method: 'GET',
    path: '/strake/images/{name*}/file',
    handle: async (insight, exchange) => {
      const bytes = await insight.read(exchange.param('name'), required(exchange, 'path'), exchange);
      await exchange.send(bytes, 'application/octet-stream');
    },
  },
  {
    method: 'GET',
    path: '/strake/images/{name*}/diff',
    handle: async (insight, exchange) =>
      exchange.send(await insight.diff(exchange.param('name'), required(exchange, 'with'), exchange), JSON_TYPE),
  },
  {
    method: 'GET',
    path: '/strake/images/{name*}/blame',
    handle: async (insight, exchange) =>
      exchange.send(await insight.blame(exchange.param('name'), required(exchange, 'path'), exchange), JSON_TYPE),
  },
  {
    method: 'GET',
    path: '/strake/images/{name*}/waste',
    handle: async (insight, exchange) =>
      exchange.send(await insight.waste(exchange.param('name'), exchange), JSON_TYPE),
  },
  {
    method: 'POST',
    path: '/strake/images/{name*}/flatten',
    handle: async (insight, exchange) =>
      exchange.answer(201, await insight.flatten(exchange.param('name'), rewriteRequest(exchange))),
  },
  {
    method: 'POST',
    path: '/strake/images/{name*}/squash',
    handle: async (insight, exchange) => {
      const from = exchange.query.integer('from');
      if (from === undefined) throw missing('from');
      exchange.answer(201, await insight.squash(exchange.param('name'), { ...rewriteRequest(exchange), from }));
    },
  },
  {
    method: 'POST',
    path: '/strake/images/{name*}/rebase',
    handle: async (insight, exchange) => {
      const bases = { onto: required(exchange, 'onto'), base: exchange.query.optional('from') };
      exchange.answer(201, await insight.rebase(exchange.param('name'), { ...rewriteRequest(exchange), ...bases }));
    },
  },
];

function rewriteRequest({ query, signal }: Exchange): RewriteRequest & { readonly signal: AbortSignal } {
  return { target: optionalTarget(query.text('repo'), query.text('tag')), signal };
}

function required({ query }: Exchange, name: string): string {
  const value = query.optional(name);
  if (value === undefined) throw missing(name);
  return value;
}

function missing(name: string): Failure {
  return new Failure('invalid', 'QUERY_MISSING', `the parameter "${name}" is missing`);
}
