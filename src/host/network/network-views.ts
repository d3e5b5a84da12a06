import type { EndpointConfig, EndpointSettings, NetworkSettings, PortBinding } from '../../wire/container.ts';
import type { IpamPool, NetworkInspect } from '../../wire/network.ts';
import type { Bridge } from './bridge.ts';
import { formatIp, type Ip } from './ip.ts';
import { formatIpv4, formatSubnet, type Ipv4 } from './ipv4.ts';
import { formatIpv6, type Ipv6, type Subnet6 } from './ipv6.ts';
import type { NetworkRecord } from './network-records.ts';

/** A container on a network. */
export interface Endpoint {
  readonly id: string;
  readonly network: NetworkRecord;
  containerName: string;
  readonly hostname: string;
  readonly aliases: readonly string[];
  /** As the user wrote them: `container:alias`. */
  readonly links: readonly string[];
  /** The addresses that the user asked for. */
  readonly wanted: WantedAddresses;
  readonly driverOptions: Readonly<Record<string, string>> | null;
  readonly gatewayPriority: number;
  /** On bridges only. */
  readonly place: Place | undefined;
}

export interface WantedAddresses {
  readonly ipv4: Ipv4 | undefined;
  readonly ipv6: Ipv6 | undefined;
  readonly linkLocal: readonly Ip[];
}

/** What an interface has on a bridge. */
export interface Place {
  readonly bridge: Bridge;
  readonly address: Ipv4;
  readonly mac: string;
  /** On networks with IPv6. */
  readonly v6: { readonly address: Ipv6; readonly subnet: Subnet6; readonly gateway: Ipv6 } | undefined;
}

/** A container on a network while it does not run. */
export function restingEndpoint(config: EndpointConfig | null): EndpointSettings {
  return {
    IPAMConfig: config?.IPAMConfig ?? null,
    Links: config?.Links ?? null,
    Aliases: config?.Aliases ?? null,
    NetworkID: '',
    EndpointID: '',
    Gateway: '',
    IPAddress: '',
    IPPrefixLen: 0,
    MacAddress: config?.MacAddress ?? '',
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DriverOpts: config?.DriverOpts ?? null,
    GwPriority: config?.GwPriority ?? 0,
    DNSNames: null,
  };
}

/** The container's part of GET /containers/{id}/json. Without a namespace of its own, the sandbox fields are empty. */
export function networkSettings(
  sandbox: { readonly id: string; readonly path: string } | undefined,
  networks: Readonly<Record<string, EndpointSettings>>,
  ports: Readonly<Record<string, PortBinding[] | null>>,
): NetworkSettings {
  const main = networks['bridge'];
  return {
    Bridge: '',
    SandboxID: sandbox?.id ?? '',
    SandboxKey: sandbox?.path ?? '',
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    Ports: { ...ports },
    EndpointID: main?.EndpointID ?? '',
    Gateway: main?.Gateway ?? '',
    IPAddress: main?.IPAddress ?? '',
    IPPrefixLen: main?.IPPrefixLen ?? 0,
    MacAddress: main?.MacAddress ?? '',
    GlobalIPv6Address: main?.GlobalIPv6Address ?? '',
    GlobalIPv6PrefixLen: main?.GlobalIPv6PrefixLen ?? 0,
    IPv6Gateway: main?.IPv6Gateway ?? '',
    Networks: { ...networks },
  };
}

/** GET /networks/{id}. `bridge` is undefined while it was not needed yet. */
export function inspectNetwork(
  record: NetworkRecord,
  bridge: Bridge | undefined,
  endpoints: ReadonlyMap<string, Endpoint>,
): NetworkInspect {
  const subnet = bridge ? formatSubnet(bridge.subnet) : record.subnet;
  const gateway = bridge ? formatIpv4(bridge.gateway) : record.gateway;
  const own = { ...record, ...(subnet === undefined ? {} : { subnet }), ...(gateway === undefined ? {} : { gateway }) };
  const config = [own, record.pool6 ?? {}].flatMap((pool) => wirePool(pool) ?? []);
  return {
    Name: record.name,
    Id: record.id,
    Created: record.created,
    Scope: 'local',
    Driver: record.driver,
    EnableIPv6: record.ipv6 ?? false,
    IPAM: {
      Driver: 'default',
      Options: record.ipamOptions ? { ...record.ipamOptions } : null,
      Config: record.driver === 'bridge' ? config : null,
    },
    Internal: record.internal,
    Attachable: record.attachable,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries([...endpoints].map(([id, endpoint]) => [id, containerOf(endpoint)])),
    Options: { ...(record.name === 'bridge' ? defaultOptions(bridge) : {}), ...record.options },
    Labels: { ...record.labels },
  };
}

/** What programs read of the default bridge, its MTU most of all. */
function defaultOptions(bridge: Bridge | undefined): Record<string, string> {
  return {
    'com.docker.network.bridge.default_bridge': 'true',
    'com.docker.network.bridge.enable_icc': 'true',
    'com.docker.network.bridge.enable_ip_masquerade': 'true',
    'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
    ...(bridge
      ? { 'com.docker.network.bridge.name': bridge.name, 'com.docker.network.driver.mtu': String(bridge.mtu) }
      : {}),
  };
}

/** A container on a network while it runs. `names` are what others find it by. */
export function endpointSettings(endpoint: Endpoint, names: readonly string[]): EndpointSettings {
  const { place, wanted } = endpoint;
  return {
    ...restingEndpoint({
      IPAMConfig: wishesOf(wanted),
      Links: endpoint.links.length > 0 ? [...endpoint.links] : null,
      Aliases: endpoint.aliases.length > 0 ? [...endpoint.aliases] : null,
      DriverOpts: endpoint.driverOptions,
      GwPriority: endpoint.gatewayPriority,
    }),
    NetworkID: endpoint.network.id,
    EndpointID: endpoint.id,
    Gateway: place && !endpoint.network.internal ? formatIpv4(place.bridge.gateway) : '',
    IPAddress: place ? formatIpv4(place.address) : '',
    IPPrefixLen: place?.bridge.subnet.prefix ?? 0,
    MacAddress: place?.mac ?? '',
    IPv6Gateway: place?.v6 && !endpoint.network.internal ? formatIpv6(place.v6.gateway) : '',
    GlobalIPv6Address: place?.v6 ? formatIpv6(place.v6.address) : '',
    GlobalIPv6PrefixLen: place?.v6?.subnet.prefix ?? 0,
    DNSNames: names.length > 0 ? [...names] : null,
  };
}

function containerOf({ id, containerName, place }: Endpoint): NetworkInspect['Containers'][string] {
  return {
    Name: containerName,
    EndpointID: id,
    MacAddress: place?.mac ?? '',
    IPv4Address: place ? `${formatIpv4(place.address)}/${place.bridge.subnet.prefix}` : '',
    IPv6Address: place?.v6 ? `${formatIpv6(place.v6.address)}/${place.v6.subnet.prefix}` : '',
  };
}

function wirePool(pool: NonNullable<NetworkRecord['pool6']>): IpamPool | undefined {
  if (pool.subnet === undefined) return undefined;
  return {
    Subnet: pool.subnet,
    ...(pool.range === undefined ? {} : { IPRange: pool.range }),
    ...(pool.gateway === undefined ? {} : { Gateway: pool.gateway }),
    ...(pool.reserved === undefined ? {} : { AuxiliaryAddresses: { ...pool.reserved } }),
  };
}

function wishesOf({ ipv4, ipv6, linkLocal }: WantedAddresses): NonNullable<EndpointConfig['IPAMConfig']> | null {
  if (ipv4 === undefined && ipv6 === undefined && linkLocal.length === 0) return null;
  return {
    ...(ipv4 === undefined ? {} : { IPv4Address: formatIpv4(ipv4) }),
    ...(ipv6 === undefined ? {} : { IPv6Address: formatIpv6(ipv6) }),
    ...(linkLocal.length === 0 ? {} : { LinkLocalIPs: linkLocal.map(formatIp) }),
  };
}
