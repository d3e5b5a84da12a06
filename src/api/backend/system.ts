import type { DiskUsage, DiskUsagePart } from '../../wire/disk-usage.ts';
import type { Filters } from '../../wire/filters.ts';
import type { StoreCheckSummary, StoreProblemRow } from '../../wire/store-check.ts';
import type { EventMessage, SystemInfo, VersionInfo } from '../../wire/system.ts';
import type { CallOptions, Emit } from './call.ts';

export interface SystemBackend {
  /** A client has said hello: within a few milliseconds it will ask for something. */
  expectRequest(): void;
  version(): Promise<HostVersion>;
  info(): Promise<SystemInfo>;
  /** Past events from `since`, then new ones until `until` or abort. Times in milliseconds since the epoch. */
  events(options: CallOptions & EventQuery): AsyncIterable<EventMessage>;
}

/** GET /version without what the door itself decides. */
export type HostVersion = Omit<VersionInfo, 'ApiVersion' | 'MinAPIVersion' | 'Components'>;

export interface EventQuery {
  readonly filters: Filters;
  readonly since: number | undefined;
  readonly until: number | undefined;
}

export interface DiskUsageBackend {
  diskUsage(options: CallOptions & { readonly parts: ReadonlySet<DiskUsagePart> }): Promise<DiskUsage>;
}

export interface StoreCheckBackend {
  /** Looks at everything stored and says each problem when it is found. */
  check(
    options: CallOptions & { readonly repair: boolean; readonly emit: Emit<StoreProblemRow> },
  ): Promise<StoreCheckSummary>;
}
