import { existsSync } from 'node:fs';
import { hostname as machineName } from 'node:os';
import type { Cgroups } from '../host/cgroup.ts';
import { devicesAt } from '../host/devices.ts';
import type { Keepers } from '../host/keeper/keeper-client.ts';
import type { Attachment } from '../host/network/attachment.ts';
import type { Runtime } from '../host/runtime.ts';
import { type Namespace, type ProcessOptions, runtimeSpec, type SpecMount } from '../host/spec.ts';
import { argumentsOf } from './config.ts';
import type { Container } from './container.ts';
import { parseDeviceRule } from './device-rules.ts';
import { containerEnvironment } from './environment.ts';
import { boundMounts, type HostMounts } from './host-mounts.ts';
import { hasInit, INIT_PATH } from './init.ts';
import { type FindContainer, linkEnvironment } from './links.ts';
import { specMounts } from './mount-forms.ts';
import { resourcesOf } from './options.ts';
import { securityOf } from './security.ts';
import { ownSharedMemory } from './shared-memory.ts';
import { type ResolvedUser, resolveUser } from './user.ts';

export interface LaunchNeeds {
  readonly runtime: Runtime;
  readonly cgroups: Cgroups;
  /** See `startProcess`. */
  readonly runFolder: string;
  readonly keepers: Keepers;
  readonly hostMounts: HostMounts;
  readonly find: FindContainer;
  /** Process ID of another container's first process. */
  readonly pidOf: (container: string) => number;
  /** Where another container's shared memory is mounted; refused when it does not share it. */
  readonly sharedMemoryOf: (container: string) => string;
}

/** The config.json of a container whose root file system is mounted at `root`. `files` are the host's own mounts. */
export function specOf(
  container: Container,
  root: string,
  attachment: Attachment,
  files: readonly SpecMount[],
  needs: LaunchNeeds,
) {
  const { config, hostConfig, mounts } = container.record;
  const user = resolveUser(root, config.User ?? '', hostConfig.GroupAdd ?? []);
  const { seccomp } = securityOf(hostConfig);
  const ipcMounts = sharedIpcMounts(container, needs);
  const taken = new Set(mounts.map((mount) => mount.destination));
  const ownNetwork = attachment.namespacePath !== undefined;
  return runtimeSpec({
    process: processOf(container, {
      args: hasInit(container) ? [INIT_PATH, '--', ...argumentsOf(config)] : argumentsOf(config),
      linkEnv: linkEnvironment(container.name, attachment, needs.find),
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
    shmSize: hostConfig.IpcMode === 'none' ? undefined : (hostConfig.ShmSize ?? 0),
    mounts: [
      ...ipcMounts.filter(({ destination }) => !taken.has(destination)),
      ...files,
      ...specMounts(boundMounts(mounts)),
    ],
    devices: (hostConfig.Devices ?? []).flatMap(({ PathOnHost, PathInContainer, CgroupPermissions }) =>
      devicesAt(PathOnHost, PathInContainer || PathOnHost).map((node) => ({
        node,
        access: CgroupPermissions || 'rwm',
      })),
    ),
    deviceRules: (hostConfig.DeviceCgroupRules ?? []).map(parseDeviceRule),
    privileged: hostConfig.Privileged ?? false,
    capAdd: hostConfig.CapAdd ?? [],
    capDrop: hostConfig.CapDrop ?? [],
    seccomp,
    sysctls: { ...(ownNetwork ? NETWORK_SYSCTLS : {}), ...hostConfig.Sysctls },
    maskedPaths: hostConfig.MaskedPaths ?? [],
    readonlyPaths: hostConfig.ReadonlyPaths ?? [],
    annotations: hostConfig.Annotations ?? {},
  });
}

/** A process of the container in the runtime's form: its first one, or one that `exec` starts. */
export function processOf(
  container: Container,
  options: {
    readonly args: readonly string[];
    readonly linkEnv: readonly string[];
    readonly env: readonly string[];
    readonly cwd: string;
    readonly user: ResolvedUser;
    readonly tty: boolean;
  },
): Omit<ProcessOptions, 'capabilities'> {
  const { hostConfig } = container.record;
  const { args, linkEnv, env, cwd, user, tty } = options;
  return {
    args,
    env: containerEnvironment({ linkEnv, env, hostname: hostnameOf(container), home: user.home, tty }),
    cwd: cwd || '/',
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    terminal: tty,
    ulimits: (hostConfig.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({
      name: Name,
      soft: limit(Soft),
      hard: limit(Hard),
    })),
    noNewPrivileges: securityOf(hostConfig).noNewPrivileges,
    oomScoreAdj: hostConfig.OomScoreAdj ?? 0,
  };
}

/** The host's name for a container on the host's network, else its own. */
export function hostnameOf(container: Container): string {
  const { config, hostConfig } = container.record;
  return config.Hostname || (hostConfig.NetworkMode === 'host' ? machineName() : container.id.slice(0, 12));
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
function sharedIpcMounts(container: Container, needs: LaunchNeeds): SpecMount[] {
  const mode = container.record.hostConfig.IpcMode ?? '';
  const bind = (source: string, destination: string): SpecMount => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', 'rprivate'],
  });
  if (mode === 'host')
    return ['/dev/shm', '/dev/mqueue'].filter((path) => existsSync(path)).map((path) => bind(path, path));
  const own = ownSharedMemory(container);
  if (own !== undefined) return [bind(own, '/dev/shm')];
  if (!mode.startsWith('container:')) return [];
  return [bind(needs.sharedMemoryOf(mode.slice('container:'.length)), '/dev/shm')];
}
