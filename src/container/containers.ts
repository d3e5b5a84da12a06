import { Readable } from 'node:stream';
import type { HeldProcess } from '../host/keeper/keeper-client.ts';
import type { Attachment } from '../host/network/attachment.ts';
import { Failure, messageOf } from '../lib/error.ts';
import { Scope } from '../lib/scope.ts';
import type { DiffId } from '../oci/digest.ts';
import type { Snapshots } from '../snapshot/snapshots.ts';
import type { ContainerId } from '../store/containers.ts';
import type { Store } from '../store/open-store.ts';
import type { ContainerInspect, ContainerSummary, EndpointConfig, HostConfig } from '../wire/container.ts';
import { type AttachedStreams, type AttachQuery, attachTo } from './attach.ts';
import { connectNetwork, disconnectNetwork } from './connect-network.ts';
import type { Container, WaitCondition } from './container.ts';
import { type ContainerEvent, containerEvent, networkEvents, volumeEvents } from './container-events.ts';
import { ContainerTable } from './container-table.ts';
import { Execs } from './execs.ts';
import { HealthMonitor, hasHealthcheck } from './health.ts';
import { boundMounts } from './host-mounts.ts';
import { toInspect, toSummary } from './inspect.ts';
import { followRun, type LifecycleNeeds, leaveRunning, noteKept, startContainer } from './lifecycle.ts';
import { shownLinks } from './links.ts';
import { type ListQuery, selectContainers } from './list-filter.ts';
import { logDetails } from './log-options.ts';
import { type LogQuery, logsNotKept, readLog } from './log-reader.ts';
import { mountSources } from './mount-sources.ts';
import type { PlannedMount } from './mounts.ts';
import { makeContainer, type NewContainer } from './new-container.ts';
import type { OutputSink } from './output-hub.ts';
import { pauseContainer, unpauseContainer } from './pause-container.ts';
import { prepareMounts } from './prepare-mounts.ts';
import { isAlive } from './record.ts';
import { refuseRemovalOfRunning, refuseRemoved, removeContainer } from './remove-container.ts';
import { restartLater } from './restart-later.ts';
import { restartDelay } from './restart-policy.ts';
import { saveContainer } from './save-container.ts';
import { sharedMemoryOf } from './shared-memory.ts';
import { withContainerIds } from './shared-namespaces.ts';
import { heldProcess } from './start-process.ts';
import { killContainer, noteStopByUser, type StopOptions, signalByUser, stopContainer } from './stop-container.ts';
import { tellLinked } from './tell-linked.ts';
import { updateContainer } from './update-container.ts';

export interface ContainersNeeds
  extends Pick<LifecycleNeeds, 'runtime' | 'cgroups' | 'networks' | 'runFolder' | 'keepers' | 'hostMounts' | 'log'> {
  readonly store: Pick<
    Store,
    | 'root'
    | 'containers'
    | 'volumes'
    | 'images'
    | 'layers'
    | 'trash'
    | 'containerFolder'
    | 'activeFolder'
    | 'activeKeys'
  >;
  readonly snapshots: Snapshots;
  readonly emit: (event: ContainerEvent) => void;
}

export interface CallOptions {
  readonly signal: AbortSignal;
}

/**
 * The containers of this host. `ref` is a name (a leading slash is ignored), an ID or a unique beginning of one; nothing of
 * that kind is a `not-found` Failure in Docker's words. Changes of one container happen one after the other. Made by
 * `openContainers`.
 */
export class Containers implements AsyncDisposable {
  readonly execs: Execs;
  readonly #needs: ContainersNeeds;
  readonly #lifecycle: LifecycleNeeds;
  readonly #table = new ContainerTable();
  #closing = false;

  constructor(needs: ContainersNeeds) {
    this.#needs = needs;
    this.#lifecycle = {
      runtime: needs.runtime,
      cgroups: needs.cgroups,
      networks: needs.networks,
      runFolder: needs.runFolder,
      keepers: needs.keepers,
      hostMounts: needs.hostMounts,
      log: needs.log,
      find: (ref) => this.find(ref),
      namesOf: (ref) => {
        const { Hostname = '', Domainname = '' } = this.find(ref).record.config;
        return { Hostname, Domainname };
      },
      sharedMemoryOf: (ref) => sharedMemoryOf(this.find(ref), (other) => this.find(other)),
      pidOf: (ref) => this.find(ref).running().launched.process.pid,
      save: (container) => saveContainer(container, needs),
      emit: (container, action, attributes) => needs.emit(containerEvent(container, action, attributes)),
      emitNetwork: (container, action, networks) => {
        for (const event of networkEvents(container, action, networks)) needs.emit(event);
      },
      emitVolumes: (container, action) => {
        for (const event of volumeEvents(container, action)) needs.emit(event);
      },
      onExit: (container) => this.#exited(container),
    };
    this.execs = new Execs(this.#lifecycle);
  }

  /** Makes a container, its mounts' volumes and its writable layer; nothing runs. */
  async create(request: NewContainer): Promise<{ id: ContainerId; warnings: string[] }> {
    if (request.name !== undefined) this.#table.refuseName(request.name);
    const hostConfig = withContainerIds(request.hostConfig, this.#lifecycle.find);
    this.#needs.runtime.expectStart();
    const { container, warnings } = makeContainer({ ...request, hostConfig }, request.name ?? this.#table.freeName(), {
      ...this.#needs,
      sources: mountSources(this.#needs, this.#lifecycle.find),
    });
    try {
      if (request.image.diffIds) this.#record(container, request.image.diffIds);
    } catch (error) {
      container.snapshot.discard();
      this.#needs.store.trash.discard(container.folder);
      throw error;
    }
    this.#table.add(container);
    this.emit(container, 'create');
    return { id: container.id, warnings };
  }

  /** Takes over a container from the store, as openContainers does for all of them. */
  adopt(container: Container): void {
    this.#table.add(container);
  }

  /** Makes a container lasting that was made without `diffIds`. One whose changes were committed gets a new layer for more. */
  keep(ref: string, diffIds: readonly DiffId[]): void {
    const container = this.find(ref);
    if (container.recorded) return;
    this.#record(container, diffIds);
    // From now on it stands on what the record names, not on trees that only the one who made it keeps.
    const { layers } = this.#needs.store;
    const ids = layers.chain(diffIds).map((layer) => layer.id);
    const { snapshots } = this.#needs;
    container.snapshot = container.snapshot.isActive
      ? snapshots.open(container.id, ids)
      : snapshots.prepare(container.id, ids);
  }

  /** False when it was running already. A start that fails leaves its reason in the record, and removes `--rm` ones. */
  start(ref: string, options: CallOptions): Promise<boolean> {
    const container = this.find(ref);
    return container.inTurn(async () => {
      const { phase, hostConfig } = container.record;
      if (phase.status === 'paused')
        throw new Failure('conflict', 'CONTAINER_PAUSED', 'cannot start a paused container, try unpause instead');
      if (isAlive(phase)) return false;
      refuseRemoved(container);
      container.record = { ...container.record, restarts: 0 };
      try {
        await this.#startNow(container, options);
      } catch (error) {
        if (hostConfig.AutoRemove) this.#removeNow(container, { volumes: true });
        throw error;
      }
      return true;
    });
  }

  /** Sends the stop signal, after `seconds` (-1: never) SIGKILL. False when it was stopped already. */
  async stop(ref: string, options: StopOptions): Promise<boolean> {
    const container = this.find(ref);
    const wasAlive = await stopContainer(container, this.#lifecycle, { ...options, byUser: true });
    if (wasAlive) this.emit(container, 'stop');
    return wasAlive;
  }

  async restart(ref: string, options: StopOptions): Promise<void> {
    const container = this.find(ref);
    container.renewals++;
    try {
      if (await stopContainer(container, this.#lifecycle, options)) this.emit(container, 'stop');
      await this.start(container.id, options);
    } finally {
      container.renewals--;
    }
    this.emit(container, 'restart');
  }

  /** `signalName` is a name or number, SIGKILL by default. */
  async kill(ref: string, signalName: string | undefined, options: CallOptions): Promise<void> {
    await signalByUser(this.find(ref), signalName, this.#lifecycle, options);
  }

  pause(ref: string, options: CallOptions): Promise<void> {
    const container = this.find(ref);
    return container.inTurn(() => pauseContainer(container, this.#lifecycle, options));
  }

  unpause(ref: string, options: CallOptions): Promise<void> {
    const container = this.find(ref);
    return container.inTurn(() => unpauseContainer(container, this.#lifecycle, options));
  }

  /** Changes limits and the restart policy; unset values stay. Returns warnings. */
  update(ref: string, changes: HostConfig, options: CallOptions): Promise<string[]> {
    const container = this.find(ref);
    return container.inTurn(() => updateContainer(container, changes, this.#lifecycle, options));
  }

  resize(ref: string, size: { readonly width: number; readonly height: number }): void {
    const container = this.find(ref);
    container.running().launched.process.resize(size.height, size.width);
    this.emit(container, 'resize', { height: String(size.height), width: String(size.width) });
  }

  async rename(ref: string, name: string): Promise<void> {
    const container = this.find(ref);
    const plain = name.replace(/^\//, '');
    await container.inTurn(async () => {
      const oldName = container.name;
      if (plain === oldName)
        throw new Failure('invalid', 'SAME_NAME', 'Renaming a container with the same name as its current name');
      this.#table.refuseName(plain);
      if (container.recorded) this.#needs.store.containers.rename(container.id, plain);
      container.name = plain;
      const attachment = this.#needs.networks.rename(container.id, plain);
      if (attachment && container.run) {
        container.run = { ...container.run, attachment };
        noteKept(container, this.#lifecycle);
        this.#lifecycle.save(container);
      }
      this.emit(container, 'rename', { oldName: `/${oldName}` });
    });
  }

  /** Puts a container on one more network, by name or ID: at once when it runs, else with its next start. */
  connect(ref: string, network: string, config: EndpointConfig | null, options: CallOptions): Promise<void> {
    const container = this.find(ref);
    return container.inTurn(() => connectNetwork(container, { network, config }, this.#lifecycle, options));
  }

  disconnect(ref: string, network: string): Promise<void> {
    const container = this.find(ref);
    return container.inTurn(() => disconnectNetwork(container, network, this.#lifecycle));
  }

  /**
   * Resolves when the container is found and watched from now on; `exit` when the condition is met. A container that has
   * ended and removed itself is still known by its ID for a while: libraries start it first and wait then.
   */
  wait(ref: string, condition: WaitCondition, options: CallOptions): { exit: Promise<number> } {
    const ended = condition === 'next-exit' ? undefined : this.#table.endOf(ref);
    if (ended !== undefined) return { exit: Promise.resolve(ended) };
    const exit = this.find(ref).wait(condition, options);
    exit.catch(() => {}); // the caller may have gone before it looks
    return { exit };
  }

  /** Connects to the output and input of the run that is going on, else of the next one. */
  attach(ref: string, query: AttachQuery, options: CallOptions): AttachedStreams {
    const container = this.find(ref);
    const streams = attachTo(container, query, options);
    this.emit(container, 'attach');
    return streams;
  }

  /** Gives all output of the next run to `sink`, which can hold the container back by a promise. Before `start`. */
  addSink(ref: string, sink: OutputSink): void {
    this.find(ref).streams.hub.addSink(sink);
  }

  logs(
    ref: string,
    query: LogQuery & { readonly follow: boolean; readonly details: boolean },
    options: CallOptions,
  ): { tty: boolean; output: Readable } {
    const container = this.find(ref);
    const { log: writer, hub } = container.streams;
    const { config, hostConfig, phase } = container.record;
    if (!writer || !hostConfig.LogConfig) throw logsNotKept();
    const prefix = query.details ? logDetails(config, hostConfig.LogConfig, container.id) : undefined;
    const span = { writer, follow: query.follow && isAlive(phase) };
    const entries = readLog(container.logPath, hub.tty, { ...query, prefix }, { ...options, span });
    return { tty: hub.tty, output: Readable.from(entries, { objectMode: false }) };
  }

  /** Removes the container with its changes and log; with `volumes` also its anonymous volumes. `force` kills it first. */
  async remove(
    ref: string,
    options: CallOptions & { readonly volumes: boolean; readonly force: boolean },
  ): Promise<void> {
    const container = this.find(ref);
    if (!options.force) refuseRemovalOfRunning(container);
    if (container.removing)
      throw new Failure('conflict', 'REMOVAL_IN_PROGRESS', `removal of container ${ref} is already in progress`);
    container.removing = true;
    try {
      await container.inTurn(async () => {
        if (isAlive(container.record.phase)) {
          noteStopByUser(container, this.#lifecycle);
          await killContainer(container, this.#lifecycle, options);
        }
        this.#removeNow(container, options);
      });
    } finally {
      container.removing = false; // of interest only when it failed
    }
  }

  inspect(ref: string): ContainerInspect {
    const container = this.find(ref);
    const shown = toInspect(container, this.#lifecycle.networks, this.execs.runningIn(container));
    return { ...shown, HostConfig: { ...shown.HostConfig, Links: shownLinks(container, this.#lifecycle.find) } };
  }

  list(query: Omit<ListQuery, 'find'>): ContainerSummary[] {
    const now = Date.now();
    const found = selectContainers(this.all(), { ...query, find: (ref) => this.find(ref) });
    return found.map((container) => toSummary(container, this.#lifecycle.networks, now));
  }

  /** All containers, newest first. */
  all(): Container[] {
    return this.#table.all();
  }

  /** True while a container runs or is about to run again. */
  isBusy(): boolean {
    return this.all().some(({ record: { phase } }) => isAlive(phase) || phase.status === 'restarting');
  }

  find(ref: string): Container {
    return this.#table.find(ref);
  }

  /** The file system of a container as it is now, mounted while it is used. */
  openRoot(ref: string): { readonly path: string } & Disposable {
    const container = this.find(ref);
    refuseRemoved(container);
    const path = container.snapshot.mount({ volatile: container.isThrownAway });
    container.rootUses++;
    return {
      path,
      [Symbol.dispose]: () => {
        if (--container.rootUses === 0 && !container.run && !container.removing) container.snapshot.unmount();
      },
    };
  }

  /**
   * As `openRoot`, and for a container that does not run also the places of its mounts are there, and in its volumes what
   * its first start would put into them.
   */
  async openRootWithVolumes(
    ref: string,
  ): Promise<{ readonly path: string; readonly mounts: readonly PlannedMount[] } & AsyncDisposable> {
    await using scope = new Scope();
    const container = this.find(ref);
    const root = scope.use(this.openRoot(ref));
    const mounts = boundMounts(container.record.mounts);
    const { hostMounts } = this.#needs;
    await container.inTurn(async () => {
      await hostMounts.open(container);
      scope.defer(() => hostMounts.close(container));
      if (!isAlive(container.record.phase)) await prepareMounts(mounts, root.path);
    });
    const held = scope.move();
    return { path: root.path, mounts, [Symbol.asyncDispose]: () => held[Symbol.asyncDispose]() };
  }

  /** Says that something was done to a container. */
  emit(container: Container, action: string, attributes: Readonly<Record<string, string>> = {}): void {
    this.#lifecycle.emit(container, action, attributes);
  }

  /** Goes on with a container that the host before has left running, or whose end nobody has seen yet. */
  async resume(container: Container, held: HeldProcess, attachment: Attachment, options: CallOptions): Promise<void> {
    const { phase } = container.record;
    if (!isAlive(phase)) return;
    container.snapshot.takeOver();
    this.#needs.hostMounts.takeOver(container);
    const launched = { process: heldProcess(held), targets: phase.targets };
    const { settled } = followRun(container, launched, attachment, this.#lifecycle);
    if (held.hasEnded) return settled;
    this.#watchHealth(container);
    if (this.#needs.keepers.isWanted) return;
    await stopContainer(container, this.#lifecycle, { ...options, seconds: undefined, signalName: undefined });
  }

  /** Stops all containers, or leaves them to the next host. Those with a restart policy start again with that one. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    await this.execs[Symbol.asyncDispose]();
    const signal = AbortSignal.timeout(60_000);
    const stopped = this.all().map(async (container) => {
      const isLeft = await container.inTurn(async () => {
        const { run } = container;
        if (!run?.launched.process.kept || !this.#needs.keepers.isWanted) return false;
        await leaveRunning(container, run, this.#lifecycle);
        return true;
      });
      if (isLeft) return;
      await stopContainer(container, this.#lifecycle, { signal, seconds: undefined, signalName: undefined });
      await container.inTurn(async () => {
        if (!container.recorded && !container.removing) this.#removeNow(container, { volumes: true });
      });
    });
    for (const result of await Promise.allSettled(stopped))
      if (result.status === 'rejected')
        this.#needs.log.error('cannot stop a container', { why: messageOf(result.reason) });
  }

  async #startNow(container: Container, options: CallOptions): Promise<void> {
    if (this.#closing) throw new Failure('unavailable', 'HOST_CLOSING', 'the host is closing');
    await startContainer(container, this.#lifecycle, options);
    this.#watchHealth(container);
    tellLinked(container, this.all(), this.#needs.networks);
  }

  #watchHealth(container: Container): void {
    const { Healthcheck } = container.record.config;
    if (!hasHealthcheck(Healthcheck) || !isAlive(container.record.phase)) return;
    container.health = new HealthMonitor(container, Healthcheck, this.execs, (status) => {
      this.emit(container, `health_status: ${status}`);
      if (!container.run?.launched.process.kept) return;
      noteKept(container, this.#lifecycle);
      this.#lifecycle.save(container);
    });
  }

  /** After an exit: removal, or another start by the restart policy. */
  #exited(container: Container): void {
    container.health?.stop();
    container.health = undefined;
    if (container.removing) return;
    if (container.record.hostConfig.AutoRemove && container.renewals === 0) {
      container.removing = true;
      container
        .inTurn(async () => {
          this.#removeNow(container, { volumes: true });
          this.#table.noteEnd(container);
        })
        .catch((error: unknown) => {
          container.removing = false;
          container.tellRemoval(); // that it stays is for its user to see; who waits wants the exit code
          this.#needs.log.error('cannot remove a container', { container: container.id, why: messageOf(error) });
        });
      return;
    }
    const delay = container.stops > 0 || this.#closing ? undefined : restartDelay(container.record);
    if (delay === undefined) return;
    restartLater(container, delay, {
      ...this.#lifecycle,
      start: (again, options) => this.#startNow(again, options),
      failed: (again) => this.#exited(again),
    });
  }

  #removeNow(container: Container, options: { readonly volumes: boolean }): void {
    removeContainer(
      container,
      {
        store: this.#needs.store,
        execs: this.execs,
        emit: this.#needs.emit,
        removed: () => {
          this.#table.delete(container);
          this.emit(container, 'destroy');
        },
      },
      options,
    );
  }

  #record(container: Container, layers: readonly DiffId[]): void {
    const { containers, volumes } = this.#needs.store;
    const { id, name, record } = container;
    const mounted = record.mounts.flatMap((mount) => (mount.type === 'image' ? [mount.layers] : []));
    containers.create({ id, name, image: record.image, record, layers, mounted });
    for (const mount of record.mounts) if (mount.type === 'volume') volumes.ref(mount.name, id);
    container.recorded = true;
    container.renewStreams();
  }
}
