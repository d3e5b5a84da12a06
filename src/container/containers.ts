import { mkdirSync } from 'node:fs';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, messageOf } from '../lib/error.ts';
import type { DiffId, ImageId } from '../oci/digest.ts';
import type { RunConfig } from '../oci/image-config.ts';
import type { Snapshots } from '../snapshot/snapshots.ts';
import { type ContainerId, newContainerId } from '../store/containers.ts';
import type { LayerId } from '../store/layers.ts';
import type { Store } from '../store/open-store.ts';
import type {
  ContainerConfig,
  ContainerInspect,
  ContainerSummary,
  EndpointConfig,
  HostConfig,
} from '../wire/container.ts';
import { type AttachedStreams, type AttachQuery, attachTo } from './attach.ts';
import { mergeConfig } from './config.ts';
import { Container, type WaitCondition } from './container.ts';
import { Execs } from './execs.ts';
import { HealthMonitor, hasHealthcheck } from './health.ts';
import { toInspect, toSummary } from './inspect.ts';
import { type LifecycleNeeds, refuseAlive, signalContainer, startContainer } from './lifecycle.ts';
import { type ListQuery, selectContainers } from './list-filter.ts';
import { type LogQuery, logsNotKept, readLog } from './log-reader.ts';
import { type PlannedMount, planMounts } from './mounts.ts';
import { checkName, randomName } from './names.ts';
import { checkConfig, normaliseHostConfig, resourcesOf } from './options.ts';
import type { OutputSink } from './output-hub.ts';
import { type ContainerRecord, isAlive } from './record.ts';
import { restartDelay } from './restart-policy.ts';
import { signalNumber } from './signals.ts';

export interface ContainerEvent {
  readonly type: 'container' | 'network' | 'volume';
  readonly action: string;
  /** Of the container, network or volume. */
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface ContainersNeeds
  extends Pick<LifecycleNeeds, 'runtime' | 'cgroups' | 'networks' | 'runFolder' | 'log'> {
  readonly store: Pick<
    Store,
    'root' | 'containers' | 'volumes' | 'layers' | 'trash' | 'containerFolder' | 'activeFolder' | 'activeKeys'
  >;
  readonly snapshots: Snapshots;
  readonly emit: (event: ContainerEvent) => void;
}

export interface NewContainer {
  /** Without slash; one is chosen when undefined. */
  readonly name: string | undefined;
  readonly image: {
    readonly id: ImageId | undefined;
    readonly config: RunConfig;
    /** Bottom first. */
    readonly layers: readonly LayerId[];
    /**
     * The same layers by content, for the record. Undefined makes a container that only this host process knows: no record,
     * no log. `keep` records it later.
     */
    readonly diffIds: readonly DiffId[] | undefined;
  };
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly endpoints: Readonly<Record<string, EndpointConfig | null>>;
}

export interface CallOptions {
  readonly signal: AbortSignal;
}

const DEFAULT_STOP_SECONDS = 10;
const SIGKILL = 9;
const SIGTERM = 15;

/**
 * The containers of this host. `ref` is a name (a leading slash is ignored), an ID or a unique beginning of one; nothing of
 * that kind is a `not-found` Failure in Docker's words. Changes of one container happen one after the other. Made by
 * `openContainers`.
 */
export class Containers implements AsyncDisposable {
  readonly execs: Execs;
  readonly #needs: ContainersNeeds;
  readonly #lifecycle: LifecycleNeeds;
  /** Oldest first. */
  readonly #containers = new Map<string, Container>();
  #closing = false;

  constructor(needs: ContainersNeeds) {
    this.#needs = needs;
    this.#lifecycle = {
      runtime: needs.runtime,
      cgroups: needs.cgroups,
      networks: needs.networks,
      runFolder: needs.runFolder,
      log: needs.log,
      idOf: (ref) => this.find(ref).id,
      pidOf: (ref) => this.find(ref).running().launched.process.pid,
      save: (container) => {
        if (container.recorded) needs.store.containers.update(container.id, container.record);
      },
      emit: (container, action, attributes = {}) => this.#emit(container, action, attributes),
      emitNetwork: (container, action, networks) => {
        for (const { name, id } of networks)
          needs.emit({
            type: 'network',
            action,
            id,
            attributes: { container: container.id, name, type: networkType(name) },
          });
      },
      onExit: (container) => this.#exited(container),
    };
    this.execs = new Execs(this.#lifecycle);
  }

  /** Makes a container, its mounts' volumes and its writable layer; nothing runs. */
  async create(request: NewContainer): Promise<{ id: ContainerId; warnings: string[] }> {
    const { store, snapshots, cgroups } = this.#needs;
    const merged = mergeConfig(request.image.config, request.config);
    checkConfig(merged);
    const { hostConfig, warnings } = normaliseHostConfig(request.hostConfig, cgroups);
    if (request.name !== undefined) this.#refuseName(request.name);
    const id = newContainerId();
    const config: ContainerConfig = { ...merged, Hostname: merged.Hostname || defaultHostname(id, hostConfig) };
    const mounts = planMounts(config, hostConfig, {
      volume: (volume) => this.#volume(volume),
      mountsOf: (ref) => this.find(ref).record.mounts,
    });
    const record: ContainerRecord = {
      created: new Date().toISOString(),
      image: request.image.id,
      config,
      hostConfig,
      endpoints: withoutDefault(request.endpoints),
      mounts,
      phase: { status: 'created', error: '', exitCode: 0 },
      restarts: 0,
      stoppedByUser: false,
    };
    const container = new Container({
      id,
      name: request.name ?? this.#freeName(),
      folder: store.containerFolder(id),
      record,
      snapshot: snapshots.prepare(id, request.image.layers),
      recorded: false,
    });
    try {
      mkdirSync(container.folder, { mode: 0o710 });
      if (request.image.diffIds) this.#record(container, request.image.diffIds);
    } catch (error) {
      container.snapshot.discard();
      store.trash.discard(container.folder);
      throw error;
    }
    this.#containers.set(id, container);
    this.#emit(container, 'create');
    return { id, warnings };
  }

  /** Takes over a container from the store, as openContainers does for all of them. */
  adopt(container: Container): void {
    this.#containers.set(container.id, container);
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
      this.#refuseRemoved(container);
      try {
        await this.#startNow(container, options);
      } catch (error) {
        if (hostConfig.AutoRemove) await this.#removeNow(container, { volumes: true });
        throw error;
      }
      return true;
    });
  }

  /** Sends the stop signal, after `seconds` (-1: never) SIGKILL. False when it was stopped already. */
  stop(
    ref: string,
    options: CallOptions & { readonly seconds: number | undefined; readonly signalName: string | undefined },
  ): Promise<boolean> {
    const container = this.find(ref);
    return container.inTurn(async () => {
      const wasAlive = isAlive(container.record.phase) || container.record.phase.status === 'restarting';
      await this.#stopNow(container, options);
      if (wasAlive) this.#emit(container, 'stop');
      return wasAlive;
    });
  }

  restart(
    ref: string,
    options: CallOptions & { readonly seconds: number | undefined; readonly signalName: string | undefined },
  ): Promise<void> {
    const container = this.find(ref);
    return container.inTurn(async () => {
      await this.#stopNow(container, options, false);
      this.#refuseRemoved(container);
      await this.#startNow(container, options);
      this.#emit(container, 'restart');
    });
  }

  /** `signalName` is a name or number, SIGKILL by default. */
  async kill(ref: string, signalName: string | undefined, options: CallOptions): Promise<void> {
    const container = this.find(ref);
    const signal = signalName ? signalNumber(signalName) : SIGKILL;
    if (!isAlive(container.record.phase))
      throw new Failure(
        'conflict',
        'NOT_RUNNING',
        `Cannot kill container: ${ref}: Container ${container.id} is not running`,
      );
    if (signal === SIGKILL || signal === stopSignalOf(container)) this.#noteStopByUser(container);
    await this.#signal(container, signal, options);
  }

  async pause(ref: string, options: CallOptions): Promise<void> {
    const container = this.find(ref);
    await container.inTurn(async () => {
      container.running();
      const { phase } = container.record;
      if (phase.status === 'paused')
        throw new Failure('conflict', 'CONTAINER_PAUSED', `Container ${container.id} is already paused`);
      await this.#needs.runtime.pause(container.id, options);
      this.#setPaused(container, true);
    });
  }

  async unpause(ref: string, options: CallOptions): Promise<void> {
    const container = this.find(ref);
    await container.inTurn(async () => {
      if (container.record.phase.status !== 'paused')
        throw new Failure('conflict', 'NOT_PAUSED', `Container ${container.id} is not paused`);
      await this.#needs.runtime.resume(container.id, options);
      this.#setPaused(container, false);
    });
  }

  /** Changes limits and the restart policy; unset values stay. Returns warnings. */
  async update(ref: string, changes: HostConfig, options: CallOptions): Promise<string[]> {
    const container = this.find(ref);
    return container.inTurn(async () => {
      const stated = Object.fromEntries(Object.entries(changes).filter(([, value]) => value)) as HostConfig; // a subset
      const { hostConfig, warnings } = normaliseHostConfig(
        { ...container.record.hostConfig, ...stated },
        this.#needs.cgroups,
      );
      if (isAlive(container.record.phase)) {
        const resources = resourcesOf(hostConfig, this.#needs.cgroups);
        await this.#needs.runtime.update(container.id, resources, options);
      }
      container.record = { ...container.record, hostConfig };
      this.#lifecycle.save(container);
      this.#emit(container, 'update');
      return warnings;
    });
  }

  resize(ref: string, size: { readonly width: number; readonly height: number }): void {
    const container = this.find(ref);
    container.running().launched.process.resize(size.height, size.width);
    this.#emit(container, 'resize', { height: String(size.height), width: String(size.width) });
  }

  async rename(ref: string, name: string): Promise<void> {
    const container = this.find(ref);
    const plain = name.replace(/^\//, '');
    await container.inTurn(async () => {
      const oldName = container.name;
      if (plain === oldName)
        throw new Failure('invalid', 'SAME_NAME', 'Renaming a container with the same name as its current name');
      this.#refuseName(plain);
      if (container.recorded) this.#needs.store.containers.rename(container.id, plain);
      container.name = plain;
      this.#emit(container, 'rename', { oldName: `/${oldName}` });
    });
  }

  /** Resolves when the container is found and watched from now on; `exit` when the condition is met. */
  wait(ref: string, condition: WaitCondition, options: CallOptions): { exit: Promise<number> } {
    const exit = this.find(ref).wait(condition, options);
    exit.catch(() => {}); // the caller may have gone before it looks
    return { exit };
  }

  /** Connects to the output and input of the run that is going on, else of the next one. */
  attach(ref: string, query: AttachQuery, options: CallOptions): AttachedStreams {
    const container = this.find(ref);
    const streams = attachTo(container, query, options);
    this.#emit(container, 'attach');
    return streams;
  }

  /** Gives all output of the next run to `sink`, which can hold the container back by a promise. Before `start`. */
  addSink(ref: string, sink: OutputSink): void {
    this.find(ref).streams.hub.addSink(sink);
  }

  logs(
    ref: string,
    query: Omit<LogQuery, 'follow' | 'end'> & { readonly follow: boolean },
    options: CallOptions,
  ): { tty: boolean; output: Readable } {
    const container = this.find(ref);
    const { log, hub } = container.streams;
    if (!log) throw logsNotKept();
    const follow = query.follow && isAlive(container.record.phase) ? log : undefined;
    const entries = readLog(container.logPath, hub.tty, { ...query, follow, end: undefined }, options);
    return { tty: hub.tty, output: Readable.from(entries, { objectMode: false }) };
  }

  /** Removes the container with its changes and log; with `volumes` also its anonymous volumes. `force` kills it first. */
  async remove(
    ref: string,
    options: CallOptions & { readonly volumes: boolean; readonly force: boolean },
  ): Promise<void> {
    const container = this.find(ref);
    const { id } = container;
    if (!options.force) {
      const { status } = container.record.phase;
      if (status === 'paused')
        refuseAlive(
          container,
          `You cannot remove a paused container ${id}. Unpause and then stop the container before attempting removal or force remove`,
        );
      refuseAlive(
        container,
        `You cannot remove a running container ${id}. Stop the container before attempting removal or force remove`,
      );
    }
    if (container.removing)
      throw new Failure('conflict', 'REMOVAL_IN_PROGRESS', `removal of container ${ref} is already in progress`);
    container.removing = true;
    try {
      await container.inTurn(async () => {
        if (isAlive(container.record.phase)) {
          this.#noteStopByUser(container);
          await this.#signal(container, SIGKILL, options);
          await container.run?.settled;
        }
        await this.#removeNow(container, options);
      });
    } finally {
      container.removing = false; // of interest only when it failed
    }
  }

  inspect(ref: string): ContainerInspect {
    const container = this.find(ref);
    return toInspect(container, this.execs.runningIn(container));
  }

  list(query: Omit<ListQuery, 'find'>): ContainerSummary[] {
    const now = Date.now();
    const newestFirst = [...this.#containers.values()].reverse();
    const found = selectContainers(newestFirst, { ...query, find: (ref) => this.find(ref) });
    return found.map((container) => toSummary(container, now));
  }

  /** All containers, newest first. */
  all(): Container[] {
    return [...this.#containers.values()].reverse();
  }

  /** True while a container runs or is about to run again. */
  isBusy(): boolean {
    return this.all().some(({ record: { phase } }) => isAlive(phase) || phase.status === 'restarting');
  }

  find(ref: string): Container {
    const name = ref.replace(/^\//, '');
    const exact = this.#containers.get(ref) ?? this.all().find((container) => container.name === name);
    if (exact) return exact;
    const matches = /^[0-9a-f]+$/.test(ref) ? this.all().filter(({ id }) => id.startsWith(ref)) : [];
    if (matches.length > 1)
      throw new Failure('invalid', 'CONTAINER_AMBIGUOUS', `multiple IDs found with provided prefix: ${ref}`);
    const [match] = matches;
    if (match) return match;
    throw new Failure('not-found', 'CONTAINER_NOT_FOUND', `No such container: ${ref}`);
  }

  /** The file system of a container as it is now, mounted while it is used. */
  openRoot(ref: string): { readonly path: string } & Disposable {
    const container = this.find(ref);
    this.#refuseRemoved(container);
    const path = container.snapshot.mount({ volatile: container.isThrownAway });
    container.rootUses++;
    return {
      path,
      [Symbol.dispose]: () => {
        if (--container.rootUses === 0 && !container.run && !container.removing) container.snapshot.unmount();
      },
    };
  }

  /** Stops all containers. Those with a restart policy start again with the next host. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    const signal = AbortSignal.timeout(60_000);
    const stopped = this.all().map((container) =>
      container.inTurn(async () => {
        await this.#stopNow(container, { signal, seconds: undefined, signalName: undefined }, false);
        if (!container.recorded && !container.removing) await this.#removeNow(container, { volumes: true });
      }),
    );
    for (const result of await Promise.allSettled(stopped))
      if (result.status === 'rejected')
        this.#needs.log.error('cannot stop a container', { why: messageOf(result.reason) });
  }

  async #startNow(container: Container, options: CallOptions): Promise<void> {
    if (this.#closing) throw new Failure('unavailable', 'HOST_CLOSING', 'the host is closing');
    await startContainer(container, this.#lifecycle, options);
    const { Healthcheck } = container.record.config;
    if (!hasHealthcheck(Healthcheck)) return;
    container.health = new HealthMonitor(container, Healthcheck, this.execs, (status) =>
      this.#emit(container, `health_status: ${status}`),
    );
  }

  async #stopNow(
    container: Container,
    options: CallOptions & { readonly seconds: number | undefined; readonly signalName: string | undefined },
    byUser = true,
  ): Promise<void> {
    clearTimeout(container.restartTimer);
    if (container.record.phase.status === 'restarting')
      container.record = { ...container.record, phase: { ...container.record.phase, status: 'exited' } };
    if (byUser) this.#noteStopByUser(container);
    const { run } = container;
    if (!run) return;
    container.stopping = true;
    try {
      const seconds = options.seconds ?? container.record.config.StopTimeout ?? DEFAULT_STOP_SECONDS;
      const first = options.signalName ? signalNumber(options.signalName) : stopSignalOf(container);
      await this.#signal(container, first, options);
      const timer = new AbortController();
      const late = sleep(seconds * 1000, 'late', { signal: timer.signal }).catch(() => undefined);
      const answer = await (seconds < 0 ? run.settled : Promise.race([run.settled, late]));
      timer.abort();
      if (answer === 'late') {
        await this.#signal(container, SIGKILL, options);
        await run.settled;
      }
    } finally {
      container.stopping = false;
    }
  }

  async #signal(container: Container, signal: number, options: CallOptions): Promise<void> {
    signalContainer(container, signal);
    this.#emit(container, 'kill', { signal: String(signal) });
    if (signal === SIGKILL && container.record.phase.status === 'paused') {
      await this.#needs.runtime.resume(container.id, options); // frozen processes do not die
    }
  }

  /** After an exit: removal, or another start by the restart policy. */
  #exited(container: Container): void {
    container.health?.stop();
    container.health = undefined;
    if (container.removing) return;
    if (container.record.hostConfig.AutoRemove) {
      container.removing = true;
      void container.inTurn(() => this.#removeNow(container, { volumes: true }));
      return;
    }
    const delay = container.stopping || this.#closing ? undefined : restartDelay(container.record);
    if (delay !== undefined) this.#restartLater(container, delay);
  }

  #restartLater(container: Container, delay: number): void {
    const { phase } = container.record;
    if (phase.status !== 'exited') return;
    container.record = {
      ...container.record,
      phase: { ...phase, status: 'restarting' },
      restarts: container.record.restarts + 1,
    };
    this.#lifecycle.save(container);
    container.restartTimer = setTimeout(() => {
      const start = container.inTurn(async () => {
        if (container.record.phase.status === 'restarting' && !this.#closing)
          await this.#startNow(container, { signal: AbortSignal.timeout(60_000) });
      });
      start.catch((error: unknown) => {
        this.#needs.log.warn('cannot restart a container', { container: container.id, why: messageOf(error) });
        this.#exited(container);
      });
    }, delay);
  }

  async #removeNow(container: Container, options: { readonly volumes: boolean }): Promise<void> {
    const { store } = this.#needs;
    container.removing = true;
    clearTimeout(container.restartTimer);
    container.health?.stop();
    this.execs.forget(container);
    container.snapshot.discard();
    store.containers.delete(container.id);
    store.trash.discard(container.folder);
    this.#containers.delete(container.id);
    if (options.volumes) for (const mount of container.record.mounts) this.#removeVolume(mount);
    container.streams.hub.end();
    this.#emit(container, 'destroy');
    container.tellRemoval();
  }

  #removeVolume(mount: PlannedMount): void {
    const { volumes } = this.#needs.store;
    if (mount.type !== 'volume' || !mount.anonymous || volumes.usersOf(mount.name).length > 0) return;
    if (!volumes.get(mount.name)) return;
    volumes.delete(mount.name);
    this.#needs.emit({ type: 'volume', action: 'destroy', id: mount.name, attributes: { driver: 'local' } });
  }

  #volume(volume: Parameters<Store['volumes']['create']>[0]) {
    const { volumes } = this.#needs.store;
    const existing = volumes.get(volume.name);
    if (existing) return existing;
    const made = volumes.create(volume);
    this.#needs.emit({ type: 'volume', action: 'create', id: volume.name, attributes: { driver: 'local' } });
    return made;
  }

  #record(container: Container, layers: readonly DiffId[]): void {
    const { containers, volumes } = this.#needs.store;
    const { id, name, record } = container;
    containers.create({ id, name, image: record.image, record, layers });
    for (const mount of record.mounts) if (mount.type === 'volume') volumes.ref(mount.name, id);
    container.recorded = true;
    container.renewStreams();
  }

  #setPaused(container: Container, paused: boolean): void {
    const { phase } = container.record;
    if (!isAlive(phase)) return;
    container.record = { ...container.record, phase: { ...phase, status: paused ? 'paused' : 'running' } };
    this.#lifecycle.save(container);
    this.#emit(container, paused ? 'pause' : 'unpause');
  }

  #noteStopByUser(container: Container): void {
    container.record = { ...container.record, stoppedByUser: true };
    this.#lifecycle.save(container);
  }

  #refuseName(name: string): void {
    checkName(name);
    const holder = this.all().find((container) => container.name === name);
    if (!holder) return;
    throw new Failure(
      'conflict',
      'CONTAINER_NAME_USED',
      `Conflict. The container name "/${name}" is already in use by container "${holder.id}". You have to remove (or rename) that container to be able to reuse that name.`,
    );
  }

  #refuseRemoved(container: Container): void {
    if (container.removing)
      throw new Failure('conflict', 'CONTAINER_REMOVED', `container ${container.id} is marked for removal`);
  }

  #freeName(): string {
    const taken = new Set(this.all().map((container) => container.name));
    for (let attempt = 0; ; attempt++) {
      const name = randomName(attempt);
      if (!taken.has(name)) return name;
    }
  }

  #emit(container: Container, action: string, attributes: Readonly<Record<string, string>> = {}): void {
    const { config } = container.record;
    const common = { ...config.Labels, image: config.Image ?? '', name: container.name };
    this.#needs.emit({ type: 'container', action, id: container.id, attributes: { ...common, ...attributes } });
  }
}

function stopSignalOf(container: Container): number {
  const { StopSignal } = container.record.config;
  return StopSignal ? signalNumber(StopSignal) : SIGTERM;
}

function networkType(name: string): string {
  return name === 'host' ? 'host' : name === 'none' ? 'null' : 'bridge';
}

function defaultHostname(id: string, hostConfig: HostConfig): string {
  return hostConfig.NetworkMode === 'host' ? '' : id.slice(0, 12);
}

/** Clients say `default` for the network that NetworkMode names anyway. */
function withoutDefault(
  endpoints: Readonly<Record<string, EndpointConfig | null>>,
): Record<string, EndpointConfig | null> {
  return Object.fromEntries(Object.entries(endpoints).filter(([name]) => name !== 'default'));
}
