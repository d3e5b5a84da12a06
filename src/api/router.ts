import { Failure } from '../lib/error.ts';
import type { Exchange } from './exchange.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';

/** One route over the part of the host that it needs. */
export interface Route<Backend> {
  readonly method: Method;
  /** `{name}` is one segment, `{name*}` as many as possible: image names hold slashes. */
  readonly path: string;
  /** First API version 1.NN that has it. */
  readonly since?: number;
  /** Whether a client may ask for an upgrade to raw bytes. */
  readonly hijack?: true;
  readonly handle: (backend: Backend, exchange: Exchange) => Promise<void> | void;
}

export interface BoundRoute {
  readonly method: Method;
  readonly pattern: RegExp;
  readonly names: readonly string[];
  readonly since: number;
  readonly hijack: boolean;
  readonly handle: (exchange: Exchange) => Promise<void> | void;
}

/** Joins routes to their backend. Without one they are there and say that `capability` is not supported. */
export function bindRoutes<Backend>(
  backend: Backend | undefined,
  capability: string,
  routes: readonly Route<Backend>[],
): BoundRoute[] {
  return routes.map((route) => ({
    method: route.method,
    ...compile(route.path),
    since: route.since ?? 0,
    hijack: route.hijack ?? false,
    handle: (exchange) => {
      // Clients that try several kinds of object in turn go on when they read "not supported".
      if (!backend) throw new Failure('unsupported', 'NOT_SUPPORTED', `${capability} is not supported by this host`);
      return route.handle(backend, exchange);
    },
  }));
}

export interface FoundRoute {
  readonly route: BoundRoute;
  readonly params: Readonly<Record<string, string>>;
}

/** The first route that matches; `path` is still percent-encoded and has no version. */
export function findRoute(
  routes: readonly BoundRoute[],
  request: { method: string | undefined; path: string; version: number },
): FoundRoute {
  for (const route of routes) {
    if (route.method !== request.method || route.since > request.version) continue;
    const match = route.pattern.exec(request.path);
    if (!match) continue;
    const params = route.names.map((name, index) => [name, decode(match[index + 1] ?? '')]);
    return { route, params: Object.fromEntries(params) };
  }
  throw new Failure('not-found', 'NO_ROUTE', 'page not found');
}

function compile(path: string): { pattern: RegExp; names: string[] } {
  const names: string[] = [];
  const source = path.replace(/\{(\w+)(\*?)\}/g, (_, name: string, many: string) => {
    names.push(name);
    return many ? '(.+)' : '([^/]+)';
  });
  return { pattern: new RegExp(`^${source}$`), names };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Failure('invalid', 'PATH_INVALID', `invalid percent-encoding in "${text}"`);
  }
}
