import { mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { removeLeftovers } from '../host/leftovers.ts';
import { messageOf } from '../lib/error.ts';
import type { ContainerRow } from '../store/containers.ts';
import { Container } from './container.ts';
import { Containers, type ContainersNeeds } from './containers.ts';
import { removeMountTargets } from './mount-targets.ts';
import { type ContainerRecord, isAlive } from './record.ts';
import { startsWithHost } from './restart-policy.ts';

/** What Docker says of containers that ended unseen. */
const UNSEEN_EXIT_CODE = 255;

/**
 * The containers of a store that was just opened. First it clears up after a host that was killed: its containers are
 * ended, their mounts and cgroups removed, writable layers without a container discarded. Containers whose restart policy
 * says so are then started, in the background.
 */
export async function openContainers(
  needs: ContainersNeeds,
  options: { readonly signal: AbortSignal },
): Promise<Containers> {
  const { store, log } = needs;
  const containers = new Containers(needs);
  rmSync(needs.runFolder, { recursive: true, force: true });
  mkdirSync(needs.runFolder, { recursive: true, mode: 0o700 });
  const rows = store.containers.list().reverse();
  const known = rows.map((row) => toContainer(row, needs));
  await removeLeftovers({
    runtime: needs.runtime,
    cgroups: needs.cgroups,
    groups: known.map((container) => container.cgroupsPath),
    // Mounts of build steps lay in the scratch folder, which is in the trash by now.
    folders: ['active', 'trash'].map((name) => realpathSync(join(store.root, name))),
    log,
    signal: options.signal,
  });
  const ids = new Set<string>(known.map((container) => container.id));
  for (const key of store.activeKeys()) if (!ids.has(key)) store.trash.discard(store.activeFolder(key));
  for (const id of readdirSync(join(store.root, 'containers')))
    if (!ids.has(id)) store.trash.discard(store.containerFolder(id));

  for (const container of known) {
    containers.adopt(container);
    noteUnseenEnd(container, needs);
  }
  for (const container of known) {
    if (container.record.hostConfig.AutoRemove)
      await containers.remove(container.id, { force: true, volumes: true, signal: options.signal });
    else if (startsWithHost(container.record))
      containers.start(container.id, { signal: options.signal }).catch((error: unknown) => {
        log.warn('cannot start a container with the host', { container: container.id, why: messageOf(error) });
      });
  }
  return containers;
}

function toContainer(row: ContainerRow, { store, snapshots }: ContainersNeeds): Container {
  const layers = store.containers.layersOf(row.id).flatMap((diffId) => store.layers.byDiffId(diffId)?.id ?? []);
  return new Container({
    id: row.id,
    name: row.name,
    folder: store.containerFolder(row.id),
    record: row.record as ContainerRecord, // written by Containers
    snapshot: snapshots.open(row.id, layers),
    recorded: true,
    secretEnv: [],
  });
}

/** A container that was running when its host was killed has ended now. */
function noteUnseenEnd(container: Container, { store }: ContainersNeeds): void {
  const { phase } = container.record;
  if (isAlive(phase)) {
    removeMountTargets(container.snapshot.upper, phase.targets);
    container.record = {
      ...container.record,
      phase: {
        status: 'exited',
        startedAt: phase.startedAt,
        finishedAt: new Date().toISOString(),
        exitCode: UNSEEN_EXIT_CODE,
        oomKilled: false,
        error: '',
      },
    };
  } else if (phase.status === 'restarting')
    container.record = { ...container.record, phase: { ...phase, status: 'exited' } };
  else return;
  store.containers.update(container.id, container.record);
}
