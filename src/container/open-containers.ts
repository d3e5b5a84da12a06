import { mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { processesIn } from '../host/cgroup.ts';
import type { HeldProcess } from '../host/keeper/keeper-client.ts';
import { removeLeftovers } from '../host/leftovers.ts';
import { mountsUnder } from '../host/mount.ts';
import { messageOf } from '../lib/error.ts';
import type { ContainerRow } from '../store/containers.ts';
import { volumeFileSystem } from '../store/volume-options.ts';
import { Container } from './container.ts';
import { Containers, type ContainersNeeds } from './containers.ts';
import type { ExecNote } from './exec.ts';
import { removeMountTargets } from './mount-targets.ts';
import { type ContainerRecord, isAlive } from './record.ts';
import { startsWithHost } from './restart-policy.ts';
import { saveContainer } from './save-container.ts';

/** What Docker says of containers that ended unseen. */
const UNSEEN_EXIT_CODE = 255;
const KILLED_EXIT_CODE = 137;

/**
 * The containers of a store that was just opened. Those that the host before has left to a keeper go on, or are stopped when
 * none are to survive a host any more. All else of a host that was killed is cleared up: its containers are ended, their
 * mounts and cgroups removed, writable layers without a container discarded. Containers whose restart policy says so are
 * then started, in the background.
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
  const left = leftRunning(known, needs.keepers.found);
  const attachments = await needs.networks.restore(left.map(({ network }) => network));
  const active = realpathSync(join(store.root, 'active'));
  const wanted = new Set<string>(left.map(({ container }) => container.id));
  const running = new Set(
    known.filter(
      ({ record, cgroupsPath }) => isAlive(record.phase) && processesIn(needs.cgroups, cgroupsPath).length > 0,
    ),
  );
  await removeLeftovers({
    runtime: needs.runtime,
    cgroups: needs.cgroups,
    groups: known.filter(({ id }) => !wanted.has(id)).map((container) => container.cgroupsPath),
    // Mounts of build steps lay in the scratch folder, which is in the trash by now.
    folders: [active, realpathSync(join(store.root, 'trash')), ...volumeMounts(store, left)],
    wanted,
    wantedFolders: [...wanted].map((id) => join(active, id)),
    log,
    signal: options.signal,
  });
  const execs = needs.keepers.isWanted ? leftExecs(left, needs.keepers.found) : [];
  for (const held of needs.keepers.found)
    if (!wanted.has(held.key) && !execs.some((exec) => exec.held === held)) held.forget();
  const ids = new Set<string>(known.map((container) => container.id));
  for (const key of store.activeKeys()) if (!ids.has(key)) store.trash.discard(store.activeFolder(key));
  for (const id of readdirSync(join(store.root, 'containers')))
    if (!ids.has(id)) store.trash.discard(store.containerFolder(id));

  for (const container of known) {
    containers.adopt(container);
    if (!wanted.has(container.id)) noteUnseenEnd(container, running.has(container), needs);
  }
  const adopted = execs.map(({ container, held }) => containers.execs.adopt(container, held));
  const resumed = left.map(({ container, held }) => {
    const attachment = attachments.get(container.id);
    return attachment && containers.resume(container, held, attachment, options);
  });
  await Promise.all([...adopted, ...resumed]);
  if (!needs.keepers.isWanted) await needs.keepers[Symbol.asyncDispose](); // it has nothing any more
  for (const container of known) {
    if (container.run || container.removing || container.record.phase.status === 'restarting') continue;
    if (container.record.hostConfig.AutoRemove)
      await containers.remove(container.id, { force: true, volumes: true, signal: options.signal });
    else if (startsWithHost(container.record))
      containers.start(container.id, { signal: options.signal }).catch((error: unknown) => {
        log.warn('cannot start a container with the host', { container: container.id, why: messageOf(error) });
      });
  }
  return containers;
}

/** Where file systems of volumes may be mounted that no container uses any more. Nothing else below `volumes` is ours. */
function volumeMounts(
  { root, volumes }: ContainersNeeds['store'],
  left: readonly { readonly container: Container }[],
): string[] {
  const used = new Set(
    left.flatMap(({ container }) => container.record.mounts.map((mount) => mount.type === 'volume' && mount.name)),
  );
  const folder = realpathSync(join(root, 'volumes'));
  return volumes.list().flatMap((volume) => {
    const fileSystem = used.has(volume.name) ? undefined : volumeFileSystem(volume);
    return fileSystem ? join(folder, relative(volumes.root, volume.path)) : [];
  });
}

/** Containers that run by their records and are kept: those that the host before has left, in the state of its last moment. */
function leftRunning(known: readonly Container[], found: readonly HeldProcess[]) {
  const mounted = new Set(found.length > 0 ? mountsUnder('/') : []);
  return known.flatMap((container) => {
    const { phase } = container.record;
    const held = found.find(({ key }) => key === container.id);
    if (!held || !isAlive(phase) || phase.pid !== held.pid || !phase.kept) return [];
    // A host in a mount namespace of its own takes its mounts with it.
    if (!held.hasEnded && !mounted.has(realpathSync(container.snapshot.merged))) return [];
    const pid = held.hasEnded ? undefined : held.pid;
    return [{ container, held, network: { id: container.id, pid, state: phase.kept.network } }];
  });
}

/** Execs that the host before has left in these containers. */
function leftExecs(left: ReturnType<typeof leftRunning>, found: readonly HeldProcess[]) {
  return found.flatMap((held) => {
    const note = held.note as ExecNote | undefined; // of Execs, which alone writes such
    const of = left.find(({ container }) => container.id === note?.container);
    return of ? [{ container: of.container, held }] : [];
  });
}

function toContainer(row: ContainerRow, { store, snapshots }: ContainersNeeds): Container {
  const layers = store.containers.layersOf(row.id).flatMap((diffId) => store.layers.byDiffId(diffId)?.id ?? []);
  return new Container({
    id: row.id,
    name: row.name,
    folder: store.containerFolder(row.id),
    record: wholeRecord(row.record as ContainerRecord), // written by Containers
    snapshot: snapshots.open(row.id, layers),
    recorded: true,
    secretEnv: [],
  });
}

/** A record may come from a version that did not list the networks of a container. */
function wholeRecord(record: Omit<ContainerRecord, 'endpoints'> & Partial<ContainerRecord>): ContainerRecord {
  const mode = record.hostConfig.NetworkMode || 'default';
  const endpoints = record.endpoints ?? (mode.startsWith('container:') ? {} : { [mode]: null });
  return { ...record, endpoints };
}

/** A container that was running when its host was killed has ended now, by itself or because it was killed. */
function noteUnseenEnd(container: Container, wasKilled: boolean, needs: ContainersNeeds): void {
  const { phase } = container.record;
  if (isAlive(phase)) {
    removeMountTargets(container.snapshot.upper, phase.targets);
    container.record = {
      ...container.record,
      phase: {
        status: 'exited',
        startedAt: phase.startedAt,
        finishedAt: new Date().toISOString(),
        exitCode: wasKilled ? KILLED_EXIT_CODE : UNSEEN_EXIT_CODE,
        oomKilled: false,
        error: '',
      },
    };
  } else if (phase.status === 'restarting')
    container.record = { ...container.record, phase: { ...phase, status: 'exited' } };
  else return;
  saveContainer(container, needs);
}
