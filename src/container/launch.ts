import { readFileSync, statSync } from 'node:fs';
import { hostname as machineName } from 'node:os';
import { posix } from 'node:path';
import type { Cgroups } from '../host/cgroup.ts';
import { devicesAt } from '../host/devices.ts';
import { makeInside } from '../host/inside-root.ts';
import { unmountInBackground } from '../host/mount.ts';
import type { Attachment } from '../host/network/networks.ts';
import type { Runtime } from '../host/runtime.ts';
import { type Namespace, type ProcessOptions, runtimeSpec, type SpecMount } from '../host/spec.ts';
import { Failure } from '../lib/error.ts';
import { argumentsOf } from './config.ts';
import type { Container } from './container.ts';
import { containerEnvironment } from './environment.ts';
import { addressesOf, fileMounts, hostsFile, writeContainerFiles } from './files.ts';
import { type MadeTargets, type MountTarget, makeMountTargets, removeMountTargets } from './mount-targets.ts';
import { type PlannedMount, specMounts } from './mounts.ts';
import { resourcesOf, securityOf } from './options.ts';
import { fillVolumes } from './prepare-mounts.ts';
import { type StartedProcess, startProcess } from './start-process.ts';
import { type ResolvedUser, resolveUser } from './user.ts';

export interface LaunchNeeds {
  readonly runtime: Runtime;
  readonly cgroups: Cgroups;
  /** See `startProcess`. */
  readonly runFolder: string;
  /** Process ID of another container's first process. */
  readonly pidOf: (container: string) => number;
}

export interface Launched {
  readonly process: StartedProcess;
  readonly targets: MadeTargets;
}

/**
 * Starts the program of a container whose network is attached: mounts its file system, writes its bundle, runs it. When
 * that fails, everything is as before.
 */
export async function launch(
  container: Container,
  attachment: Attachment,
  needs: LaunchNeeds,
  options: { readonly signal: AbortSignal },
): Promise<Launched> {
  const { config, mounts } = container.record;
  const { snapshot } = container;
  const root = snapshot.mount({ volatile: container.isThrownAway });
  let targets: MadeTargets = { made: [], raised: [] };
  try {
    await fillVolumes(mounts, root);
    makeWorkingFolder(container, root);
    const taken = new Set(mounts.map((mount) => mount.destination));
    const files = fileMounts(container.folder, taken);
    targets = makeMountTargets(root, snapshot.upper, mountTargets(mounts, files));
    writeFiles(container, attachment);
    const process = await startProcess({
      start: (start) => needs.runtime.run(start),
      id: container.id,
      program: argumentsOf(config)[0] ?? '',
      document: { name: 'config.json', content: specOf(container, root, attachment, files, needs) },
      tty: config.Tty ?? false,
      stdin: config.OpenStdin ?? false,
      runFolder: needs.runFolder,
      signal: options.signal,
    });
    return { process, targets };
  } catch (error) {
    await leaveRoot(container, targets);
    throw error;
  }
}

/** Ends the use of the mounted root by the run. */
export async function leaveRoot(container: Container, targets: MadeTargets): Promise<void> {
  const { snapshot } = container;
  if (container.rootUses === 0) {
    await unmountInBackground(snapshot.merged);
    snapshot.unmount();
  }
  removeMountTargets(container.snapshot.upper, targets);
}

/** The host's name for a container on the host's network, else its own. */
export function hostnameOf(container: Container): string {
  const { config, hostConfig } = container.record;
  return config.Hostname || (hostConfig.NetworkMode === 'host' ? machineName() : container.id.slice(0, 12));
}

/** A process of the container in the runtime's form: its first one, or one that `exec` starts. */
export function processOf(
  container: Container,
  options: {
    readonly args: readonly string[];
    readonly env: readonly string[];
    readonly cwd: string;
    readonly user: ResolvedUser;
    readonly tty: boolean;
  },
): Omit<ProcessOptions, 'capabilities'> {
  const { hostConfig } = container.record;
  const { args, env, cwd, user, tty } = options;
  return {
    args,
    env: containerEnvironment({ env, hostname: hostnameOf(container), home: user.home, tty }),
    cwd: cwd || '/',
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    terminal: tty,
    ulimits: (hostConfig.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({
      name: Name,
      soft: limit(Soft),
      hard: limit(Hard),
    })),
    noNewPrivileges: securityOf(hostConfig.SecurityOpt ?? []).noNewPrivileges,
    oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
  };
}

function specOf(
  container: Container,
  root: string,
  attachment: Attachment,
  files: readonly SpecMount[],
  needs: LaunchNeeds,
) {
  const { config, hostConfig, mounts } = container.record;
  const user = resolveUser(root, config.User ?? '', hostConfig.GroupAdd ?? []);
  const { seccomp } = securityOf(hostConfig.SecurityOpt ?? []);
  const ownNetwork = attachment.namespacePath !== undefined;
  return runtimeSpec({
    process: processOf(container, {
      args: argumentsOf(config),
      env: [...(config.Env ?? []), ...container.secretEnv],
      cwd: config.WorkingDir ?? '',
      user,
      tty: config.Tty ?? false,
    }),
    root,
    readonlyRoot: hostConfig.ReadonlyRootfs ?? false,
    hostname: hostConfig.UTSMode === 'host' ? undefined : hostnameOf(container),
    domainname: config.Domainname || undefined,
    namespaces: {
      network: attachment.namespacePath === undefined ? 'host' : { path: attachment.namespacePath },
      pid: namespaceOf(hostConfig.PidMode, 'pid', needs),
      ipc: namespaceOf(hostConfig.IpcMode, 'ipc', needs),
      uts: hostConfig.UTSMode === 'host' ? 'host' : 'new',
      cgroup: hostConfig.CgroupnsMode === 'private' ? 'new' : 'host',
    },
    cgroupsPath: container.cgroupsPath,
    cgroupMode: needs.cgroups.mode,
    resources: resourcesOf(hostConfig, needs.cgroups),
    shmSize: hostConfig.ShmSize ?? 0,
    mounts: [...files, ...specMounts(mounts), ...sharedIpcMounts(hostConfig.IpcMode, needs)],
    devices: (hostConfig.Devices ?? []).flatMap(({ PathOnHost, PathInContainer, CgroupPermissions }) =>
      devicesAt(PathOnHost, PathInContainer || PathOnHost).map((node) => ({
        node,
        access: CgroupPermissions || 'rwm',
      })),
    ),
    privileged: hostConfig.Privileged ?? false,
    capAdd: hostConfig.CapAdd ?? [],
    capDrop: hostConfig.CapDrop ?? [],
    seccomp,
    sysctls: { ...(ownNetwork ? NETWORK_SYSCTLS : {}), ...hostConfig.Sysctls },
    maskedPaths: hostConfig.MaskedPaths ?? [],
    readonlyPaths: hostConfig.ReadonlyPaths ?? [],
  });
}

/** Low ports and ping for every user: the network is the container's own. */
const NETWORK_SYSCTLS = { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' };

/** The largest number that JSON carries exactly stands for no limit; runtimes clamp it to RLIM_INFINITY's range. */
function limit(value: number): number {
  return value < 0 ? Number.MAX_SAFE_INTEGER : value;
}

function namespaceOf(mode: string | undefined, type: 'pid' | 'ipc', needs: LaunchNeeds): Namespace {
  if (mode === 'host') return 'host';
  const other = mode?.startsWith('container:') ? mode.slice('container:'.length) : undefined;
  return other === undefined ? 'new' : { path: `/proc/${needs.pidOf(other)}/ns/${type}` };
}

/** Shared memory goes with the IPC namespace. */
function sharedIpcMounts(mode: string | undefined, needs: LaunchNeeds): SpecMount[] {
  const bind = (source: string, destination: string): SpecMount => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', 'rprivate'],
  });
  if (mode === 'host') return [bind('/dev/shm', '/dev/shm'), bind('/dev/mqueue', '/dev/mqueue')];
  if (!mode?.startsWith('container:')) return [];
  const root = `/proc/${needs.pidOf(mode.slice('container:'.length))}/root`;
  return [bind(`${root}/dev/shm`, '/dev/shm')];
}

const DEFAULT_TARGETS: readonly MountTarget[] = [
  { destination: '/dev', kind: 'folder' },
  { destination: '/proc', kind: 'folder' },
  { destination: '/sys', kind: 'folder' },
  { destination: '/.dockerenv', kind: 'file' }, // programs look for it to learn that they run in a container
];

function mountTargets(mounts: readonly PlannedMount[], files: readonly SpecMount[]): MountTarget[] {
  return [
    ...DEFAULT_TARGETS,
    ...files.map(({ destination }): MountTarget => ({ destination, kind: 'file' })),
    ...mounts.map((mount): MountTarget => {
      const isFile = mount.type === 'bind' && !sourceIsFolder(mount.source);
      return { destination: mount.destination, kind: isFile ? 'file' : 'folder' };
    }),
  ];
}

function sourceIsFolder(source: string): boolean {
  const stat = statSync(source, { throwIfNoEntry: false });
  if (stat) return stat.isDirectory();
  throw new Failure(
    'invalid',
    'MOUNT_SOURCE_MISSING',
    `invalid mount config for type "bind": bind source path does not exist: ${source}`,
  );
}

function writeFiles(container: Container, attachment: Attachment): void {
  const { config, hostConfig } = container.record;
  const hostname = hostnameOf(container);
  const { settings, namespacePath, resolvConf, linked } = attachment;
  const addresses = addressesOf(attachment);
  const gateway = settings.Gateway || Object.values(settings.Networks)[0]?.Gateway || '127.0.0.1';
  const extraHosts = hostConfig.ExtraHosts ?? [];
  const domainname = config.Domainname ?? '';
  const own = hostsFile({ addresses, hostname, domainname, extraHosts, gateway, linked });
  const hosts = namespacePath === undefined && extraHosts.length === 0 ? readFileSync('/etc/hosts', 'utf8') : own;
  writeContainerFiles(container.folder, { hostname: `${hostname}\n`, hosts, resolvConf });
}

/** Docker makes a working directory that the image lacks. One inside a mount is the runtime's to make. */
function makeWorkingFolder(container: Container, root: string): void {
  const { config, mounts } = container.record;
  const path = posix.resolve(config.WorkingDir || '/');
  if (!mounts.some(({ destination }) => `${path}/`.startsWith(`${destination}/`))) makeInside(root, path, 'folder');
}
