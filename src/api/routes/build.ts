import { randomBytes } from 'node:crypto';
import { Failure } from '../../lib/error.ts';
import { parseReference } from '../../oci/reference.ts';
import {
  BUILD_HEADER,
  type BuildOptions,
  type BuildResources,
  CHECK_QUERY,
  EVENTS_QUERY,
  EXPLAIN_QUERY,
  FILES_QUERY,
  INLINE_CACHE_QUERY,
  LINT_QUERY,
  VERIFY_QUERY,
} from '../../wire/build.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import type { BuildBackend, BuildContextSource, BuildRequest } from '../backend/build.ts';
import { list, map, nullable, text } from '../check.ts';
import { authOf, readRegistryConfig } from '../credentials.ts';
import { type BuildStyle, drawBuild } from '../draw/build-lines.ts';
import type { Exchange } from '../exchange.ts';
import { readFilters } from '../filters.ts';
import type { Query } from '../query.ts';
import type { Route } from '../router.ts';
import { readContextOffer, readLent, readNamedContexts } from '../shape/build-input.ts';
import { ulimitList } from '../shape/create-body.ts';
import { type SessionBuildParts, sessionBuild } from './session-build.ts';

const CACHE_FILTERS = [
  ...['until', 'unused-for', 'id', 'type', 'description', 'inuse', 'shared', 'private'],
  ...['label', 'label!'], // `system prune` sends its own to everything
];

export interface BuildParts {
  readonly build: BuildBackend;
  /** Undefined when this host knows no sessions. */
  readonly inSession: SessionBuildParts | undefined;
}

export const buildRoutes: readonly Route<BuildParts>[] = [
  {
    method: 'POST',
    path: '/build',
    handle: (parts, exchange) => {
      const isInSession = exchange.query.text('version') === '2';
      if (isInSession && parts.inSession) return sessionBuild(parts.inSession, exchange);
      return build(parts.build, exchange);
    },
  },
  {
    method: 'POST',
    path: '/build/cancel',
    handle: async ({ inSession }, exchange) => {
      const id = exchange.query.text('id');
      if (id === '') throw new Failure('invalid', 'ID_MISSING', 'build ID not provided');
      await inSession?.running.cancel(id, exchange);
      exchange.empty(200);
    },
  },
  {
    method: 'POST',
    path: '/build/prune',
    since: 31,
    handle: async ({ build: backend }, exchange) => {
      const { query, signal } = exchange;
      const sizes = {
        reservedSpace: query.integer('reserved-space') ?? query.integer('keep-storage') ?? 0,
        maxUsedSpace: query.integer('max-used-space') ?? 0,
        minFreeSpace: query.integer('min-free-space') ?? 0,
      };
      const filters = readFilters(query, CACHE_FILTERS);
      exchange.answer(200, await backend.pruneCache({ all: query.flag('all'), filters, ...sizes, signal }));
    },
  },
];

async function build(backend: BuildBackend, exchange: Exchange): Promise<void> {
  const options = readBuildOptions(exchange.query);
  const context = readContext(exchange, options);
  const style: BuildStyle = exchange.query.flag(EVENTS_QUERY) ? 'events' : options.quiet ? 'quiet' : 'classic';
  const lines = exchange.lines<ProgressLine>();
  const drawing = drawBuild(style, (line) => lines.write(line));
  const id = randomBytes(6).toString('hex');
  exchange.response.setHeader(BUILD_HEADER, id);
  const request: BuildRequest = {
    id,
    options,
    context,
    ...readNamed(exchange),
    lent: readLent(exchange),
    registryAuth: authOf(readRegistryConfig(exchange.header('x-registry-config'))),
    emit: (event) => drawing.show(event),
    signal: exchange.signal,
  };
  try {
    if (exchange.query.flag(CHECK_QUERY)) {
      await backend.check(request);
      return lines.end();
    }
    const { image } = await backend.build(request);
    drawing.done(image);
  } catch (error) {
    if (exchange.response.headersSent) drawing.failed();
    throw error;
  }
  lines.end();
}

/** Options of POST /build from its query. */
export function readBuildOptions(query: Query): BuildOptions {
  refuseBuildKit(query);
  const isolation = query.text('isolation');
  if (!['', 'default'].includes(isolation))
    throw new Failure('invalid', 'ISOLATION_INVALID', `unsupported isolation: "${isolation}"`);
  const tags = query.list('t');
  for (const tag of tags) {
    if (parseReference(tag).digest !== undefined)
      throw new Failure('invalid', 'REFERENCE_INVALID', 'build tag cannot contain a digest');
  }
  const forceRemove = query.flag('forcerm');
  const buildArgs = query.json('buildargs', map(nullable(text))) ?? {};
  return {
    dockerfile: query.optional('dockerfile') ?? 'Dockerfile',
    tags,
    remote: query.optional('remote'),
    quiet: query.flag('q'),
    noCache: query.flag('nocache'),
    noCacheFilter: query.list('nocachefilter'),
    cacheFrom: query.json('cachefrom', list(text)) ?? [],
    inlineCache: query.flag(INLINE_CACHE_QUERY) || buildArgs['BUILDKIT_INLINE_CACHE'] === '1',
    pull: query.flag('pull'),
    remove: forceRemove || query.text('rm') === '' || query.flag('rm'),
    forceRemove,
    buildArgs,
    keepImage: !query.flag(FILES_QUERY),
    verify: query.flag(VERIFY_QUERY),
    labels: query.json('labels', map(text)) ?? {},
    target: query.optional('target'),
    platform: query.optional('platform'),
    networkMode: query.optional('networkmode'),
    extraHosts: query.list('extrahosts'),
    squash: query.flag('squash'),
    lint: query.flag(LINT_QUERY),
    allow: readAllowed(query.list('allow')),
    resources: readResources(query),
    explain: query.flag(EXPLAIN_QUERY),
  };
}

function readAllowed(names: readonly string[]): readonly string[] {
  const unknown = names.find((name) => name !== 'security.insecure' && name !== 'network.host');
  if (unknown === undefined) return names;
  throw new Failure('invalid', 'ENTITLEMENT_UNKNOWN', `invalid entitlement "${unknown}"`, {
    hint: 'security.insecure or network.host',
  });
}

function readResources(query: Query): BuildResources {
  return {
    memory: query.integer('memory') ?? 0,
    memorySwap: query.integer('memswap') ?? 0,
    cpuShares: query.integer('cpushares') ?? 0,
    cpuPeriod: query.integer('cpuperiod') ?? 0,
    cpuQuota: query.integer('cpuquota') ?? 0,
    cpusetCpus: query.text('cpusetcpus'),
    cpusetMems: query.text('cpusetmems'),
    shmSize: query.integer('shmsize') ?? 0,
    ulimits: query.json('ulimits', ulimitList) ?? [],
    cgroupParent: query.text('cgroupparent'),
  };
}

function refuseBuildKit(query: Query): void {
  if (query.text('version') !== '2' && query.text('session') === '') return;
  throw new Failure(
    'unsupported',
    'BUILDKIT',
    'building with BuildKit is not supported by this host: set DOCKER_BUILDKIT=0',
  );
}

function readContext(exchange: Exchange, options: BuildOptions): BuildContextSource {
  if (options.remote !== undefined) return { kind: 'remote', url: options.remote };
  if (readNamedContexts(exchange).packed) return { kind: 'packed', folder: '0' };
  const offer = readContextOffer(exchange);
  if (!offer) return { kind: 'tar', body: exchange.body() };
  const hasBody =
    exchange.header('transfer-encoding') !== undefined || Number(exchange.header('content-length') ?? 0) > 0;
  return { kind: 'offer', offer, dockerfile: hasBody ? exchange.body() : undefined };
}

function readNamed(exchange: Exchange): Pick<BuildRequest, 'named' | 'packed'> {
  const { named, packed } = readNamedContexts(exchange);
  return { named: new Map(Object.entries(named)), packed: packed ? exchange.body() : undefined };
}
