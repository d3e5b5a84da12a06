import { cancelled, Failure } from '../../../lib/error.ts';
import type { ValueOf } from '../../../lib/protobuf.ts';
import type { CallOptions } from '../../backend/call.ts';
import { type GrpcCall, onlyMessage } from '../grpc/server.ts';
import { type SolveRequest, type solveResponse, statusRequest, type TransferEntry } from '../shapes/control.ts';
import { type Exporter, refuseExporters } from '../solve/export.ts';
import type { FrontendResult } from '../solve/frontend.ts';
import type { Solver } from '../solve/solver.ts';
import type { OpenBuild, OpenBuilds } from './open-builds.ts';

export interface SolveParts {
  readonly builds: OpenBuilds;
  readonly solver: Solver;
}

/** What a frontend is asked for, by either service. */
export interface FrontendCall extends CallOptions {
  readonly frontend: string;
  readonly attrs: ReadonlyMap<string, string>;
  readonly cacheImports: readonly TransferEntry[];
}

/**
 * Control/Solve: one build from its beginning to its exports. Either it names its frontend, or its client asks for that by
 * LLBBridge while this call is under way, and returns what it got.
 */
export async function solve(
  { builds, solver }: SolveParts,
  request: SolveRequest,
  { signal }: CallOptions,
): Promise<Partial<ValueOf<typeof solveResponse>>> {
  await using build = builds.open(request, signal);
  if (request.definition && request.definition.operations.length > 0) throw noGraphs();
  if (request.sourcePolicy.length > 0)
    throw new Failure('unsupported', 'SOURCE_POLICY', 'source policies are not supported by this host');
  const exporters = exportersOf(request);
  refuseExporters(exporters);
  const { frontend, frontendAttrs, cache } = request;
  const result =
    frontend === ''
      ? await returnedBy(build)
      : await runOwnFrontend(solver, build, {
          frontend,
          attrs: frontendAttrs,
          cacheImports: cache?.imports ?? [],
          signal,
        });
  if (!result) return {};
  const session = await build.session();
  const exporterResponse = await solver.export(result, {
    exporters,
    cacheExports: cache?.exports ?? [],
    session,
    show: (status) => build.feed.show(status),
    signal,
  });
  return { exporterResponse };
}

/** Builds with `dockerfile.v0`. A Dockerfile that names an image of a frontend is built with it all the same. */
export async function runOwnFrontend(
  solver: Solver,
  build: OpenBuild,
  { frontend, attrs, cacheImports, signal }: FrontendCall,
): Promise<FrontendResult> {
  const source = attrs.get('source') ?? '';
  if (frontend !== 'dockerfile.v0' && !(frontend === 'gateway.v0' && isDockerfileFrontend(source)))
    throw new Failure('unsupported', 'FRONTEND', `the frontend ${source || frontend} is not supported by this host`, {
      hint: 'build a Dockerfile',
    });
  const { ref, cache, entitlements } = build.request;
  return await solver.run({
    ref,
    attrs,
    cacheImports,
    cacheExports: cache?.exports ?? [],
    entitlements,
    session: await build.session(),
    show: (status) => build.feed.show(status),
    signal,
  });
}

/** Control/Status: what a build tells, until it ends. */
export async function status({ builds }: SolveParts, call: GrpcCall): Promise<void> {
  const { ref } = statusRequest.decode(await onlyMessage(call));
  const feed = await builds.feedOf(ref, call);
  for await (const message of feed.read(call)) await call.send(message);
}

export function noGraphs(): Failure {
  return new Failure('unsupported', 'BUILD_GRAPH', 'build graphs (LLB) are not supported by this host', {
    hint: 'build a Dockerfile',
  });
}

/** Images of the Dockerfile's own frontend, which this host has built in. */
function isDockerfileFrontend(source: string): boolean {
  return /^(docker\.io\/)?docker\/dockerfile(-upstream)?([:@]|$)/.test(source);
}

async function returnedBy({ returned, signal }: OpenBuild): Promise<FrontendResult | undefined> {
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(cancelled(signal));
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) stop();
    const given = await Promise.race([returned.promise, promise]);
    if (given.kind === 'failed') throw given.failure;
    return given.result;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function exportersOf({ exporters, exporter, exporterAttrs }: SolveRequest): readonly Exporter[] {
  if (exporters.length > 0) return exporters;
  return exporter === '' ? [] : [{ type: exporter, attrs: exporterAttrs }];
}
