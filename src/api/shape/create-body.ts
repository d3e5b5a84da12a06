import type { ContainerConfig, ContainerCreateBody, EndpointConfig, HostConfig } from '../../wire/container.ts';
import { type Check, flag, integer, list, map, nothing, nullable, object, text, words } from '../check.ts';

const healthcheck = object({
  Test: words,
  Interval: integer,
  Timeout: integer,
  StartPeriod: integer,
  StartInterval: integer,
  Retries: integer,
});

const configFields = {
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ExposedPorts: map(nothing),
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: list(text),
  Cmd: words,
  Healthcheck: healthcheck,
  ArgsEscaped: flag,
  Image: text,
  Volumes: map(nothing),
  WorkingDir: text,
  Entrypoint: words,
  NetworkDisabled: flag,
  MacAddress: text,
  OnBuild: list(text),
  Labels: map(text),
  StopSignal: text,
  StopTimeout: integer,
  Shell: words,
};

/** The `Config` of a container, alone. */
export const containerConfig: Check<ContainerConfig> = object(configFields);

const portBindings = map(nullable(list((value, at) => ({ HostIp: '', HostPort: '', ...portBinding(value, at) }))));
const portBinding = object({ HostIp: text, HostPort: text });

const ulimits = list((value: unknown, at: string) => ({ Name: '', Soft: 0, Hard: 0, ...ulimit(value, at) }));
const ulimit = object({ Name: text, Soft: integer, Hard: integer });

/** Of POST /build too. */
export const ulimitList = ulimits;

const mount = object({
  Source: text,
  ReadOnly: flag,
  BindOptions: object({
    Propagation: text,
    NonRecursive: flag,
    CreateMountpoint: flag,
    ReadOnlyNonRecursive: flag,
    ReadOnlyForceRecursive: flag,
  }),
  VolumeOptions: object({
    NoCopy: flag,
    Labels: map(text),
    DriverConfig: object({ Name: text, Options: map(text) }),
    Subpath: text,
  }),
  ImageOptions: object({ Subpath: text }),
  TmpfsOptions: object({ SizeBytes: integer, Mode: integer, Options: list(list(text)) }),
});
const mountKey = object({ Type: text, Target: text });

/** Height and width of a terminal; zeros mean that the client knows none. */
export const consoleSize: Check<[number, number] | undefined> = (value, at) => {
  const [height = 0, width = 0] = list(integer)(value, at);
  return height > 0 && width > 0 ? [height, width] : undefined;
};

const deviceRate = object({ Path: text, Rate: integer });
const deviceRates = list((value: unknown, at: string) => ({ Path: '', Rate: 0, ...deviceRate(value, at) }));
const deviceWeight = object({ Path: text, Weight: integer });
const deviceRequest = object({ Driver: text, Capabilities: list(list(text)) });

const device = object({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text });
const restartPolicy = object({ Name: text, MaximumRetryCount: integer });
const logConfig = object({ Type: text, Config: map(text) });

const hostConfigFields = {
  Binds: list(text),
  ContainerIDFile: text,
  LogConfig: (value: unknown, at: string) => ({ Type: '', Config: {}, ...logConfig(value, at) }),
  NetworkMode: text,
  PortBindings: portBindings,
  RestartPolicy: (value: unknown, at: string) => ({ Name: '', ...restartPolicy(value, at) }),
  AutoRemove: flag,
  VolumesFrom: list(text),
  CapAdd: words,
  CapDrop: words,
  CgroupnsMode: text,
  Dns: list(text),
  DnsOptions: list(text),
  DnsSearch: list(text),
  ExtraHosts: list(text),
  GroupAdd: list(text),
  IpcMode: text,
  PidMode: text,
  UTSMode: text,
  UsernsMode: text,
  VolumeDriver: text,
  ConsoleSize: consoleSize,
  Links: list(text),
  Annotations: map(text),
  OomScoreAdj: integer,
  Privileged: flag,
  PublishAllPorts: flag,
  ReadonlyRootfs: flag,
  SecurityOpt: list(text),
  Tmpfs: map(text),
  ShmSize: integer,
  Sysctls: map(text),
  Runtime: text,
  Isolation: text,
  CpuShares: integer,
  Memory: integer,
  NanoCpus: integer,
  CgroupParent: text,
  BlkioWeight: integer,
  BlkioWeightDevice: list((value: unknown, at: string) => ({ Path: '', Weight: 0, ...deviceWeight(value, at) })),
  BlkioDeviceReadBps: deviceRates,
  BlkioDeviceWriteBps: deviceRates,
  BlkioDeviceReadIOps: deviceRates,
  BlkioDeviceWriteIOps: deviceRates,
  DeviceCgroupRules: list(text),
  DeviceRequests: list((value: unknown, at: string) => ({ Driver: '', Capabilities: [], ...deviceRequest(value, at) })),
  StorageOpt: map(text),
  CpuPeriod: integer,
  CpuQuota: integer,
  CpuRealtimePeriod: integer,
  CpuRealtimeRuntime: integer,
  CpusetCpus: text,
  CpusetMems: text,
  Devices: list((value: unknown, at: string) => ({
    PathOnHost: '',
    PathInContainer: '',
    CgroupPermissions: '',
    ...device(value, at),
  })),
  MemoryReservation: integer,
  MemorySwap: integer,
  MemorySwappiness: integer,
  OomKillDisable: flag,
  PidsLimit: integer,
  Ulimits: ulimits,
  Init: flag,
  Mounts: list((value: unknown, at: string) => ({
    Type: 'volume',
    Target: '',
    ...mountKey(value, at),
    ...mount(value, at),
  })),
  MaskedPaths: list(text),
  ReadonlyPaths: list(text),
};

const hostConfig: Check<HostConfig> = (value, at) => {
  const { ConsoleSize, MemorySwappiness, PidsLimit, ...rest } = object(hostConfigFields)(value, at);
  // What clients send for "not set".
  return {
    ...rest,
    ...(ConsoleSize && { ConsoleSize }),
    ...(MemorySwappiness === undefined || MemorySwappiness === -1 ? {} : { MemorySwappiness }),
    ...(PidsLimit === undefined || PidsLimit === 0 ? {} : { PidsLimit }),
  };
};

/** Body of POST /containers/{id}/update: what clients leave at its zero value stays. */
export const updateBody: Check<HostConfig> = (value, at) => {
  const body = object({
    BlkioWeight: integer,
    CpuPeriod: integer,
    CpuQuota: integer,
    CpuRealtimePeriod: integer,
    CpuRealtimeRuntime: integer,
    CpuShares: integer,
    CpusetCpus: text,
    CpusetMems: text,
    Memory: integer,
    MemoryReservation: integer,
    MemorySwap: integer,
    NanoCpus: integer,
    PidsLimit: integer,
    RestartPolicy: hostConfigFields.RestartPolicy,
  })(value, at);
  const stated = Object.entries(body).filter(
    ([, field]) => field !== 0 && field !== '' && !(typeof field === 'object' && field.Name === ''),
  );
  return Object.fromEntries(stated);
};

/** Settings of a container in one network. */
export const endpointConfig: Check<EndpointConfig> = object({
  IPAMConfig: object({ IPv4Address: text, IPv6Address: text, LinkLocalIPs: list(text) }),
  Links: list(text),
  Aliases: list(text),
  MacAddress: text,
  DriverOpts: map(text),
  GwPriority: integer,
});

/** Body of POST /containers/create. */
export const createBody: Check<ContainerCreateBody> = object({
  ...configFields,
  HostConfig: hostConfig,
  NetworkingConfig: object({ EndpointsConfig: map(nullable(endpointConfig)) }),
});
