import { readFileSync } from 'node:fs';
import { Failure } from '../../lib/error.ts';
import type { Healthcheck } from '../../oci/image-config.ts';
import type { ContainerCreateBody, HostConfig, PortBinding } from '../../wire/container.ts';
import { systemMessage } from '../system-message.ts';
import type { CONTAINER_FLAGS, ContainerFlags } from './container-flags.ts';
import { parseEnvironment, parseLabels, toMap } from './key-values.ts';
import { parseDeviceBytes, parseDeviceTimes, parseDeviceWeight } from './limits.ts';
import { parseTmpfs, parseVolumes } from './mounts.ts';
import { type WantedNetwork, wantedNetworks } from './networks.ts';
import { parseExpose, parsePublish } from './publish.ts';

type Given = ReadonlySet<keyof typeof CONTAINER_FLAGS>;

/** What a container is made of, as the API takes it. Throws a Failure of kind `invalid` for flags that do not fit. */
export function createBody(
  flags: ContainerFlags,
  given: ReadonlySet<string>,
  [image = '', ...command]: readonly string[],
  options: { detach: boolean; env: NodeJS.ProcessEnv },
): ContainerCreateBody {
  // `given` holds names of the caller's table, which contains this one.
  const has = (name: keyof typeof CONTAINER_FLAGS) => (given as Given).has(name);
  const published = flags.publish.flatMap(parsePublish);
  const exposed = [...published.map(({ port }) => port), ...flags.expose.flatMap(parseExpose)];
  const { binds, volumes } = parseVolumes(flags.volume);
  const attach = attachedStreams(flags, options.detach);
  const health = healthcheck(flags, has);
  const env = parseEnvironment(flags.envFile, flags.env, options.env);
  const labels = parseLabels(flags.labelFile, flags.label);
  if (flags.workdir !== '' && !flags.workdir.startsWith('/'))
    throw invalid(`the working directory '${flags.workdir}' is invalid, it needs to be an absolute path`);

  return {
    Image: image,
    ...(command.length > 0 && { Cmd: command }),
    ...(has('entrypoint') && { Entrypoint: [flags.entrypoint] }),
    ...(flags.hostname !== '' && { Hostname: flags.hostname }),
    ...(flags.domainname !== '' && { Domainname: flags.domainname }),
    ...(flags.user !== '' && { User: flags.user }),
    ...(flags.workdir !== '' && { WorkingDir: flags.workdir }),
    ...(flags.stopSignal !== '' && { StopSignal: flags.stopSignal }),
    ...(has('stopTimeout') && { StopTimeout: flags.stopTimeout }),
    ...(flags.macAddress !== '' && { MacAddress: flags.macAddress }),
    ...(env.length > 0 && { Env: env }),
    ...(Object.keys(labels).length > 0 && { Labels: labels }),
    ...(exposed.length > 0 && { ExposedPorts: asSet(exposed) }),
    ...(volumes.length > 0 && { Volumes: asSet(volumes) }),
    ...(health && { Healthcheck: health }),
    Tty: flags.tty,
    OpenStdin: flags.interactive,
    StdinOnce: flags.interactive && attach.AttachStdin,
    ...attach,
    HostConfig: { ...hostConfig(flags, has), ...bindings(published), ...(binds.length > 0 && { Binds: binds }) },
    ...networking(wantedNetworks(flags)),
  };
}

function attachedStreams(flags: ContainerFlags, detach: boolean) {
  const names = flags.attach;
  if (detach && names.length > 0) throw invalid('conflicting options: cannot specify both --attach and --detach');
  const all = names.length === 0;
  return {
    AttachStdin: !detach && (all ? flags.interactive : names.includes('stdin')),
    AttachStdout: !detach && (all || names.includes('stdout')),
    AttachStderr: !detach && (all || names.includes('stderr')),
  };
}

function hostConfig(flags: ContainerFlags, has: (name: keyof typeof CONTAINER_FLAGS) => boolean): HostConfig {
  const restart = parseRestartPolicy(flags.restart);
  if (flags.rm && restart.Name !== '' && restart.Name !== 'no')
    throw invalid('conflicting options: cannot specify both --restart and --rm');
  if (flags.memorySwappiness < -1 || flags.memorySwappiness > 100)
    throw invalid(`invalid value: ${flags.memorySwappiness}. Valid memory swappiness range is 0-100`);
  if (has('cpus') && (has('cpuQuota') || has('cpuPeriod')))
    throw invalid('conflicting options: --cpus cannot be used with --cpu-quota or --cpu-period');
  return {
    NetworkMode: wantedNetworks(flags)[0]?.name ?? 'default',
    RestartPolicy: restart,
    AutoRemove: flags.rm,
    Privileged: flags.privileged,
    PublishAllPorts: flags.publishAll,
    ReadonlyRootfs: flags.readOnly,
    ...some('CapAdd', flags.capAdd),
    ...some('CapDrop', flags.capDrop),
    ...some('Dns', flags.dns),
    ...some('DnsOptions', flags.dnsOption),
    ...some('DnsSearch', flags.dnsSearch),
    ...some('ExtraHosts', flags.addHost),
    ...some('GroupAdd', flags.groupAdd),
    ...some('Links', flags.link),
    ...some('VolumesFrom', flags.volumesFrom),
    ...some('SecurityOpt', flags.securityOpt.map(securityOption)),
    ...some('Ulimits', flags.ulimit),
    ...some('Mounts', flags.mount),
    ...some('Devices', flags.device.map(parseDevice)),
    ...some('DeviceCgroupRules', flags.deviceCgroupRule),
    ...some('BlkioWeightDevice', flags.blkioWeightDevice.map(parseDeviceWeight)),
    ...some('BlkioDeviceReadBps', flags.deviceReadBps.map(parseDeviceBytes)),
    ...some('BlkioDeviceWriteBps', flags.deviceWriteBps.map(parseDeviceBytes)),
    ...some('BlkioDeviceReadIOps', flags.deviceReadIops.map(parseDeviceTimes)),
    ...some('BlkioDeviceWriteIOps', flags.deviceWriteIops.map(parseDeviceTimes)),
    ...(flags.tmpfs.length > 0 && { Tmpfs: parseTmpfs(flags.tmpfs) }),
    ...(flags.sysctl.length > 0 && { Sysctls: toMap(flags.sysctl) }),
    ...((flags.logDriver !== '' || flags.logOpt.length > 0) && {
      LogConfig: { Type: flags.logDriver, Config: toMap(flags.logOpt) },
    }),
    ...word('CgroupParent', flags.cgroupParent),
    ...word('CgroupnsMode', flags.cgroupns),
    ...word('ContainerIDFile', flags.cidfile),
    ...word('CpusetCpus', flags.cpusetCpus),
    ...word('CpusetMems', flags.cpusetMems),
    ...word('IpcMode', flags.ipc),
    ...word('Isolation', flags.isolation),
    ...word('PidMode', flags.pid),
    ...word('Runtime', flags.runtime),
    ...word('UTSMode', flags.uts),
    ...word('UsernsMode', flags.userns),
    ...word('VolumeDriver', flags.volumeDriver),
    ...(has('blkioWeight') && { BlkioWeight: flags.blkioWeight }),
    ...(has('cpuPeriod') && { CpuPeriod: flags.cpuPeriod }),
    ...(has('cpuQuota') && { CpuQuota: flags.cpuQuota }),
    ...(has('cpuShares') && { CpuShares: flags.cpuShares }),
    ...(has('cpus') && { NanoCpus: flags.cpus }),
    ...(has('init') && { Init: flags.init }),
    ...(has('memory') && { Memory: flags.memory }),
    ...(has('memoryReservation') && { MemoryReservation: flags.memoryReservation }),
    ...(has('memorySwap') && { MemorySwap: flags.memorySwap }),
    ...(has('memorySwappiness') && { MemorySwappiness: flags.memorySwappiness }),
    ...(has('oomKillDisable') && { OomKillDisable: flags.oomKillDisable }),
    ...(has('oomScoreAdj') && { OomScoreAdj: flags.oomScoreAdj }),
    ...(has('pidsLimit') && { PidsLimit: flags.pidsLimit }),
    ...(has('shmSize') && { ShmSize: flags.shmSize }),
  };
}

function healthcheck(
  flags: ContainerFlags,
  has: (name: keyof typeof CONTAINER_FLAGS) => boolean,
): Healthcheck | undefined {
  const settings: Healthcheck = {
    ...(flags.healthCmd !== '' && { Test: ['CMD-SHELL', flags.healthCmd] }),
    ...(has('healthInterval') && { Interval: flags.healthInterval }),
    ...(has('healthTimeout') && { Timeout: flags.healthTimeout }),
    ...(has('healthStartPeriod') && { StartPeriod: flags.healthStartPeriod }),
    ...(has('healthStartInterval') && { StartInterval: flags.healthStartInterval }),
    ...(has('healthRetries') && { Retries: flags.healthRetries }),
  };
  const asked = Object.keys(settings).length > 0;
  if (flags.noHealthcheck) {
    if (asked) throw invalid('--no-healthcheck conflicts with --health-* options');
    return { Test: ['NONE'] };
  }
  for (const [name, value] of [
    ['interval', flags.healthInterval],
    ['timeout', flags.healthTimeout],
    ['retries', flags.healthRetries],
    ['start-period', flags.healthStartPeriod],
    ['start-interval', flags.healthStartInterval],
  ] as const)
    if (value < 0) throw invalid(`--health-${name} cannot be negative`);
  return asked ? settings : undefined;
}

/** Endpoints, when something about them was asked for beyond the name of one network. */
function networking(networks: readonly WantedNetwork[]): Pick<ContainerCreateBody, 'NetworkingConfig'> {
  if (networks.length <= 1 && networks.every(({ endpoint }) => Object.keys(endpoint).length === 0)) return {};
  const EndpointsConfig = Object.fromEntries(networks.map(({ name, endpoint }) => [name, endpoint]));
  return { NetworkingConfig: { EndpointsConfig } };
}

function bindings(published: readonly { port: string; binding: PortBinding }[]): Pick<HostConfig, 'PortBindings'> {
  const map: Record<string, PortBinding[]> = {};
  for (const { port, binding } of published) map[port] = [...(map[port] ?? []), binding];
  return published.length > 0 ? { PortBindings: map } : {};
}

/** Parses `on-failure:3`. */
export function parseRestartPolicy(text: string): { Name: string; MaximumRetryCount: number } {
  const [name = '', count, ...more] = text.split(':');
  if (more.length > 0) throw invalid('invalid restart policy format: maximum retry count must be an integer');
  if (name === '' && text !== '') throw invalid('invalid restart policy format: no policy provided before colon');
  if (count !== undefined && !/^-?\d+$/.test(count))
    throw invalid('invalid restart policy format: maximum retry count must be an integer');
  return { Name: name, MaximumRetryCount: Number(count ?? 0) };
}

/** A seccomp profile is a file of the client: its content goes to the host. */
function securityOption(option: string): string {
  const match = /^seccomp[=:](.*)$/.exec(option);
  const path = match?.[1];
  if (path === undefined || path === 'unconfined' || path === 'builtin') return option;
  try {
    return `seccomp=${JSON.stringify(JSON.parse(readFileSync(path, 'utf8')))}`;
  } catch (error) {
    throw invalid(`opening seccomp profile (${path}) failed: open ${path}: ${systemMessage(error)}`);
  }
}

function parseDevice(text: string): { PathOnHost: string; PathInContainer: string; CgroupPermissions: string } {
  const [source = '', second, third] = text.split(':');
  const isMode = (part: string | undefined) => part !== undefined && /^[rwm]{1,3}$/.test(part);
  const target = second === undefined || (third === undefined && isMode(second)) ? source : second;
  const mode = third ?? (isMode(second) ? second : 'rwm') ?? 'rwm';
  if (!source.startsWith('/')) throw invalid(`${source} is not an absolute path`);
  if (!target.startsWith('/') || !isMode(mode)) throw invalid(`bad format for device: "${text}"`);
  return { PathOnHost: source, PathInContainer: target, CgroupPermissions: mode };
}

function asSet(names: readonly string[]): Record<string, Record<string, never>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

function some<Name extends string, T>(name: Name, values: readonly T[]): { [key in Name]?: T[] } {
  return values.length === 0 ? {} : ({ [name]: [...values] } as { [key in Name]?: T[] }); // the one key is Name
}

function word<Name extends string>(name: Name, value: string): { [key in Name]?: string } {
  return value === '' ? {} : ({ [name]: value } as { [key in Name]?: string }); // the one key is Name
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'RUN_FLAGS', message);
}
