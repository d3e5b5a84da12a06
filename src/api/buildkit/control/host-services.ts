import { integer, message } from '../../../lib/protobuf.ts';
import { type GrpcHandler, unary } from '../grpc/server.ts';
import { diskUsageRequest, diskUsageResponse, infoResponse, listWorkersResponse, nothing } from '../shapes/control.ts';
import { type CacheParts, cacheRecords, pruneCache } from './cache.ts';
import { type WorkerParts, workerVersion, workerWithGateway } from './worker.ts';

/** https://github.com/grpc/grpc/blob/master/doc/health-checking.md */
const health = message({ status: integer(1) });
const SERVING = 1;

/** What BuildKit's clients ask of the host itself: `moby.buildkit.v1.Control` without its builds. */
export function hostServices(parts: WorkerParts & CacheParts): ReadonlyMap<string, GrpcHandler> {
  const control: Readonly<Record<string, GrpcHandler>> = {
    ListWorkers: unary(nothing, listWorkersResponse, async (_, call) => ({
      records: [await workerWithGateway(parts, call)],
    })),
    Info: unary(nothing, infoResponse, async () => ({ buildKitVersion: await workerVersion(parts) })),
    DiskUsage: unary(diskUsageRequest, diskUsageResponse, async (request, { signal }) => ({
      records: await cacheRecords(parts, request, signal),
    })),
    Prune: (call) => pruneCache(parts, call),
  };
  return new Map([
    ...Object.entries(control).map(([name, handler]) => [`moby.buildkit.v1.Control/${name}`, handler] as const),
    ['grpc.health.v1.Health/Check', unary(nothing, health, () => ({ status: SERVING }))] as const,
  ]);
}
