/** POST /build?version=2: builds of docker 20.10 with DOCKER_BUILDKIT=1, whose folders are those of a session. */
import type { Readable } from 'node:stream';
import { Failure } from '../../lib/error.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import type { ClientSession, Sessions } from '../buildkit/session/sessions.ts';
import { statusResponse } from '../buildkit/shapes/status.ts';
import { type Exporter, refuseExporters } from '../buildkit/solve/export.ts';
import type { RunningBuild, RunningBuilds } from '../buildkit/solve/running-builds.ts';
import type { Solver } from '../buildkit/solve/solver.ts';
import type { Show } from '../buildkit/trace/vertexes.ts';
import { list, map, nullable, object, text } from '../check.ts';
import type { Exchange } from '../exchange.ts';
import type { Query } from '../query.ts';
import { ulimitList } from '../shape/create-body.ts';

export interface SessionBuildParts {
  readonly sessions: Sessions;
  readonly solver: Solver;
  readonly running: RunningBuilds;
}

/** What another request brings is named so, in place of a URL and before a build's ID. */
const UPLOAD = 'upload-request';

/** Builds, or takes the tar that a build waits for. */
export async function sessionBuild(parts: SessionBuildParts, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const id = query.text('buildid');
  if (id.startsWith(`${UPLOAD}:`)) {
    await parts.running.upload(id.slice(UPLOAD.length + 1), exchange.body(), exchange);
    return exchange.empty(200);
  }
  using build = parts.running.begin(id);
  const signal = AbortSignal.any([exchange.signal, build.signal]);
  const session = await parts.sessions.find(query.text('session'), { signal });
  try {
    await buildWith(session, parts.solver, exchange, { build, signal });
  } catch (error) {
    session.grpc.close(); // a client that hears of a failure while it opens its session serves it for ever
    throw error;
  }
}

async function buildWith(
  session: ClientSession,
  solver: Solver,
  exchange: Exchange,
  { build, signal }: { readonly build: RunningBuild; readonly signal: AbortSignal },
): Promise<void> {
  const { query } = exchange;
  const exporters = exportersOf(query);
  refuseExporters(exporters);
  const attrs = attributesOf(query);
  const lines = exchange.lines<ProgressLine>();
  const isQuiet = query.flag('q');
  const show: Show = isQuiet
    ? async () => {}
    : (status) => lines.write({ id: 'moby.buildkit.trace', aux: statusResponse.encode(status).toString('base64') });
  const uploaded = await tarOf(exchange, build, signal);
  const result = await solver.run({
    ref: query.text('buildid'),
    attrs,
    ...(uploaded ? { context: uploaded } : {}),
    cacheImports: [],
    cacheExports: [],
    entitlements: query.text('networkmode') === 'host' ? ['network.host'] : [],
    session,
    show,
    signal,
  });
  const told = await solver.export(result, { exporters, cacheExports: [], session, show, signal });
  const image = told.get('containerimage.config.digest');
  if (image !== undefined)
    await lines.write(isQuiet ? { stream: `${image}\n` } : { id: 'moby.image.id', aux: { ID: image } });
  lines.end();
}

/** The context, when it is no folder of the session: what another request brings, or this one's own body. */
async function tarOf(exchange: Exchange, build: RunningBuild, signal: AbortSignal): Promise<Readable | undefined> {
  const remote = exchange.query.text('remote');
  if (remote === UPLOAD) return await build.uploaded(signal);
  return remote === '' ? exchange.body() : undefined;
}

/** The query as attributes of the Dockerfile frontend. */
function attributesOf(query: Query): ReadonlyMap<string, string> {
  const attrs = new Map<string, string>();
  const give = (name: string, value: string | number | undefined) => {
    if (value !== undefined && value !== '' && value !== 0) attrs.set(name, String(value));
  };
  give('target', query.text('target'));
  give('filename', query.text('dockerfile'));
  const remote = query.text('remote');
  if (remote !== 'client-session' && remote !== UPLOAD) give('context', remote);
  give('cache-from', (query.json('cachefrom', list(text)) ?? []).join(','));
  for (const [name, value] of Object.entries(query.json('buildargs', map(nullable(text))) ?? {}))
    if (value !== null) attrs.set(`build-arg:${name}`, value);
  for (const [name, value] of Object.entries(query.json('labels', map(text)) ?? {})) attrs.set(`label:${name}`, value);
  if (query.flag('nocache')) attrs.set('no-cache', '');
  give('image-resolve-mode', query.flag('pull') ? 'pull' : 'default');
  give('platform', query.text('platform'));
  give('force-network-mode', query.text('networkmode'));
  give(
    'add-hosts',
    query
      .list('extrahosts')
      .map((entry) => entry.replace(':', '='))
      .join(','),
  );
  give('shm-size', query.integer('shmsize'));
  const ulimits = query.json('ulimits', ulimitList) ?? [];
  give('ulimit', ulimits.map(({ Name, Soft, Hard }) => `${Name}=${Soft}:${Hard}`).join(','));
  give('cgroup-parent', query.text('cgroupparent'));
  for (const name of ['memory', 'memswap', 'cpushares', 'cpuperiod', 'cpuquota']) give(name, query.integer(name));
  for (const name of ['cpusetcpus', 'cpusetmems']) give(name, query.text(name));
  return attrs;
}

function exportersOf(query: Query): Exporter[] {
  const outputs = query.json('outputs', list(object({ Type: text, Attrs: map(text) }))) ?? [];
  const [output, second] = outputs;
  if (second) throw new Failure('unsupported', 'OUTPUTS', 'multiple outputs not supported');
  const type = output?.Type ?? 'moby';
  if (type === 'cacheonly') return [];
  const attrs = new Map(Object.entries(output?.Attrs ?? {}));
  const names = query.list('t');
  if ((type === 'moby' || type === 'image') && names.length > 0) attrs.set('name', names.join(','));
  return [{ type, attrs }];
}
