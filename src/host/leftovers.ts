import { messageOf, systemCode } from '../lib/error.ts';
import type { Log } from '../lib/log.ts';
import { type Cgroups, processesIn, removeCgroup } from './cgroup.ts';
import { mountsUnder, unmount } from './mount.ts';
import type { Runtime } from './runtime.ts';

/**
 * Clears up after a host that was killed: ends containers that still run under `runtime`'s state folder, but for those whose
 * IDs are `wanted`, removes control groups and ends mounts at or below `folders` (absolute), but for those below
 * `wantedFolders`. `groups` are cgroup paths of containers on record, which may be left without the runtime knowing them.
 * What fails is logged.
 */
export async function removeLeftovers(options: {
  readonly runtime: Runtime;
  readonly cgroups: Cgroups;
  readonly groups: readonly string[];
  readonly folders: readonly string[];
  readonly wanted: ReadonlySet<string>;
  readonly wantedFolders: readonly string[];
  readonly log: Log;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { runtime, cgroups, log, signal } = options;
  for (const id of runtime.list()) {
    if (options.wanted.has(id)) continue;
    await runtime
      .forceRemove(id, { signal })
      .then(() => log.info('ended a container of the host before', { id }))
      .catch((error: unknown) => log.warn('cannot end a container of the host before', { id, why: messageOf(error) }));
  }
  for (const group of options.groups) {
    for (const pid of processesIn(cgroups, group)) kill(pid); // the runtime forgets what another boot or mount namespace has
    await removeCgroup(cgroups, group);
  }
  for (const folder of options.folders) {
    const unwanted = () =>
      mountsUnder(folder).filter((point) => !options.wantedFolders.some((wanted) => point.startsWith(`${wanted}/`)));
    for (const point of unwanted().reverse()) unmount(point);
    for (const point of unwanted()) log.warn('cannot end a mount of the host before', { point });
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error;
  }
}
