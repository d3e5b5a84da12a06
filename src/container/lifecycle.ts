import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { countOutOfMemoryKills } from '../host/cgroup.ts';
import type { Attachment, AttachRequest } from '../host/network/attachment.ts';
import type { RestingMember } from '../host/network/endpoint-names.ts';
import type { KeptNetwork, NetworkState } from '../host/network/network-state.ts';
import type { ExitStatus } from '../host/reaper.ts';
import { Failure, isFailure, messageOf, systemCode } from '../lib/error.ts';
import type { Log } from '../lib/log.ts';
import type { ContainerConfig, EndpointConfig, EndpointSettings } from '../wire/container.ts';
import type { NetworkInspect } from '../wire/network.ts';
import { type Container, type Run, sharedNetworkOf } from './container.ts';
import { hostnameOf, type LaunchNeeds } from './container-spec.ts';
import { type Launched, launch, leaveRoot, type PreparedRoot, prepareRoot } from './launch.ts';
import { meantLinks } from './links.ts';
import { type ContainerPhase, exitCodeOf, isAlive } from './record.ts';

/** The networks of the host, as far as a container needs them. */
export interface ContainerNetworks {
  attach(containerId: string, request: AttachRequest, options: { signal: AbortSignal }): Promise<Attachment>;
  /** Idempotent. */
  release(containerId: string): Promise<void>;
  connect(
    containerId: string,
    network: string,
    config: EndpointConfig | null,
    options: { signal: AbortSignal },
  ): Promise<Attachment>;
  disconnect(containerId: string, network: string): Promise<Attachment>;
  /** Undefined when the container is on no network now. */
  rename(containerId: string, name: string): Attachment | undefined;
  /** Undefined when the container is on no network now. */
  attachmentOf(containerId: string): Attachment | undefined;
  inspect(network: string): Pick<NetworkInspect, 'Name' | 'Id' | 'Driver'>;
  /** Refuses what a container cannot have on a network. One that is not there is refused when the container starts. */
  checkEndpoint(network: string, config: EndpointConfig | null): void;
  /** What is known of a container on a network while it does not run; nothing when the network is gone. */
  resting(network: string, member: RestingMember): Partial<Pick<EndpointSettings, 'NetworkID' | 'DNSNames'>>;
  /** For `restore` by the next host. */
  stateOf(containerId: string): NetworkState;
  /** Leaves a running container to the next host. */
  leave(containerId: string): Promise<void>;
  /** What running containers of the host before have, by ID; all else of it is removed. */
  restore(kept: readonly KeptNetwork[]): Promise<ReadonlyMap<string, Attachment>>;
}

export interface JoinedNetwork {
  readonly name: string;
  readonly id: string;
}

export interface LifecycleNeeds extends LaunchNeeds {
  readonly networks: ContainerNetworks;
  readonly log: Log;
  /** What a container that is referred to calls its host. */
  readonly namesOf: (container: string) => Pick<ContainerConfig, 'Hostname' | 'Domainname'>;
  /** Writes the record, if the container is recorded: what it says has happened already, so a full disk is no failure. */
  readonly save: (container: Container) => void;
  readonly emit: (container: Container, action: string, attributes?: Readonly<Record<string, string>>) => void;
  readonly emitNetwork: (
    container: Container,
    action: 'connect' | 'disconnect',
    networks: readonly JoinedNetwork[],
  ) => void;
  /** Says of each of its volumes that it is in use, or no more. */
  readonly emitVolumes: (container: Container, action: 'mount' | 'unmount') => void;
  /** Called after an exit is recorded. */
  readonly onExit: (container: Container) => void;
}

/** What may still hold the streams open after the end of its main process is given up after this time. */
const STREAM_GRACE_MS = 2000;

/** Starts a container; call it in turn. Resolves when its program runs. Failures leave `error` in the record. */
export async function startContainer(
  container: Container,
  needs: LifecycleNeeds,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  needs.runtime.expectStart();
  clearTimeout(container.restartTimer);
  takeHostname(container, needs);
  let attachment: Attachment | undefined;
  let root: PreparedRoot | undefined;
  let launched: Launched;
  try {
    // The network is made in a worker, meanwhile the file system here: a turn later, when the worker has its task.
    const attaching = needs.networks.attach(container.id, attachRequest(container, needs), options);
    const preparing = nextTurn().then(() => prepareRoot(container, needs.hostMounts));
    await Promise.allSettled([attaching, preparing]);
    root = await preparing;
    attachment = await attaching;
    needs.emitNetwork(container, 'connect', networksOf(attachment));
    launched = await launch(container, root, attachment, needs, options);
  } catch (error) {
    if (root) await leaveRoot(container, root.targets, needs.hostMounts);
    await needs.networks.release(container.id);
    if (attachment) needs.emitNetwork(container, 'disconnect', networksOf(attachment));
    noteFailedStart(container, error, needs);
    throw error;
  }
  const startedAt = new Date().toISOString();
  const { process, targets } = launched;
  container.record = {
    ...container.record,
    phase: { status: 'running', pid: process.pid, startedAt, targets },
    stoppedByUser: false,
  };
  followRun(container, launched, attachment, needs);
  noteKept(container, needs);
  needs.save(container);
  needs.emitVolumes(container, 'mount');
  needs.emit(container, 'start');
}

/** Carries the streams of a run, just begun or left by the host before, and sees to its end. */
export function followRun(
  container: Container,
  launched: Launched,
  attachment: Attachment,
  needs: LifecycleNeeds,
): Run {
  const { process } = launched;
  if (process.input) connectInput(container, process.input);
  const carried = container.streams.hub.carry(process.outputs);
  const { promise: settled, resolve } = Promise.withResolvers<void>();
  const run: Run = { launched, attachment, carried, settled };
  container.run = run;
  void process.exited
    .catch((error: unknown): ExitStatus => {
      needs.log.error('exit status lost', { container: container.id, why: messageOf(error) });
      return { exitCode: 255, signal: undefined };
    })
    .then((status) => settle(container, run, status, needs))
    .catch((error: unknown) =>
      needs.log.error('cannot clear up after a container', { container: container.id, why: messageOf(error) }),
    )
    .finally(resolve);
  return run;
}

/** Puts what the next host needs of the run into the record, which is the caller's to save. */
export function noteKept(container: Container, needs: Pick<LifecycleNeeds, 'networks'>): void {
  const { phase } = container.record;
  if (!container.run?.launched.process.kept || !isAlive(phase)) return;
  const health = container.health?.state() ?? phase.kept?.health;
  const kept = { network: needs.networks.stateOf(container.id), ...(health ? { health } : {}) };
  container.record = { ...container.record, phase: { ...phase, kept } };
}

/** Leaves a running container to the next host: what it writes from now on waits for that one. */
export async function leaveRunning(container: Container, run: Run, needs: LifecycleNeeds): Promise<void> {
  const { hub, log, input } = container.streams;
  const { process } = run.launched;
  noteKept(container, needs);
  needs.save(container);
  container.health?.stop();
  process.kept?.stopReading();
  hub.release();
  await run.carried;
  await log?.end();
  hub.end();
  input?.destroy();
  process.input?.destroy();
  await needs.networks.leave(container.id);
}

/** Sends a signal to the first process. One that has ended meanwhile needs none. */
export function signalContainer(container: Container, signal: number): void {
  const { process: started } = container.running().launched;
  try {
    process.kill(started.pid, signal); // ours until it is reaped, and then its end is noted at once
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error;
  }
}

/** Records the end of a run and releases what it held. */
async function settle(container: Container, run: Run, status: ExitStatus, needs: LifecycleNeeds): Promise<void> {
  const { hub, log, input } = container.streams;
  const { process, targets } = run.launched;
  hub.release();
  await withGrace(run.carried, STREAM_GRACE_MS);
  for (const { source } of process.outputs) source.destroy();
  process.input?.destroy();
  input?.destroy();
  process.kept?.forget();

  const oomKilled = countOutOfMemoryKills(needs.cgroups, container.cgroupsPath) > 0;
  const release = async (what: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      needs.log.error(`cannot release the ${what} of a container`, { container: container.id, why: messageOf(error) });
    }
  };
  const signal = AbortSignal.timeout(30_000);
  await Promise.all([
    release('runtime state', () => needs.runtime.remove(container.id, container.cgroupsPath, { signal })),
    release('file system', () => leaveRoot(container, targets, needs.hostMounts)),
    release('network', () => needs.networks.release(container.id)),
  ]);

  const { phase } = container.record;
  const { attachment } = container.run ?? run; // networks may have come and gone
  container.run = undefined;
  container.record = {
    ...container.record,
    phase: {
      status: 'exited',
      startedAt: isAlive(phase) ? phase.startedAt : '',
      finishedAt: new Date(status.at ?? Date.now()).toISOString(),
      exitCode: status.exitCode,
      oomKilled,
      error: '',
      // Nobody checks it any more: Docker calls that unhealthy.
      ...(container.health ? { health: { ...container.health.state(), Status: 'unhealthy' } } : {}),
    },
  };
  needs.save(container);
  await log?.end(); // who follows it to its end finds an ended container
  hub.end();
  container.renewStreams();
  if (oomKilled) needs.emit(container, 'oom');
  needs.emit(container, 'die', { exitCode: String(status.exitCode) });
  needs.emitNetwork(container, 'disconnect', networksOf(attachment));
  needs.emitVolumes(container, 'unmount');
  container.tellExit(status.exitCode);
  needs.onExit(container);
}

/** What is typed goes to the process; StdinOnce makes the end of the first client the end of its input. */
function connectInput(container: Container, target: NodeJS.WritableStream): void {
  const { input } = container.streams;
  target.on('error', () => {}); // the process closed its input
  if (!input) return;
  input.on('error', () => {});
  input.pipe(target);
}

/** A container in the network of another one, or of the host, has the name that goes with it. */
function takeHostname(container: Container, needs: LifecycleNeeds): void {
  const { record } = container;
  const other = sharedNetworkOf(container);
  const names = other === undefined ? { Hostname: hostnameOf(container) } : needs.namesOf(other);
  container.record = { ...record, config: { ...record.config, ...names } };
}

function noteFailedStart(container: Container, error: unknown, needs: LifecycleNeeds): void {
  const exitCode = (isFailure(error) ? error.exitCode : undefined) ?? 128;
  const { phase } = container.record;
  const failed: ContainerPhase =
    phase.status === 'exited' || phase.status === 'restarting'
      ? { ...phase, status: 'exited', error: messageOf(error), exitCode }
      : { status: 'created', error: messageOf(error), exitCode };
  container.record = { ...container.record, phase: failed };
  needs.save(container);
  container.streams.hub.end();
  container.renewStreams();
  container.tellExit(exitCodeOf(failed));
}

function attachRequest(container: Container, needs: LifecycleNeeds): AttachRequest {
  const { config, hostConfig, endpoints } = container.record;
  const other = sharedNetworkOf(container);
  const links = Object.values(endpoints).flatMap((endpoint) => endpoint?.Links ?? []);
  for (const link of links) refuseUnknown(link.split(':')[0] ?? '', needs);
  return {
    ...(other === undefined ? {} : { sharedWith: needs.find(other).id }),
    endpoints,
    name: container.name,
    hostname: hostnameOf(container),
    links: meantLinks([...(hostConfig.Links ?? []), ...links], needs.find),
    ports: {
      exposed: Object.keys(config.ExposedPorts ?? {}),
      bindings: hostConfig.PortBindings ?? {},
      publishAll: hostConfig.PublishAllPorts ?? false,
    },
    dns: {
      servers: hostConfig.Dns ?? [],
      search: hostConfig.DnsSearch ?? [],
      options: hostConfig.DnsOptions ?? [],
    },
    ...(config.MacAddress ? { mac: config.MacAddress } : {}),
  };
}

function refuseUnknown(target: string, needs: LifecycleNeeds): void {
  try {
    needs.find(target);
  } catch (error) {
    if (!isFailure(error, 'not-found')) throw error;
    throw new Failure('invalid', 'LINK_TARGET', `could not get container for ${target}: ${error.message}`);
  }
}

function networksOf(attachment: Attachment): JoinedNetwork[] {
  return Object.entries(attachment.settings.Networks).map(([name, { NetworkID }]) => ({ name, id: NetworkID }));
}

async function withGrace(work: Promise<void>, milliseconds: number): Promise<void> {
  const timer = new AbortController();
  const grace = sleep(milliseconds, undefined, { signal: timer.signal, ref: false }).catch(() => {});
  await Promise.race([work, grace]);
  timer.abort();
}

/** For a container that must not be alive. */
export function refuseAlive(container: Container, message: string): void {
  if (isAlive(container.record.phase)) throw new Failure('conflict', 'CONTAINER_RUNNING', message);
}
