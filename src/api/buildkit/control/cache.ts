import { Failure } from '../../../lib/error.ts';
import type { ValueOf } from '../../../lib/protobuf.ts';
import type { CacheRecord } from '../../../wire/disk-usage.ts';
import type { BuildBackend } from '../../backend/build.ts';
import type { DiskUsageBackend } from '../../backend/system.ts';
import { type GrpcCall, onlyMessage } from '../grpc/server.ts';
import { type diskUsageRequest, pruneRequest, type UsageRecord, usageRecord } from '../shapes/control.ts';
import { timestampOf } from '../trace/vertexes.ts';
import { cacheTest, isMutable } from './cache-filter.ts';

export interface CacheParts {
  readonly build: BuildBackend;
  readonly diskUsage?: DiskUsageBackend | undefined;
}

const NANOSECONDS = 1e6; // in a millisecond

/** The build cache's records, those that were not used for `ageLimit` nanoseconds alone. */
export async function cacheRecords(
  parts: CacheParts,
  { filters, ageLimit }: ValueOf<typeof diskUsageRequest>,
  signal: AbortSignal,
): Promise<UsageRecord[]> {
  const test = cacheTest(filters);
  const before = Date.now() - ageLimit / NANOSECONDS;
  const records = await allRecords(parts, signal);
  return records
    .filter((record) => test(record) && (ageLimit === 0 || Date.parse(record.LastUsedAt ?? record.CreatedAt) < before))
    .map((record) => usageOf(record));
}

/** Control/Prune: answers with a message for each record that is given up. */
export async function pruneCache(parts: CacheParts, call: GrpcCall): Promise<void> {
  const request = pruneRequest.decode(await onlyMessage(call));
  const test = cacheTest(request.filters);
  const known = new Map((await allRecords(parts, call.signal)).map((record) => [record.ID, record]));
  const isFiltered = request.filters.some((filter) => filter !== '');
  const id = [...known.values()].filter((record) => isFiltered && test(record)).map(({ ID }) => ID);
  if (isFiltered && id.length === 0) return;
  const until = request.keepDuration > 0 ? [String((Date.now() - request.keepDuration / NANOSECONDS) / 1000)] : [];
  const { CachesDeleted } = await parts.build.pruneCache({
    all: request.all,
    filters: { ...(isFiltered ? { id } : {}), ...(until.length > 0 ? { until } : {}) },
    reservedSpace: request.reservedSpace,
    maxUsedSpace: request.maxUsedSpace,
    minFreeSpace: request.minFreeSpace,
    signal: call.signal,
  });
  for (const deleted of CachesDeleted ?? []) {
    const record = known.get(deleted);
    if (record) await call.send(usageRecord.encode(usageOf(record)));
  }
}

async function allRecords({ diskUsage }: CacheParts, signal: AbortSignal): Promise<readonly CacheRecord[]> {
  if (!diskUsage) throw new Failure('unsupported', 'NOT_SUPPORTED', 'system df is not supported by this host');
  const { BuildCache = [] } = await diskUsage.diskUsage({ parts: new Set(['build-cache']), signal });
  return BuildCache;
}

function usageOf(record: CacheRecord): UsageRecord {
  return {
    id: record.ID,
    mutable: isMutable(record),
    inUse: record.InUse,
    size: record.Size,
    createdAt: timestampOf(Date.parse(record.CreatedAt)),
    lastUsedAt: record.LastUsedAt === null ? undefined : timestampOf(Date.parse(record.LastUsedAt)),
    usageCount: record.UsageCount,
    description: record.Description,
    recordType: record.Type,
    shared: record.Shared,
  };
}
