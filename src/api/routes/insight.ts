import type { Readable } from 'node:stream';
import { Failure } from '../../lib/error.ts';
import { decodeName } from '../../tar/names.ts';
import type { InsightBackend, RewriteRequest } from '../backend/images.ts';
import type { Exchange } from '../exchange.ts';
import { optionalTarget } from '../reference.ts';
import type { Route } from '../router.ts';

export const insightRoutes: readonly Route<InsightBackend>[] = [
  {
    method: 'GET',
    path: '/strake/images/tree',
    handle: async (insight, exchange) => exchange.answer(200, await insight.tree()),
  },
  streamed('find', (insight, exchange) =>
    insight.find(exchange.query.list('image'), required(exchange, 'pattern'), exchange),
  ),
  streamed('{name*}/files', (insight, exchange) => insight.files(exchange.param('name'), pathIn(exchange), exchange)),
  streamed(
    '{name*}/file',
    (insight, exchange) => insight.read(exchange.param('name'), pathIn(exchange), exchange),
    'application/octet-stream',
  ),
  streamed('{name*}/diff', (insight, exchange) =>
    insight.diff(exchange.param('name'), required(exchange, 'with'), exchange),
  ),
  streamed('{name*}/blame', (insight, exchange) => insight.blame(exchange.param('name'), pathIn(exchange), exchange)),
  {
    method: 'GET',
    path: '/strake/images/{name*}/layers',
    handle: async (insight, exchange) => exchange.answer(200, await insight.layers(exchange.param('name'))),
  },
  streamed('{name*}/changes', (insight, exchange) => {
    const step = exchange.query.integer('step');
    if (step === undefined) throw missing('step');
    return insight.changes(exchange.param('name'), step, pathIn(exchange), exchange);
  }),
  streamed('{name*}/waste', (insight, exchange) => insight.waste(exchange.param('name'), exchange)),
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

/** A question that is answered with a stream. */
function streamed(
  path: string,
  ask: (insight: InsightBackend, exchange: Exchange) => Promise<Readable>,
  contentType = 'application/json',
): Route<InsightBackend> {
  return {
    method: 'GET',
    path: `/strake/images/${path}`,
    handle: async (insight, exchange) => exchange.send(await ask(insight, exchange), contentType),
  };
}

function rewriteRequest({ query, signal }: Exchange): RewriteRequest & { readonly signal: AbortSignal } {
  return { target: optionalTarget(query.text('repo'), query.text('tag')), signal };
}

/** A path inside an image, whose names are bytes. */
function pathIn({ query }: Exchange): string {
  const bytes = query.bytes('path');
  if (!bytes || bytes.length === 0) throw missing('path');
  return decodeName(bytes);
}

function required({ query }: Exchange, name: string): string {
  const value = query.optional(name);
  if (value === undefined) throw missing(name);
  return value;
}

function missing(name: string): Failure {
  return new Failure('invalid', 'QUERY_MISSING', `the parameter "${name}" is missing`);
}
