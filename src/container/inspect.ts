import { networkSettings, restingEndpoint } from '../host/network/network-views.ts';
import type {
  ContainerConfig,
  ContainerInspect,
  ContainerState,
  ContainerSummary,
  NetworkSettings,
  PortSummary,
} from '../wire/container.ts';
import { argumentsOf } from './config.ts';
import type { Container } from './container.ts';
import { hostnameOf } from './container-spec.ts';
import { healthOf } from './health.ts';
import type { ContainerNetworks } from './lifecycle.ts';
import { mountPoints } from './mount-forms.ts';
import { type ContainerPhase, isAlive } from './record.ts';

/** Times that are not set. */
const ZERO_TIME = '0001-01-01T00:00:00Z';

type RestingNetworks = Pick<ContainerNetworks, 'resting'>;

/** GET /containers/{id}/json */
export function toInspect(
  container: Container,
  networks: RestingNetworks,
  execIds: readonly string[] = [],
): ContainerInspect {
  const { record, folder, snapshot } = container;
  const health = healthOf(container);
  const [path = '', ...args] = argumentsOf(record.config);
  return {
    Id: container.id,
    Created: record.created,
    Path: path,
    Args: args,
    State: { ...toState(record.phase), ...(health ? { Health: health } : {}) },
    Image: record.image ?? '',
    ResolvConfPath: `${folder}/resolv.conf`,
    HostnamePath: `${folder}/hostname`,
    HostsPath: `${folder}/hosts`,
    LogPath: container.streams.log?.path ?? '',
    Name: `/${container.name}`,
    RestartCount: record.restarts,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: execIds.length > 0 ? [...execIds] : null,
    HostConfig: record.hostConfig,
    GraphDriver: {
      Name: 'overlay2',
      Data: {
        LowerDir: snapshot.folders.lower.join(':'),
        MergedDir: snapshot.merged,
        UpperDir: snapshot.upper,
        WorkDir: snapshot.folders.work,
      },
    },
    Mounts: mountPoints(record.mounts),
    Config: configOf(container),
    NetworkSettings: settingsOf(container, networks),
  };
}

/** One row of GET /containers/json */
export function toSummary(container: Container, networks: RestingNetworks, now: number): ContainerSummary {
  const { record } = container;
  const settings = settingsOf(container, networks);
  return {
    Id: container.id,
    Names: [`/${container.name}`],
    Image: record.config.Image ?? '',
    ImageID: record.image ?? '',
    Command: commandLine(argumentsOf(record.config)),
    Created: Math.floor(Date.parse(record.created) / 1000),
    Ports: portsOf(container),
    Labels: record.config.Labels ?? {},
    State: record.phase.status,
    Status: statusText(record.phase, now) + healthText(container),
    HostConfig: { NetworkMode: record.hostConfig.NetworkMode ?? '' },
    NetworkSettings: { Networks: settings.Networks },
    Mounts: mountPoints(record.mounts),
  };
}

/** What `ps` shows: `Up 5 seconds`, `Exited (7) 8 seconds ago`. `now` in milliseconds since the epoch. */
export function statusText(phase: ContainerPhase, now: number): string {
  switch (phase.status) {
    case 'created':
      return 'Created';
    case 'running':
      return `Up ${humanDuration(now - Date.parse(phase.startedAt))}`;
    case 'paused':
      return `Up ${humanDuration(now - Date.parse(phase.startedAt))} (Paused)`;
    case 'restarting':
      return `Restarting (${phase.exitCode}) ${humanDuration(now - Date.parse(phase.finishedAt))} ago`;
    case 'exited':
      return `Exited (${phase.exitCode}) ${humanDuration(now - Date.parse(phase.finishedAt))} ago`;
  }
}

/** A duration in Docker's words. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.round(minutes / 60);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 14) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 60) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

function toState(phase: ContainerPhase): ContainerState {
  const ended = phase.status === 'exited' || phase.status === 'restarting';
  return {
    Status: phase.status,
    // A container that waits for its restart counts as running, as with Docker.
    Running: isAlive(phase) || phase.status === 'restarting',
    Paused: phase.status === 'paused',
    Restarting: phase.status === 'restarting',
    OOMKilled: ended && phase.oomKilled,
    Dead: false,
    Pid: isAlive(phase) ? phase.pid : 0,
    ExitCode: isAlive(phase) ? 0 : phase.exitCode,
    Error: isAlive(phase) ? '' : phase.error,
    StartedAt: phase.status === 'created' ? ZERO_TIME : phase.startedAt || ZERO_TIME,
    FinishedAt: ended ? phase.finishedAt : ZERO_TIME,
  };
}

/** The MAC address asked for on its main network is shown where older clients asked for it. */
function configOf({ record }: Container): ContainerConfig {
  const mac = record.config.MacAddress || Object.values(record.endpoints)[0]?.MacAddress;
  return mac ? { ...record.config, MacAddress: mac } : record.config;
}

/** A container that has run still shows which networks it starts on, and the names that it has there. */
function settingsOf(container: Container, networks: RestingNetworks): NetworkSettings {
  if (container.run) return container.run.attachment.settings;
  const { endpoints, phase } = container.record;
  const member = { id: container.id, name: container.name, hostname: hostnameOf(container) };
  const resting = Object.entries(endpoints).map(([name, config]) => {
    const known =
      phase.status === 'created' ? {} : networks.resting(name, { ...member, aliases: config?.Aliases ?? [] });
    return [name, { ...restingEndpoint(config), ...known }] as const;
  });
  return networkSettings(undefined, Object.fromEntries(resting), {});
}

function healthText({ health }: Container): string {
  const status = health?.state().Status;
  if (status === undefined) return '';
  return status === 'starting' ? ' (health: starting)' : ` (${status})`;
}

function commandLine([path = '', ...args]: readonly string[]): string {
  return [path, ...args.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg))].join(' ');
}

/** The ports of a container that runs. */
export function portsOf(container: Container): PortSummary[] {
  return Object.entries(container.run?.attachment.settings.Ports ?? {}).flatMap(([key, bindings]): PortSummary[] => {
    const [port = '', type = 'tcp'] = key.split('/');
    const inside = { PrivatePort: Number(port), Type: type };
    if (!bindings || bindings.length === 0) return [inside];
    return bindings.map(({ HostIp, HostPort }) => ({ IP: HostIp, PublicPort: Number(HostPort), ...inside }));
  });
}
