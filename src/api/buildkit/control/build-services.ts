import { type GrpcHandler, unary } from '../grpc/server.ts';
import type { Sessions } from '../session/sessions.ts';
import { nothing, solveRequest, solveResponse } from '../shapes/control.ts';
import {
  bridgeSolveRequest,
  bridgeSolveResponse,
  evaluateRequest,
  pongResponse,
  returnRequest,
} from '../shapes/gateway.ts';
import type { Solver } from '../solve/solver.ts';
import { buildFailure } from '../trace/build-failure.ts';
import { bridgeSolve, buildOf, evaluate, giveBack, pong } from './bridge.ts';
import { OpenBuilds } from './open-builds.ts';
import { solve, status } from './solve.ts';
import type { WorkerParts } from './worker.ts';

export interface BuildServiceParts extends WorkerParts {
  readonly sessions: Sessions;
  readonly solver: Solver;
}

/** Builds of BuildKit's clients: `moby.buildkit.v1.Control` as far as it builds, and `moby.buildkit.v1.frontend.LLBBridge`. */
export function buildServices(parts: BuildServiceParts): ReadonlyMap<string, GrpcHandler> {
  const builds = new OpenBuilds(parts.sessions);
  const solving = { builds, solver: parts.solver };
  const control: Readonly<Record<string, GrpcHandler>> = {
    Solve: building(unary(solveRequest, solveResponse, (request, call) => solve(solving, request, call))),
    Status: (call) => status(solving, call),
  };
  const bridge: Readonly<Record<string, GrpcHandler>> = {
    Ping: unary(nothing, pongResponse, async (_, call) => {
      await buildOf(builds, call);
      return pong(parts);
    }),
    Solve: building(
      unary(bridgeSolveRequest, bridgeSolveResponse, async (request, call) =>
        bridgeSolve(solving, await buildOf(builds, call), request, call),
      ),
    ),
    Evaluate: unary(evaluateRequest, nothing, async (request, call) => evaluate(await buildOf(builds, call), request)),
    Return: unary(returnRequest, nothing, async (request, call) => giveBack(await buildOf(builds, call), request)),
  };
  return new Map([
    ...Object.entries(control).map(([name, handler]) => [`moby.buildkit.v1.Control/${name}`, handler] as const),
    ...Object.entries(bridge).map(
      ([name, handler]) => [`moby.buildkit.v1.frontend.LLBBridge/${name}`, handler] as const,
    ),
  ]);
}

/** What a build ends with is told as BuildKit does. */
function building(handler: GrpcHandler): GrpcHandler {
  return async (call) => {
    try {
      await handler(call);
    } catch (error) {
      throw buildFailure(error);
    }
  };
}
