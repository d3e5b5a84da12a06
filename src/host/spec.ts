import { containerCapabilities } from './capabilities.ts';
import type { CgroupMode } from './cgroup.ts';
import { type DeviceNode, type DeviceRule, hostDevices } from './devices.ts';
import { defaultSeccomp, type Seccomp } from './seccomp.ts';
import { seccompProgram } from './seccomp-program.ts';

/** What a container may use. Bytes and microseconds; a missing value is no limit. */
export interface Resources {
  readonly memory?: number;
  /** Memory and swap together; -1 is unlimited. Only where the host can limit swap. */
  readonly memorySwap?: number;
  readonly memoryReservation?: number;
  /** 0 to 100; v1 only. */
  readonly memorySwappiness?: number;
  readonly disableOomKiller?: boolean;
  readonly cpuShares?: number;
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  /** Of real-time scheduling; v1 only. */
  readonly realtimePeriod?: number;
  readonly realtimeRuntime?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly pids?: number;
  readonly blockIo?: BlockIo;
}

/** Weights and rates of block devices, as the runtime specification has them. */
export interface BlockIo {
  readonly weight?: number;
  readonly weightDevice?: readonly { readonly major: number; readonly minor: number; readonly weight: number }[];
  readonly throttleReadBpsDevice?: readonly DeviceRate[];
  readonly throttleWriteBpsDevice?: readonly DeviceRate[];
  readonly throttleReadIOPSDevice?: readonly DeviceRate[];
  readonly throttleWriteIOPSDevice?: readonly DeviceRate[];
}

interface DeviceRate {
  readonly major: number;
  readonly minor: number;
  /** Bytes or operations a second. */
  readonly rate: number;
}

/** A mount in the runtime specification's form. */
export interface SpecMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** `new` is one of its own, `host` the host's, a path that of a namespace file (`/proc/<pid>/ns/<type>`). */
export type Namespace = 'new' | 'host' | { readonly path: string };

export interface ProcessOptions {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] };
  readonly terminal: boolean;
  readonly capabilities: readonly string[];
  /** Names without the RLIMIT_ prefix, lower case (`nofile`). */
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj: number;
}

export interface SpecOptions {
  readonly process: Omit<ProcessOptions, 'capabilities'>;
  /** Absolute path of the root file system, mounted. */
  readonly root: string;
  readonly readonlyRoot: boolean;
  /** Undefined when the host's is shared. */
  readonly hostname: string | undefined;
  readonly domainname: string | undefined;
  readonly namespaces: {
    readonly network: Namespace;
    readonly pid: Namespace;
    readonly ipc: Namespace;
    readonly uts: Namespace;
    readonly cgroup: 'new' | 'host';
  };
  /** Path below the cgroup root, `/strake/<id>`. */
  readonly cgroupsPath: string;
  readonly cgroupMode: CgroupMode;
  readonly resources: Resources;
  /** Bytes of /dev/shm; undefined for none. */
  readonly shmSize: number | undefined;
  /** After the default ones; one at the same destination takes its place. */
  readonly mounts: readonly SpecMount[];
  readonly devices: readonly { readonly node: DeviceNode; readonly access: string }[];
  /** Further devices that the container may use, once it has a node for them. */
  readonly deviceRules: readonly DeviceRule[];
  readonly privileged: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly seccomp: 'default' | 'unconfined' | Seccomp;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  /** For the runtime and those who look at its state. */
  readonly annotations?: Readonly<Record<string, string>>;
}

export const DEFAULT_MASKED_PATHS: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

export const DEFAULT_READONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** The config.json of a container. https://github.com/opencontainers/runtime-spec/blob/main/config.md */
export function runtimeSpec(options: SpecOptions): Record<string, unknown> {
  const { privileged } = options;
  const capabilities = containerCapabilities({ privileged, add: options.capAdd, drop: options.capDrop });
  const unconfined = privileged || options.seccomp === 'unconfined';
  const filter = typeof options.seccomp === 'object' ? options.seccomp : defaultSeccomp(capabilities);
  const seccomp = unconfined ? undefined : filter;
  const program = seccomp && seccompProgram(seccomp);
  return {
    ociVersion: '1.0.2',
    process: processSpec({ ...options.process, capabilities }),
    root: { path: options.root, readonly: options.readonlyRoot },
    hostname: options.hostname,
    domainname: options.domainname,
    mounts: allMounts(options),
    linux: {
      sysctl: options.sysctls,
      namespaces: namespaceList(options),
      cgroupsPath: options.cgroupMode === 'none' ? undefined : options.cgroupsPath,
      resources: options.cgroupMode === 'none' ? undefined : resourceLimits(options),
      devices: [...(privileged ? hostDevices() : []), ...options.devices.map(({ node }) => node)],
      maskedPaths: privileged ? undefined : options.maskedPaths,
      readonlyPaths: privileged ? undefined : options.readonlyPaths,
      seccomp,
    },
    // crun takes the filter ready for the kernel; runc looks at `seccomp` alone.
    annotations: { ...options.annotations, ...(program === undefined ? {} : { 'run.oci.seccomp_bpf_data': program }) },
  };
}

/** The process part of a config.json, which is also what `exec` takes. */
export function processSpec(options: ProcessOptions): Record<string, unknown> {
  const { capabilities } = options;
  return {
    terminal: options.terminal,
    user: options.user,
    args: options.args,
    env: options.env,
    cwd: options.cwd,
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    rlimits: options.ulimits.map(({ name, soft, hard }) => ({ type: `RLIMIT_${name.toUpperCase()}`, soft, hard })),
    noNewPrivileges: options.noNewPrivileges,
    oomScoreAdj: options.oomScoreAdj,
  };
}

/** The resources part of a config.json, which is also what `update` takes. */
export function resourceSpec(resources: Resources): Record<string, unknown> {
  return {
    memory: {
      limit: resources.memory,
      swap: resources.memorySwap,
      reservation: resources.memoryReservation,
      swappiness: resources.memorySwappiness,
      disableOOMKiller: resources.disableOomKiller,
    },
    cpu: {
      shares: resources.cpuShares,
      period: resources.cpuPeriod,
      quota: resources.cpuQuota,
      realtimePeriod: resources.realtimePeriod,
      realtimeRuntime: resources.realtimeRuntime,
      cpus: resources.cpusetCpus,
      mems: resources.cpusetMems,
    },
    pids: resources.pids === undefined ? undefined : { limit: resources.pids },
    blockIO: resources.blockIo,
  };
}

function resourceLimits(options: SpecOptions): Record<string, unknown> {
  const rules: DeviceRule[] = options.privileged
    ? [{ allow: true, access: 'rwm' }]
    : [
        { allow: false, access: 'rwm' },
        ...options.devices.map(({ node, access }) => ({
          allow: true,
          type: node.type,
          major: node.major,
          minor: node.minor,
          access,
        })),
        ...options.deviceRules,
      ];
  return { ...resourceSpec(options.resources), devices: rules };
}

function namespaceList(options: SpecOptions): { type: string; path?: string }[] {
  const { network, pid, ipc, uts, cgroup } = options.namespaces;
  const wanted: [string, Namespace][] = [
    ['mount', 'new'],
    ['network', network],
    ['pid', pid],
    ['ipc', ipc],
    ['uts', uts],
    ['cgroup', cgroup],
  ];
  return wanted.flatMap(([type, namespace]) => {
    if (namespace === 'host') return [];
    return namespace === 'new' ? { type } : { type, path: namespace.path };
  });
}

const LOCKED = ['nosuid', 'noexec', 'nodev'];

/** The default mounts and the container's own, outer ones first. */
function allMounts(options: SpecOptions): SpecMount[] {
  const { privileged, shmSize } = options;
  const readOnly = privileged ? [] : ['ro'];
  const mounts: SpecMount[] = [
    { destination: '/proc', type: 'proc', source: 'proc', options: LOCKED },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...LOCKED, ...readOnly] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: LOCKED },
  ];
  if (shmSize !== undefined)
    mounts.push({
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: [...LOCKED, 'mode=1777', `size=${shmSize}`],
    });
  if (options.cgroupMode !== 'none')
    mounts.push({
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [...LOCKED, ...readOnly],
    });
  const own = new Set(options.mounts.map((mount) => mount.destination));
  return [...mounts.filter((mount) => !own.has(mount.destination)), ...options.mounts].sort(
    (a, b) => depth(a.destination) - depth(b.destination),
  );
}

function depth(path: string): number {
  return path.split('/').filter(Boolean).length;
}
