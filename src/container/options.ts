import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { containerCapabilities } from '../host/capabilities.ts';
import type { Cgroups } from '../host/cgroup.ts';
import { DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS, type Resources } from '../host/spec.ts';
import { Failure } from '../lib/error.ts';
import { signalNumber } from '../lib/signal-number.ts';
import type { Healthcheck } from '../oci/image-config.ts';
import type { ContainerConfig, HostConfig } from '../wire/container.ts';
import { blockIoOf, supportedWeights } from './block-io.ts';
import { checkCpuSet } from './cpu-set.ts';
import { parseDeviceRule } from './device-rules.ts';
import { logLimits } from './log-options.ts';
import { securityOf } from './security.ts';

export const DEFAULT_SHM_SIZE = 64 << 20;
const MINIMUM_MEMORY = 6 << 20;
const CPU_PERIOD = 100_000;

/** A HostConfig with the defaults that Docker shows, checked. What this machine cannot limit is left out, with a warning. */
export function normaliseHostConfig(
  asked: HostConfig,
  cgroups: Cgroups,
): { readonly hostConfig: HostConfig; readonly warnings: string[] } {
  const warnings: string[] = [];
  const { Memory: memory = 0 } = asked;
  const isOpen = asked.Privileged || securityOf(asked).openSystemPaths;
  const hostConfig: HostConfig = {
    ...UNSET,
    ...asked,
    Binds: asked.Binds ?? null,
    LogConfig: { Type: asked.LogConfig?.Type || 'json-file', Config: asked.LogConfig?.Config ?? {} },
    NetworkMode: normalNetwork(asked.NetworkMode),
    PortBindings: asked.PortBindings ?? {},
    RestartPolicy: {
      Name: asked.RestartPolicy?.Name || 'no',
      MaximumRetryCount: asked.RestartPolicy?.MaximumRetryCount ?? 0,
    },
    AutoRemove: asked.AutoRemove ?? false,
    CapAdd: asked.CapAdd ?? null,
    CapDrop: asked.CapDrop ?? null,
    CgroupnsMode: asked.CgroupnsMode || (cgroups.mode === 'v2' ? 'private' : 'host'),
    Dns: asked.Dns ?? [],
    DnsOptions: asked.DnsOptions ?? [],
    DnsSearch: asked.DnsSearch ?? [],
    IpcMode: asked.IpcMode || 'private',
    PidMode: asked.PidMode ?? '',
    UTSMode: asked.UTSMode ?? '',
    SecurityOpt: labelled(asked),
    OomScoreAdj: asked.OomScoreAdj ?? 0,
    Privileged: asked.Privileged ?? false,
    PublishAllPorts: asked.PublishAllPorts ?? false,
    ReadonlyRootfs: asked.ReadonlyRootfs ?? false,
    ShmSize: asked.ShmSize || DEFAULT_SHM_SIZE,
    Runtime: asked.Runtime || 'runc',
    Memory: memory,
    // Docker's default: as much swap again as memory.
    MemorySwap: asked.MemorySwap || (memory > 0 && cgroups.swap ? 2 * memory : 0),
    MemorySwappiness: asked.MemorySwappiness === -1 ? null : (asked.MemorySwappiness ?? null),
    OomKillDisable: asked.OomKillDisable ?? false,
    PidsLimit: (asked.PidsLimit ?? 0) > 0 ? (asked.PidsLimit ?? null) : null,
    MaskedPaths: isOpen ? null : (asked.MaskedPaths ?? [...DEFAULT_MASKED_PATHS]),
    ReadonlyPaths: isOpen ? null : (asked.ReadonlyPaths ?? [...DEFAULT_READONLY_PATHS]),
  };
  checkLimits(asked);
  checkRealtime(asked, cgroups);
  Object.assign(hostConfig, supportedWeights(hostConfig, cgroups, warnings));
  checkModes(hostConfig);
  checkUnsupported(hostConfig);
  if (memory > 0 && (asked.MemorySwap ?? 0) !== 0 && !cgroups.swap) {
    hostConfig.MemorySwap = -1;
    warnings.push('Your kernel does not support swap limit capabilities. Memory limited without swap.');
  }
  if (asked.OomKillDisable && memory === 0 && cgroups.mode !== 'v2')
    warnings.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    );
  if ((asked.Ulimits ?? []).some(({ Soft, Hard }) => Hard !== -1 && (Soft > Hard || Soft === -1)))
    throw invalid('ulimit soft limit must be less than or equal to hard limit');
  return { hostConfig, warnings };
}

/** No SELinux label separates processes that see the machine's from them, unless one was asked for. */
function labelled({ Privileged, IpcMode, PidMode, SecurityOpt }: HostConfig): string[] | null {
  const asked = SecurityOpt ?? [];
  const seesMachine = Privileged === true || IpcMode === 'host' || PidMode === 'host';
  if (!seesMachine || asked.some((option) => /^label[=:]/.test(option))) return SecurityOpt ?? null;
  return [...asked, 'label=disable'];
}

/** What Docker shows for options that were not given. */
const UNSET: HostConfig = {
  ContainerIDFile: '',
  VolumeDriver: '',
  VolumesFrom: null,
  ConsoleSize: [0, 0],
  ExtraHosts: null,
  GroupAdd: null,
  Cgroup: '',
  Links: null,
  SecurityOpt: null,
  UsernsMode: '',
  Isolation: '',
  CpuShares: 0,
  NanoCpus: 0,
  CgroupParent: '',
  BlkioWeight: 0,
  BlkioWeightDevice: [],
  BlkioDeviceReadBps: [],
  BlkioDeviceWriteBps: [],
  BlkioDeviceReadIOps: [],
  BlkioDeviceWriteIOps: [],
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: '',
  CpusetMems: '',
  Devices: [],
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MemoryReservation: 0,
  Ulimits: [],
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
};

/** Checks what is free text in a container's own config. */
export function checkConfig(config: ContainerConfig): void {
  const { WorkingDir = '', Hostname = '', Domainname = '' } = config;
  if (WorkingDir !== '' && !WorkingDir.startsWith('/'))
    throw invalid(`the working directory '${WorkingDir}' is invalid, it needs to be an absolute path`);
  for (const [what, name] of [
    ['hostname', Hostname],
    ['domainname', Domainname],
  ] as const)
    if (Buffer.byteLength(name) > 64 || /[\0\r\n]/.test(name)) throw invalid(`invalid ${what} format: ${name}`);
  if (config.StopSignal) signalNumber(config.StopSignal);
  checkHealth(config.Healthcheck);
  for (const entry of config.Env ?? [])
    if (entry.startsWith('=') || entry === '' || entry.includes('\0'))
      throw invalid(`invalid environment variable: ${entry}`);
}

/** Zeros stand for the default. */
function checkHealth(check: Healthcheck | undefined): void {
  for (const field of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    const value = check?.[field] ?? 0;
    if (value !== 0 && value < SHORTEST_HEALTH_TIME) throw invalid(`${field} in Healthcheck cannot be less than 1ms`);
  }
  if ((check?.Retries ?? 0) < 0) throw invalid('Retries in Healthcheck cannot be negative');
}

/** Nanoseconds. */
const SHORTEST_HEALTH_TIME = 1e6;

/** The limits in the runtime's form. */
export function resourcesOf(host: HostConfig, cgroups: Cgroups): Resources {
  const nano = host.NanoCpus ?? 0;
  const period = nano > 0 ? CPU_PERIOD : host.CpuPeriod;
  const quota = nano > 0 ? Math.round((nano / 1e9) * CPU_PERIOD) : host.CpuQuota;
  const swap = host.Memory && cgroups.swap ? host.MemorySwap : undefined;
  const blockIo = blockIoOf(host);
  return {
    ...(host.Memory ? { memory: host.Memory } : {}),
    ...(swap ? { memorySwap: swap } : {}),
    ...(host.MemoryReservation ? { memoryReservation: host.MemoryReservation } : {}),
    ...(typeof host.MemorySwappiness === 'number' ? { memorySwappiness: host.MemorySwappiness } : {}),
    ...(host.OomKillDisable && cgroups.mode !== 'v2' ? { disableOomKiller: true } : {}),
    ...(host.CpuShares ? { cpuShares: host.CpuShares } : {}),
    ...(period ? { cpuPeriod: period } : {}),
    ...(quota ? { cpuQuota: quota } : {}),
    ...(host.CpuRealtimePeriod ? { realtimePeriod: host.CpuRealtimePeriod } : {}),
    ...(host.CpuRealtimeRuntime ? { realtimeRuntime: host.CpuRealtimeRuntime } : {}),
    ...(host.CpusetCpus ? { cpusetCpus: host.CpusetCpus } : {}),
    ...(host.CpusetMems ? { cpusetMems: host.CpusetMems } : {}),
    ...(host.PidsLimit ? { pids: host.PidsLimit } : {}),
    ...(blockIo ? { blockIo } : {}),
  };
}

function normalNetwork(mode: string | undefined): string {
  return !mode || mode === 'default' ? 'bridge' : mode;
}

function checkLimits(host: HostConfig): void {
  const { Memory = 0, MemorySwap = 0, MemoryReservation = 0, NanoCpus = 0, OomScoreAdj = 0, ShmSize = 0 } = host;
  if (Memory < 0 || (Memory > 0 && Memory < MINIMUM_MEMORY)) throw invalid('Minimum memory limit allowed is 6MB');
  if (Memory > 0 && MemorySwap > 0 && MemorySwap < Memory)
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  if (Memory === 0 && MemorySwap > 0)
    throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
  if (MemoryReservation > 0 && Memory > 0 && Memory < MemoryReservation)
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage');
  if (MemoryReservation > 0 && MemoryReservation < MINIMUM_MEMORY)
    throw invalid('Minimum memory reservation allowed is 6MB');
  checkCpus(host);
  if (NanoCpus > 0 && host.CpuPeriod) throw invalid('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  if (NanoCpus > 0 && host.CpuQuota) throw invalid('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  if (host.CpuPeriod && (host.CpuPeriod < 1000 || host.CpuPeriod > 1_000_000))
    throw invalid('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  if (host.CpuQuota && host.CpuQuota > 0 && host.CpuQuota < 1000)
    throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  checkCpuSet('cpus', host.CpusetCpus ?? '');
  checkCpuSet('mems', host.CpusetMems ?? '');
  if ((host.CpuShares ?? 0) < 0) throw invalid(`invalid CPU shares ${host.CpuShares}`);
  if (Math.abs(OomScoreAdj) > 1000)
    throw invalid(`Invalid value ${OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  if (ShmSize < 0) throw invalid('SHM size can not be less than 0');
  const swappiness = host.MemorySwappiness ?? -1;
  if (swappiness < -1 || swappiness > 100)
    throw invalid(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
}

/** Refuses more processors than there are. */
export function checkCpus({ NanoCpus = 0 }: HostConfig): void {
  const cpus = availableParallelism();
  if (NanoCpus < 0 || NanoCpus > cpus * 1e9)
    throw invalid(`Range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`);
}

function checkRealtime(
  { CpuRealtimePeriod: period = 0, CpuRealtimeRuntime: runtime = 0 }: HostConfig,
  cgroups: Cgroups,
) {
  if (period === 0 && runtime === 0) return;
  const tree = cgroups.mode === 'v2' ? undefined : cgroups.controllers.get('cpu');
  if (tree === undefined || !existsSync(join(tree, 'cpu.rt_runtime_us')))
    throw invalid('kernel does not support CPU real-time scheduler');
  if (period !== 0 && runtime > period)
    throw invalid('cpu real-time runtime cannot be higher than cpu real-time period');
}

function checkModes(host: HostConfig): void {
  const { Name = 'no', MaximumRetryCount = 0 } = host.RestartPolicy ?? {};
  if (!['no', 'always', 'unless-stopped', 'on-failure'].includes(Name))
    throw invalid(
      `invalid restart policy: unknown policy '${Name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  if (MaximumRetryCount < 0) throw invalid('invalid restart policy: maximum retry count cannot be negative');
  if (MaximumRetryCount !== 0 && Name !== 'on-failure')
    throw invalid(`invalid restart policy: maximum retry count can only be used with 'on-failure'`);
  if (host.AutoRemove && Name !== 'no') throw invalid("can't create 'AutoRemove' container with restart policy");
  for (const [what, mode, allowed] of [
    ['invalid IPC mode', host.IpcMode ?? '', /^(private|host|none|shareable|container:.+)$/],
    ['Invalid PID mode', host.PidMode ?? '', /^(|private|host|container:.+)$/],
    ['invalid UTS mode', host.UTSMode ?? '', /^(|private|host)$/],
    ['invalid cgroup namespace mode', host.CgroupnsMode ?? '', /^(private|host)$/],
  ] as const)
    if (!allowed.test(mode)) throw invalid(`${what}: ${mode}`);
  for (const entry of host.ExtraHosts ?? []) checkExtraHost(entry);
  if (host.LogConfig) logLimits(host.LogConfig);
  securityOf(host);
  containerCapabilities({ add: host.CapAdd ?? [], drop: host.CapDrop ?? [] });
}

/** `name:address`, where the address may be the word for the host's own. */
function checkExtraHost(entry: string): void {
  const [, name = '', address = ''] = /^([^:]*):(.*)$/s.exec(entry) ?? [];
  if (name === '') throw invalid(`bad format for add-host: "${entry}"`);
  if (address !== 'host-gateway' && isIP(address) === 0) throw invalid(`invalid IP address in add-host: "${address}"`);
}

/** Options that Docker knows and this host cannot follow. */
function checkUnsupported(host: HostConfig): void {
  const { Isolation = '', Runtime = '', StorageOpt = {}, DeviceRequests, Annotations = {} } = host;
  if ('' in Annotations) throw invalid('invalid Annotations: the empty string is not permitted as an annotation key');
  if (Isolation !== '' && Isolation !== 'default')
    throw invalid(`Invalid isolation: "${Isolation}" - linux only supports 'default'`);
  if (!RUNTIMES.has(Runtime)) throw invalid(`unknown or invalid runtime name: ${Runtime}`);
  const unknown = Object.keys(StorageOpt).find((option) => option.toLowerCase() !== 'size');
  if (unknown !== undefined) throw invalid(`Unknown option ${unknown}`);
  if (Object.keys(StorageOpt).length > 0)
    throw invalid(`--storage-opt is supported only for overlay over xfs with 'pquota' mount option`);
  const [request] = DeviceRequests ?? [];
  if (request)
    throw invalid(
      `could not select device driver "${request.Driver}" with capabilities: [${request.Capabilities.map((all) => `[${all.join(' ')}]`).join(' ')}]`,
    );
  for (const rule of host.DeviceCgroupRules ?? []) parseDeviceRule(rule);
}

/** Names under which clients ask for the one runtime of this host. */
const RUNTIMES = new Set(['', 'runc', 'crun', 'io.containerd.runc.v2']);

function invalid(message: string): Failure {
  return new Failure('invalid', 'OPTIONS_INVALID', message);
}
