import { Failure } from '../../lib/error.ts';
import type { EndpointConfig } from '../../wire/container.ts';
import type { ContainerFlags } from './container-flags.ts';

/** A network that a container is to be on. */
export interface WantedNetwork {
  readonly name: string;
  readonly endpoint: EndpointConfig;
}

/** What is asked for on a network; empty texts ask for nothing. */
export interface EndpointWishes {
  readonly aliases: readonly string[];
  readonly links?: readonly string[];
  readonly ip: string;
  readonly ip6: string;
  readonly linkLocal: readonly string[];
  readonly mac?: string;
  readonly options: readonly string[];
  readonly priority?: number;
}

/** Parses `--network`: a name, or `name=...,alias=...,ip=...,driver-opt=key=value` and more. */
export function parseNetwork(value: string): WantedNetwork {
  if (!value.includes('=')) return { name: value, endpoint: {} };
  const fields = new Map<string, string[]>();
  for (const field of value.split(',')) {
    const [key = '', text] = field.split(/=(.*)/s);
    const name = key.trim().toLowerCase();
    if (text === undefined) throw invalid(`invalid field ${field}`);
    if (!FIELDS.has(name)) throw invalid(`invalid field key ${name}`);
    fields.set(name, [...(fields.get(name) ?? []), text.trim()]);
  }
  const all = (name: string) => fields.get(name) ?? [];
  const last = (name: string) => all(name).at(-1) ?? '';
  const name = last('name');
  if (name === '') throw invalid(`network name/id is not specified`);
  const endpoint = endpointOf({
    aliases: all('alias'),
    ip: last('ip'),
    ip6: last('ip6'),
    linkLocal: all('link-local-ip'),
    mac: last('mac-address'),
    options: all('driver-opt'),
    priority: priorityOf(last('gw-priority')),
  });
  return { name, endpoint };
}

const FIELDS = new Set(['name', 'alias', 'driver-opt', 'gw-priority', 'ip', 'ip6', 'link-local-ip', 'mac-address']);

/** The networks of a new container: what other flags ask for is meant for the first one. */
export function wantedNetworks(flags: ContainerFlags): WantedNetwork[] {
  const stated = [...flags.network, ...flags.net];
  const [first = { name: 'default', endpoint: {} }, ...others] = stated;
  const wanted = [{ name: first.name, endpoint: withFlags(first.endpoint, flags) }, ...others];
  const seen = new Set<string>();
  for (const { name } of wanted) {
    if (name === '') throw invalid('no name set for network');
    if (seen.has(name)) throw invalid(`network "${name}" is specified multiple times`);
    seen.add(name);
  }
  if (
    wanted.length > 1 &&
    wanted.some(({ name }) => name === 'host' || name === 'none' || name.startsWith('container:'))
  )
    throw invalid('conflicting options: cannot attach both user-defined and non-user-defined network-modes');
  return wanted;
}

/** The settings that wishes make; those that nobody has are left out. */
export function endpointOf(wishes: EndpointWishes): EndpointConfig {
  const { aliases, links = [], ip, ip6, linkLocal, mac = '', options, priority = 0 } = wishes;
  const addresses = {
    ...(ip !== '' && { IPv4Address: ip }),
    ...(ip6 !== '' && { IPv6Address: ip6 }),
    ...(linkLocal.length > 0 && { LinkLocalIPs: [...linkLocal] }),
  };
  return {
    ...(Object.keys(addresses).length > 0 && { IPAMConfig: addresses }),
    ...(aliases.length > 0 && { Aliases: [...aliases] }),
    ...(links.length > 0 && { Links: [...links] }),
    ...(mac !== '' && { MacAddress: checkedMac(mac) }),
    ...(options.length > 0 && { DriverOpts: Object.fromEntries(options.map(driverOption)) }),
    ...(priority !== 0 && { GwPriority: priority }),
  };
}

function withFlags(endpoint: EndpointConfig, flags: ContainerFlags): EndpointConfig {
  const { ip, ip6 } = flags;
  const { IPAMConfig } = endpoint;
  for (const [flag, isGiven, isStated, what] of [
    ['network-alias', flags.networkAlias.length > 0, endpoint.Aliases, 'alias'],
    ['ip', ip !== '', IPAMConfig?.IPv4Address, 'IPv4 address'],
    ['ip6', ip6 !== '', IPAMConfig?.IPv6Address, 'IPv6 address'],
    ['link-local-ip', flags.linkLocalIp.length > 0, IPAMConfig?.LinkLocalIPs, 'link-local IP addresses'],
    ['mac-address', flags.macAddress !== '', endpoint.MacAddress, 'MAC address'],
  ] as const)
    if (isGiven && isStated !== undefined)
      throw invalid(`conflicting options: cannot specify both --${flag} and per-network ${what}`);
  const own = endpointOf({
    aliases: flags.networkAlias,
    ip,
    ip6,
    linkLocal: flags.linkLocalIp,
    mac: flags.macAddress,
    options: [],
  });
  return { ...endpoint, ...own, ...(own.IPAMConfig && { IPAMConfig: { ...IPAMConfig, ...own.IPAMConfig } }) };
}

function driverOption(text: string): [string, string] {
  const [key = '', value] = text.split(/=(.*)/s);
  if (value === undefined || key.trim() === '') throw invalid('invalid key value pair format in driver options');
  return [key.trim().toLowerCase(), value.trim()];
}

function priorityOf(text: string): number {
  if (text === '' || /^[+-]?\d+$/.test(text)) return Number(text);
  throw invalid(`invalid gw-priority (${text}): invalid syntax`);
}

function checkedMac(mac: string): string {
  if (/^([\da-f]{2}([:-])[\da-f]{2}(\2[\da-f]{2}){4})$/i.test(mac)) return mac;
  throw invalid(`${mac} is not a valid mac address`);
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'NETWORK_OPTION', message);
}
