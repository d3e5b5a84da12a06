import { readFileSync } from 'node:fs';
import { cpus, hostname, release, totalmem } from 'node:os';
import { digestOf, hexOf } from '../../oci/digest.ts';
import { hostPlatform } from '../../oci/platform.ts';
import type { RegistrySettings } from '../../remote/settings.ts';
import type { SystemInfo, VersionInfo } from '../../wire/system.ts';

/** The version that Strake announces. */
export const STRAKE_VERSION = '0.1.0';

/** What GET /version says of this program. */
export function versionInfo(): Omit<VersionInfo, 'ApiVersion' | 'MinAPIVersion' | 'Components'> {
  return {
    Platform: { Name: 'Strake' },
    Version: STRAKE_VERSION,
    GitCommit: '',
    GoVersion: `node ${process.version}`,
    Os: 'linux',
    Arch: hostPlatform().architecture,
    KernelVersion: release(),
    BuildTime: '',
  };
}

/** What is counted or detected elsewhere. */
export interface SystemFacts {
  readonly dataRoot: string;
  readonly images: number;
  readonly containers: { readonly running: number; readonly paused: number; readonly stopped: number };
  readonly runtime: { readonly name: string; readonly path: string } | undefined;
  readonly cgroupVersion: '1' | '2';
  readonly warnings: readonly string[];
  readonly registry: RegistrySettings;
  /** Containers survive this host. */
  readonly liveRestore: boolean;
}

/** What GET /info says: Docker's fields, of which those of parts that are not here are empty. */
export function systemInfo(facts: SystemFacts): SystemInfo {
  const { running, paused, stopped } = facts.containers;
  return {
    ID: hexOf(digestOf(`${hostname()} ${facts.dataRoot}`)).slice(0, 32),
    Name: hostname(),
    ServerVersion: STRAKE_VERSION,
    Containers: running + paused + stopped,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: stopped,
    Images: facts.images,
    Driver: 'overlay2',
    DriverStatus: [
      ['Supports d_type', 'true'],
      ['Native Overlay Diff', 'true'],
      ['Layers', 'kernel overlayfs, one index a layer'],
    ],
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'null'],
      Authorization: null,
      Log: ['json-file', 'local'],
    },
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    IPv4Forwarding: true,
    Debug: false,
    NFd: 0,
    NGoroutines: 0,
    NEventsListener: 0,
    HttpProxy: process.env['HTTP_PROXY'] ?? '',
    HttpsProxy: process.env['HTTPS_PROXY'] ?? '',
    NoProxy: process.env['NO_PROXY'] ?? '',
    GenericResources: null,
    InitBinary: 'docker-init',
    Isolation: '',
    OSVersion: osRelease('VERSION_ID') ?? '',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: '' },
    InitCommit: { ID: '' },
    OomKillDisable: facts.cgroupVersion === '1',
    DockerRootDir: facts.dataRoot,
    NCPU: cpus().length,
    MemTotal: totalmem(),
    KernelVersion: release(),
    OperatingSystem: osRelease('PRETTY_NAME') ?? 'Linux',
    OSType: 'linux',
    Architecture: hostPlatform().architecture === 'amd64' ? 'x86_64' : hostPlatform().architecture,
    CgroupDriver: 'cgroupfs',
    CgroupVersion: facts.cgroupVersion,
    LoggingDriver: 'json-file',
    DefaultRuntime: facts.runtime?.name ?? '',
    Runtimes: facts.runtime ? { [facts.runtime.name]: { path: facts.runtime.path } } : {},
    SecurityOptions: ['name=seccomp,profile=builtin'],
    Swarm: {
      LocalNodeState: 'inactive',
      NodeID: '',
      NodeAddr: '',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    RegistryConfig: registryConfig(facts.registry),
    IndexServerAddress: 'https://index.docker.io/v1/',
    ExperimentalBuild: false,
    LiveRestoreEnabled: facts.liveRestore,
    SystemTime: new Date().toISOString(),
    Labels: [],
    Warnings: facts.warnings.length === 0 ? null : [...facts.warnings],
  };
}

function registryConfig({ mirrors, insecure }: RegistrySettings): Record<string, unknown> {
  const isNetwork = (entry: string) => entry.includes('/');
  const hosts = insecure.filter((entry) => !isNetwork(entry));
  const hub = { Name: 'docker.io', Mirrors: mirrors, Secure: true, Official: true };
  const others = hosts.map((Name) => [Name, { Name, Mirrors: [], Secure: false, Official: false }] as const);
  return {
    InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8', ...insecure.filter(isNetwork)],
    IndexConfigs: { 'docker.io': hub, ...Object.fromEntries(others) },
    Mirrors: mirrors,
  };
}

/** A field of this machine's description. */
function osRelease(field: string): string | undefined {
  try {
    return new RegExp(`^${field}="?([^"\\n]*)"?$`, 'm').exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}
