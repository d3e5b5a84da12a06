import { bool, integer, message } from '../../../lib/protobuf.ts';
import type { Backends } from '../../backend.ts';
import { type GrpcHandler, unary } from '../grpc/server.ts';
import type { Sessions } from '../session/sessions.ts';
import {
  diskUsageRequest,
  diskUsageResponse,
  infoResponse,
  listWorkersResponse,
  nothing,
  solveRequest,
  solveResponse,
} from '../shapes/control.ts';
import { bridgeSolveRequest, bridgeSolveResponse, evaluateRequest, pongResponse, returnRequest } from '../shapes/gateway.ts';
import { bridgeSolve, buildOf, evaluate, giveBack, pong } from './bridge.ts';
import { type CacheParts, cacheRecords, pruneCache } from './cache.ts';
import { OpenBuilds } from './open-builds.ts';
import { type Solver, solve, status } from './solve.ts';
import { type WorkerParts, worker, workerVersion } from './worker.ts';

export interface ServiceParts extends WorkerParts, CacheParts {
  readonly sessions: Sessions;
  readonly solver: Solver;
}

/** https://github.com/grpc/grpc/blob/master/doc/health-checking.md */
const health = message({ status: integer(1) });
const SERVING = 1;

/** What BuildKit's clients call on the connection of POST /grpc, by method. */
export function services(parts: ServiceParts): ReadonlyMap<string, GrpcHandler> {
  const builds = new OpenBuilds(parts.sessions);
  const solving = { builds, solver: parts.solver };
  const control: Readonly<Record<string, GrpcHandler>> = {
    ListWorkers: unary(nothing, listWorkersResponse, async (_, { signal }) => ({ records: [await worker(parts, signal)] })),
    Info: unary(nothing, infoResponse, async () => ({ buildKitVersion: await workerVersion(parts) })),
    DiskUsage: unary(diskUsageRequest, diskUsageResponse, async (request, { signal }) => ({
      records: await cacheRecords(parts, request, signal),
    })),
    Prune: (call) => pruneCache(parts, call),
    Solve: unary(solveRequest, solveResponse, (request, call) => solve(solving, request, call)),
    Status: (call) => status(solving, call),
  };
  const bridge: Readonly<Record<string, GrpcHandler>> = {
    Ping: unary(nothing, pongResponse, async (_, call) => {
      await buildOf(builds, call);
      return pong(parts, call.signal);
    }),
    Solve: unary(bridgeSolveRequest, bridgeSolveResponse, async (request, call) =>
      bridgeSolve(solving, await buildOf(builds, call), request, call),
    ),
    Evaluate: unary(evaluateRequest, nothing, async (request, call) => evaluate(await buildOf(builds, call), request)),
    Return: unary(returnRequest, nothing, async (request, call) => giveBack(await buildOf(builds, call), request)),
  };
  return new Map([
    ...Object.entries(control).map(([name, handler]) => [`moby.buildkit.v1.Control/${name}`, handler] as const),
    ...Object.entries(bridge).map(([name, handler]) => [`moby.buildkit.v1.frontend.LLBBridge/${name}`, handler] as const),
    ['grpc.health.v1.Health/Check', unary(nothing, health, () => ({ status: SERVING }))] as const,
  ]);
}
