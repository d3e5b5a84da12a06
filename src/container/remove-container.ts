import { Failure } from '../lib/error.ts';
import type { Container } from './container.ts';
import type { ContainerEvent } from './container-events.ts';
import type { ContainersNeeds } from './containers.ts';
import type { Execs } from './execs.ts';
import { refuseAlive } from './lifecycle.ts';
import type { PlannedMount } from './mounts.ts';

export interface RemoveNeeds extends Pick<ContainersNeeds, 'store'> {
  readonly execs: Execs;
  readonly emit: (event: ContainerEvent) => void;
  /** Called when it is gone, before those who wait for that hear of it. */
  readonly removed: (container: Container) => void;
}

/** Removes a container that does not run, with its changes and log, and its anonymous volumes; call it in turn. */
export function removeContainer(
  container: Container,
  needs: RemoveNeeds,
  options: { readonly volumes: boolean },
): void {
  const { store } = needs;
  container.removing = true;
  store.containers.delete(container.id); // first: on a full disk nothing else has happened
  clearTimeout(container.restartTimer);
  container.health?.stop();
  needs.execs.forget(container);
  container.snapshot.discard();
  store.trash.discard(container.folder);
  try {
    if (options.volumes) for (const mount of container.record.mounts) removeVolume(mount, needs);
  } finally {
    container.streams.hub.end();
    needs.removed(container);
    container.tellRemoval();
  }
}

/** Refuses the removal, without force, of one that runs. */
export function refuseRemovalOfRunning(container: Container): void {
  const before = `cannot remove container "/${container.name}":`;
  if (container.record.phase.status === 'paused')
    refuseAlive(container, `${before} container is paused and must be unpaused first`);
  if (container.record.phase.status === 'restarting') {
    const message = `${before} container is restarting: stop the container before removing or force remove`;
    throw new Failure('conflict', 'CONTAINER_RESTARTING', message);
  }
  refuseAlive(container, `${before} container is running: stop the container before removing or force remove`);
}

/** For uses of a container that is going away. */
export function refuseRemoved(container: Container): void {
  if (container.removing)
    throw new Failure('conflict', 'CONTAINER_REMOVED', `container ${container.id} is marked for removal`);
}

function removeVolume(mount: PlannedMount, { store, emit }: RemoveNeeds): void {
  const { volumes } = store;
  if (mount.type !== 'volume' || !mount.anonymous || volumes.usersOf(mount.name).length > 0) return;
  if (!volumes.get(mount.name)) return;
  volumes.delete(mount.name);
  emit({ type: 'volume', action: 'destroy', id: mount.name, attributes: { driver: 'local' } });
}
