import { messageOf } from '../lib/error.ts';
import type { Log } from '../lib/log.ts';
import { type Cgroups, removeCgroup } from './cgroup.ts';
import { mountsUnder, unmountAllUnder } from './mount.ts';
import type { Runtime } from './runtime.ts';

/**
 * Clears up after a host that was killed: ends containers that still run under `runtime`'s state folder, removes control
 * groups and ends mounts at or below `folders` (absolute). `groups` are cgroup paths of containers on record, which may
 * be left without the runtime knowing them. To be called while no container is wanted; what fails is logged.
 */
export async function removeLeftovers(options: {
  readonly runtime: Runtime;
  readonly cgroups: Cgroups;
  readonly groups: readonly string[];
  readonly folders: readonly string[];
  readonly log: Log;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { runtime, cgroups, log, signal } = options;
  for (const id of runtime.list()) {
    await runtime
      .forceRemove(id, { signal })
      .then(() => log.info('ended a container of the host before', { id }))
      .catch((error: unknown) => log.warn('cannot end a container of the host before', { id, why: messageOf(error) }));
  }
  for (const group of options.groups) await removeCgroup(cgroups, group);
  for (const folder of options.folders) {
    unmountAllUnder(folder);
    for (const point of mountsUnder(folder)) log.warn('cannot end a mount of the host before', { point });
  }
}
