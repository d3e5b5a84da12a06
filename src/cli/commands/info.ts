import type { SystemInfo } from '../../wire/system.ts';
import { defineCommand } from '../command.ts';
import { objectFormatFlag } from '../flags/common.ts';
import { binarySize } from '../format/human.ts';
import { VERSION } from '../version-number.ts';

export const info = defineCommand({
  short: 'Show what the host is and has',
  usage: '',
  count: [0, 0],
  aliases: ['system info', 'info'],
  flags: { format: objectFormatFlag },
  async run(session, { flags }) {
    const client = await session.client();
    const raw = await client.text('GET', '/info', { signal: session.signal });
    const host: SystemInfo = JSON.parse(raw);
    if (flags.format === '') {
      session.stdout.write(infoText(host));
      for (const warning of host.Warnings ?? []) session.stderr.write(`${warning}\n`);
      return 0;
    }
    const { compileTemplate } = await import('../gotemplate/evaluate.ts');
    const template = flags.format === 'json' ? '{{json .}}' : flags.format;
    const own = { Version: VERSION, Debug: false };
    session.stdout.write(`${compileTemplate(template)({ ...JSON.parse(raw), ClientInfo: own })}\n`);
    return 0;
  },
});

/** The host's state as lines of text, one space deeper for each level. */
function infoText(host: SystemInfo): string {
  const plugins = recordOf(host['Plugins']);
  const list = (value: unknown) => (Array.isArray(value) ? value.join(' ') : '');
  const lines = [
    'Client:',
    ` Version:    ${VERSION}`,
    '',
    'Server:',
    ` Containers: ${host.Containers}`,
    `  Running: ${host.ContainersRunning}`,
    `  Paused: ${host.ContainersPaused}`,
    `  Stopped: ${host.ContainersStopped}`,
    ` Images: ${host.Images}`,
    ` Server Version: ${host.ServerVersion}`,
    ` Storage Driver: ${host.Driver}`,
    ...(host.DriverStatus ?? []).map(([key, value]) => `  ${key}: ${value}`),
    ...optional(' Logging Driver: ', host['LoggingDriver']),
    ` Cgroup Driver: ${host.CgroupDriver}`,
    ` Cgroup Version: ${host.CgroupVersion}`,
    ' Plugins:',
    `  Volume: ${list(plugins['Volume'])}`,
    `  Network: ${list(plugins['Network'])}`,
    `  Log: ${list(plugins['Log'])}`,
    ` Runtimes: ${Object.keys(host.Runtimes ?? {})
      .sort()
      .join(' ')}`,
    ` Default Runtime: ${host.DefaultRuntime}`,
    ' Security Options:',
    ...(host.SecurityOptions ?? []).flatMap(securityLines),
    ` Kernel Version: ${host.KernelVersion}`,
    ` Operating System: ${host.OperatingSystem}`,
    ` OSType: ${host.OSType}`,
    ` Architecture: ${host.Architecture}`,
    ` CPUs: ${host.NCPU}`,
    ` Total Memory: ${binarySize(host.MemTotal)}`,
    ` Name: ${host.Name}`,
    ` ID: ${host.ID}`,
    ` Docker Root Dir: ${host.DockerRootDir}`,
    ` Debug Mode: ${host['Debug'] === true}`,
    ` Experimental: ${host['ExperimentalBuild'] === true}`,
    ' Insecure Registries:',
    ...insecureRegistries(host).map((registry) => `  ${registry}`),
    ...mirrorLines(host),
    ` Live Restore Enabled: ${host['LiveRestoreEnabled'] === true}`,
  ];
  return `${lines.join('\n')}\n\n`;
}

/** `name=seccomp,profile=default` as a name and its indented options. */
function securityLines(option: string): string[] {
  const pairs = option.split(',').map((pair) => pair.split('='));
  return pairs.map(([key = '', value = '']) =>
    key === 'name' ? `  ${value}` : `   ${key[0]?.toUpperCase()}${key.slice(1)}: ${value}`,
  );
}

function insecureRegistries(host: SystemInfo): string[] {
  const registries = recordOf(host['RegistryConfig']);
  const indexes = Object.values(recordOf(registries['IndexConfigs'])).map(recordOf);
  const names = indexes.filter(({ Secure }) => Secure === false).map(({ Name }) => String(Name));
  const ranges = registries['InsecureRegistryCIDRs'];
  return [...names, ...(Array.isArray(ranges) ? ranges.map(String) : [])];
}

function mirrorLines(host: Readonly<Record<string, unknown>>): string[] {
  const mirrors = recordOf(host['RegistryConfig'])['Mirrors'];
  return Array.isArray(mirrors) && mirrors.length > 0
    ? [' Registry Mirrors:', ...mirrors.map((url) => `  ${url}`)]
    : [];
}

function optional(title: string, value: unknown): string[] {
  return typeof value === 'string' && value !== '' ? [title + value] : [];
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
