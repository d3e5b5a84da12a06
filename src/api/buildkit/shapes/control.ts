/** moby.buildkit.v1.Control. https://github.com/moby/buildkit/blob/master/api/services/control/control.proto */
import {
  bool,
  bytes,
  integer,
  message,
  nested,
  nestedList,
  string,
  stringMap,
  strings,
  type ValueOf,
} from '../../../lib/protobuf.ts';
import { definition } from './definition.ts';
import { timestamp } from './status.ts';
import { buildKitVersion, workerRecord } from './worker.ts';

export const nothing = message({});

export const listWorkersResponse = message({ records: nestedList(workerRecord, 1) });
export const infoResponse = message({ buildKitVersion: nested(buildKitVersion, 1) });

export const diskUsageRequest = message({ filters: strings(1), ageLimit: integer(2) });
/** Times in nanoseconds, sizes in bytes. */
export const pruneRequest = message({
  filters: strings(1),
  all: bool(2),
  keepDuration: integer(3),
  reservedSpace: integer(4),
  maxUsedSpace: integer(5),
  minFreeSpace: integer(6),
});
export const usageRecord = message({
  id: string(1),
  mutable: bool(2),
  inUse: bool(3),
  size: integer(4),
  createdAt: nested(timestamp, 6),
  lastUsedAt: nested(timestamp, 7),
  usageCount: integer(8),
  description: string(9),
  recordType: string(10),
  shared: bool(11),
});
export type UsageRecord = ValueOf<typeof usageRecord>;
export const diskUsageResponse = message({ records: nestedList(usageRecord, 1) });

/** What comes in or goes out besides the build itself: an exporter or a cache, by its type. */
export const transferEntry = message({ type: string(1), attrs: stringMap(2) });
export type TransferEntry = ValueOf<typeof transferEntry>;

const cacheOptions = message({ exports: nestedList(transferEntry, 4), imports: nestedList(transferEntry, 5) });

export const solveRequest = message({
  ref: string(1),
  definition: nested(definition, 2),
  /** Clients of before 0.13 have one exporter. */
  exporter: string(3),
  exporterAttrs: stringMap(4),
  session: string(5),
  frontend: string(6),
  frontendAttrs: stringMap(7),
  cache: nested(cacheOptions, 8),
  entitlements: strings(9),
  sourcePolicy: bytes(12),
  exporters: nestedList(transferEntry, 13),
});
export type SolveRequest = ValueOf<typeof solveRequest>;
export const solveResponse = message({ exporterResponse: stringMap(1) });

export const statusRequest = message({ ref: string(1) });
