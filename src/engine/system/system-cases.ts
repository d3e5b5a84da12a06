import type { Containers } from '../../container/containers.ts';
import type { Cgroups } from '../../host/cgroup.ts';
import type { Keepers } from '../../host/keeper/keeper-client.ts';
import type { Runtime } from '../../host/runtime.ts';
import { isFailure } from '../../lib/error.ts';
import type { RegistrySettings } from '../../remote/settings.ts';
import type { Store } from '../../store/open-store.ts';
import type { SystemInfo } from '../../wire/system.ts';
import type { EventLog, EventQuery } from '../event-log.ts';
import { systemInfo, versionInfo } from './system-info.ts';

export interface SystemParts {
  readonly store: Store;
  readonly containers: Containers;
  readonly runtime: Runtime;
  readonly cgroups: Cgroups;
  readonly events: EventLog;
  readonly registry: RegistrySettings;
  readonly keepers: Keepers;
}

/** What the host tells of itself. */
export function systemCases({ store, containers, runtime, cgroups, events, registry, keepers }: SystemParts) {
  return {
    // It may be a container's start or an exec, the request for which time matters most.
    expectRequest: () => runtime.expectStart(),
    version: async () => versionInfo(),
    events: (query: EventQuery) => events.read(query),
    async info(): Promise<SystemInfo> {
      const warnings: string[] = [];
      const program = await runtime.program().catch((error: unknown) => {
        if (!isFailure(error, 'unavailable')) throw error;
        warnings.push(`WARNING: ${error.message}; ${error.hint ?? ''}`);
        return undefined;
      });
      const states = containers.all().map(({ record }) => record.phase.status);
      const count = (...wanted: string[]) => states.filter((state) => wanted.includes(state)).length;
      return systemInfo({
        dataRoot: store.root,
        images: store.images.list().length,
        containers: {
          running: count('running', 'restarting'),
          paused: count('paused'),
          stopped: count('created', 'exited'),
        },
        runtime: program,
        cgroupVersion: cgroups.mode === 'v2' ? '2' : '1',
        warnings,
        registry,
        liveRestore: keepers.isWanted,
      });
    },
  };
}
