import { Failure } from '../../lib/error.ts';
import type { MountRequest, Ulimit } from '../../wire/container.ts';
import { platformFlag } from '../flags/common.ts';
import { bytes, custom, duration, integer, list, text, toggle } from '../flags/flag.ts';
import type { ValuesOf } from '../flags/parse-flags.ts';
import { addHostFlag } from './extra-host.ts';
import { parseCpus, parseUlimit } from './limits.ts';
import { parseMount } from './mounts.ts';
import { parseNetwork, type WantedNetwork } from './networks.ts';

/** Flags of `run` and `create`: what a container is made of. */
export const CONTAINER_FLAGS = {
  addHost: addHostFlag,
  attach: custom<readonly string[]>('list', 'Attach to stdin, stdout or stderr', [], addStream, { short: 'a' }),
  blkioWeight: integer('Block IO weight, 10 to 1000; 0 turns it off', { type: 'uint16' }),
  blkioWeightDevice: list('Weight of a block device (/dev/sda:200)'),
  capAdd: list('Add Linux capabilities'),
  capDrop: list('Drop Linux capabilities'),
  cgroupParent: text('Parent cgroup of the container'),
  cgroupns: text('Cgroup namespace: host or private'),
  cidfile: text('Write the container ID to this file'),
  cpuPeriod: integer('Period of the CPU quota in microseconds'),
  cpuQuota: integer('CPU time in a period in microseconds'),
  cpuShares: integer('CPU shares (relative weight)', { short: 'c' }),
  cpus: custom('decimal', 'Number of CPUs', 0, parseCpus),
  cpusetCpus: text('CPUs to run on (0-3, 0,1)'),
  cpusetMems: text('Memory nodes to use (0-3, 0,1)'),
  device: list('Add a device of the host'),
  deviceCgroupRule: list('Allow devices by number (c 42:* rmw)'),
  deviceReadBps: list('Read at most so many bytes a second (/dev/sda:1mb)'),
  deviceReadIops: list('Read at most so many times a second (/dev/sda:100)'),
  deviceWriteBps: list('Write at most so many bytes a second (/dev/sda:1mb)'),
  deviceWriteIops: list('Write at most so many times a second (/dev/sda:100)'),
  dns: list('Set DNS servers'),
  dnsOption: list('Set DNS options'),
  dnsSearch: list('Set DNS search domains'),
  domainname: text('Domain name of the container'),
  entrypoint: text('Run this instead of the ENTRYPOINT of the image'),
  env: list('Set environment variables', { short: 'e' }),
  envFile: list('Read environment variables from a file'),
  expose: list('Expose a port or a range of ports'),
  gpus: custom<never[]>('gpu-request', 'GPUs of the host (not supported)', [], refuseGpus, { hidden: true }),
  groupAdd: list('Add groups to the user'),
  healthCmd: text('Command that checks health'),
  healthInterval: duration('Time between checks (ms|s|m|h)'),
  healthRetries: integer('Failures in a row until unhealthy'),
  healthStartInterval: duration('Time between checks in the start period (ms|s|m|h)'),
  healthStartPeriod: duration('Time in which failures do not count (ms|s|m|h)'),
  healthTimeout: duration('Time that one check may take (ms|s|m|h)'),
  hostname: text('Host name of the container', { short: 'h' }),
  init: toggle('Run an init that forwards signals and reaps processes'),
  interactive: toggle('Keep stdin open', { short: 'i' }),
  ip: text('IPv4 address (172.30.100.104)'),
  ip6: text('IPv6 address (2001:db8::33)'),
  ipc: text('IPC namespace to use'),
  isolation: text('Isolation technology'),
  label: list('Set labels', { short: 'l' }),
  labelFile: list('Read labels from a file, one a line'),
  link: list('Add a link to another container'),
  linkLocalIp: list('Link-local address in the network'),
  logDriver: text('Logging driver'),
  logOpt: list('Options of the logging driver'),
  macAddress: text('MAC address (92:d0:c6:0a:29:33)'),
  memory: bytes('Memory limit', { short: 'm' }),
  memoryReservation: bytes('Soft memory limit'),
  memorySwap: bytes('Limit of memory plus swap; -1 for unlimited swap', { unlimited: true }),
  memorySwappiness: integer('How readily memory is swapped (0 to 100)', { initial: -1, shown: '-1' }),
  mount: custom<readonly MountRequest[]>(
    'mount',
    'Attach a mount (type=bind,source=..,target=..)',
    [],
    (value, before) => [...before, parseMount(value)],
  ),
  name: text('Name of the container'),
  network: networkFlag(),
  net: networkFlag({ hidden: true }),
  networkAlias: list('Further name of the container in its network'),
  noHealthcheck: toggle('Turn off the HEALTHCHECK of the image'),
  oomKillDisable: toggle('Turn off the OOM killer'),
  oomScoreAdj: integer('OOM preference (-1000 to 1000)'),
  pid: text('PID namespace to use'),
  pidsLimit: integer('Number of processes at most; -1 for no limit'),
  platform: platformFlag,
  privileged: toggle('Give the container all rights of the host'),
  publish: list('Publish ports on the host', { short: 'p' }),
  publishAll: toggle('Publish all exposed ports on free ports of the host', { short: 'P' }),
  pull: text('Pull the image: "always", "missing" or "never"', { initial: 'missing', shown: '"missing"' }),
  quiet: toggle('Show no progress of a pull', { short: 'q' }),
  readOnly: toggle('Make the root file system read-only'),
  restart: text('Restart policy: no, always, unless-stopped, on-failure[:max]', { initial: 'no', shown: '"no"' }),
  rm: toggle('Remove the container when it exits'),
  runtime: text('OCI runtime to use'),
  securityOpt: list('Security options'),
  shmSize: bytes('Size of /dev/shm'),
  stopSignal: text('Signal that stops the container'),
  stopTimeout: integer('Seconds until a stop becomes a kill'),
  sysctl: list('Kernel parameters of the namespaces', { type: 'map' }),
  tmpfs: list('Mount a tmpfs on a folder'),
  tty: toggle('Give the container a terminal', { short: 't' }),
  ulimit: custom<readonly Ulimit[]>('ulimit', 'Limits of the processes (nofile=1024:2048)', [], (value, before) => [
    ...before.filter(({ Name }) => Name !== parseUlimit(value).Name),
    parseUlimit(value),
  ]),
  user: text('User name or ID (name|uid[:group|gid])', { short: 'u' }),
  userns: text('User namespace to use'),
  uts: text('UTS namespace to use'),
  volume: list('Mount a volume or a folder of the host', { short: 'v' }),
  volumeDriver: text('Driver of the volumes'),
  volumesFrom: list('Mount the volumes of another container'),
  workdir: text('Working directory in the container', { short: 'w' }),
};

export type ContainerFlags = ValuesOf<typeof CONTAINER_FLAGS>;

function refuseGpus(): never {
  throw new Failure('unsupported', 'GPUS', 'GPUs are not supported');
}

function addStream(value: string, before: readonly string[]): readonly string[] {
  const name = value.toLowerCase();
  if (!['stdin', 'stdout', 'stderr'].includes(name))
    throw new Failure('invalid', 'STREAM', 'valid streams are STDIN, STDOUT and STDERR');
  return [...before, name];
}

function networkFlag(options: { readonly hidden?: boolean } = {}) {
  const parse = (value: string, before: readonly WantedNetwork[]) => [...before, parseNetwork(value)];
  return custom<readonly WantedNetwork[]>('network', 'Connect the container to a network', [], parse, options);
}
