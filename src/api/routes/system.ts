import { Failure } from '../../lib/error.ts';
import type { DiskUsagePart } from '../../wire/disk-usage.ts';
import type { SystemInfo, VersionInfo } from '../../wire/system.ts';
import type { DiskUsageBackend, HostVersion, SystemBackend } from '../backend/system.ts';
import type { Exchange } from '../exchange.ts';
import { readFilters } from '../filters.ts';
import type { Route } from '../router.ts';
import { shapeContainerSummary } from '../shape/container.ts';
import { shapeImageSummary } from '../shape/image.ts';
import { parseTime } from '../time.ts';
import { formatVersion, NEWEST_API, OLDEST_API } from '../version.ts';

const EVENT_FILTERS = [
  'config',
  'container',
  'daemon',
  'event',
  'image',
  'label',
  'network',
  'node',
  'plugin',
  'scope',
  'secret',
  'service',
  'type',
  'volume',
];

export const systemRoutes: readonly Route<SystemBackend>[] = [
  { method: 'HEAD', path: '/_ping', handle: ping },
  { method: 'GET', path: '/_ping', handle: ping },
  {
    method: 'GET',
    path: '/version',
    handle: async (system, exchange) => exchange.answer(200, versionInfo(await system.version())),
  },
  {
    method: 'GET',
    path: '/info',
    handle: async (system, exchange) => exchange.answer(200, shapeInfo(await system.info(), exchange.version)),
  },
  { method: 'GET', path: '/events', handle: events },
];

export const diskUsageRoutes: readonly Route<DiskUsageBackend>[] = [
  { method: 'GET', path: '/system/df', handle: diskUsage },
];

/** `Builder-Version: 1` keeps clients on the classic builder. */
function ping(system: SystemBackend, exchange: Exchange): void {
  exchange.response.writeHead(200, {
    'Builder-Version': '1',
    Swarm: 'inactive',
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': 2,
  });
  exchange.response.end(exchange.request.method === 'HEAD' ? undefined : 'OK');
  system.expectRequest();
}

function versionInfo(host: HostVersion): VersionInfo {
  const api = { ApiVersion: formatVersion(NEWEST_API), MinAPIVersion: formatVersion(OLDEST_API) };
  const { Platform, ...rest } = host;
  const details = {
    ...api,
    Arch: host.Arch,
    BuildTime: host.BuildTime,
    Experimental: 'false',
    GitCommit: host.GitCommit,
    GoVersion: host.GoVersion,
    KernelVersion: host.KernelVersion,
    Os: host.Os,
  };
  return { Platform, Components: [{ Name: 'Engine', Version: host.Version, Details: details }], ...rest, ...api };
}

/** Before 1.25 the security options were names alone. */
function shapeInfo(info: SystemInfo, version: number): SystemInfo {
  if (version >= 25) return info;
  return { ...info, SecurityOptions: info.SecurityOptions.map((text) => text.replace(/^name=([^,]*).*$/, '$1')) };
}

async function events(system: SystemBackend, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const now = Date.now();
  const since = query.text('since') === '0' ? 0 : parseTime(query.text('since'), now); // all that is remembered
  const until = parseTime(query.text('until'), now);
  if (since !== undefined && until !== undefined && since > until)
    throw new Failure(
      'invalid',
      'TIME_INVALID',
      `\`since\` time (${Math.floor(since / 1000)}) cannot be after \`until\` time (${Math.floor(until / 1000)})`,
    );
  const filters = readFilters(query, EVENT_FILTERS);
  const lines = exchange.lines('\n');
  lines.open();
  for await (const event of system.events({ filters, since, until, signal })) await lines.write(event);
  lines.end();
}

async function diskUsage(backend: DiskUsageBackend, exchange: Exchange): Promise<void> {
  const all: readonly DiskUsagePart[] = ['image', 'container', 'volume', 'build-cache'];
  const asked = exchange.version >= 42 ? exchange.query.list('type') : [];
  for (const part of asked) {
    if (!all.some((known) => known === part))
      throw new Failure('invalid', 'PART_INVALID', `unknown object type: ${part}`);
  }
  const parts = new Set(asked.length === 0 ? all : all.filter((part) => asked.includes(part)));
  const usage = await backend.diskUsage({ parts, signal: exchange.signal });
  // Unlike the list of images, this answer has always counted their containers.
  const images = usage.Images?.map((image) => ({
    ...shapeImageSummary(image, exchange.version),
    Containers: image.Containers,
  }));
  const containers = usage.Containers?.map((row) => shapeContainerSummary(row, exchange.version));
  exchange.answer(200, { ...usage, ...(images && { Images: images }), ...(containers && { Containers: containers }) });
}
