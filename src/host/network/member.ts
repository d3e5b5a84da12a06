import { Failure } from '../../lib/error.ts';
import type { EndpointConfig, PortBinding } from '../../wire/container.ts';
import type { Attachment, AttachRequest } from './attachment.ts';
import { bridgeOptions } from './bridge-options.ts';
import { hasNames, namedResolver, namesOf } from './endpoint-names.ts';
import { interfaceName, interfaceSysctls } from './endpoint-options.ts';
import type { Ip } from './ip.ts';
import { formatIpv4 } from './ipv4.ts';
import { linkLocalAddresses } from './join-rules.ts';
import type { NamePorts } from './name-server.ts';
import type { NetworkNamespace } from './namespaces.ts';
import type { Network } from './network-registry.ts';
import type { EndpointPlan } from './network-tasks.ts';
import { type Endpoint, endpointSettings, networkSettings, type Place } from './network-views.ts';
import { planPorts } from './port-plan.ts';
import type { PublishedPorts } from './ports.ts';
import { bridgedResolver, type Resolver, renderResolvConf, statedOrHost } from './resolv.ts';

/** A container on its networks. */
export interface Member {
  readonly id: string;
  readonly request: AttachRequest;
  readonly host: Resolver;
  readonly sandboxId: string;
  /** By the order of its interfaces. */
  readonly joined: Joined[];
  namespace: NetworkNamespace | undefined;
  ports: (PublishedPorts & { readonly on: Joined }) | undefined;
  names: (AsyncDisposable & { readonly ports: NamePorts }) | undefined;
  /** Shared with another container. */
  shared: Attachment | undefined;
}

export interface Joined {
  readonly network: Network;
  readonly endpoint: Endpoint;
  /** Number of its interface inside, from 0: `eth0`. Undefined where the user has named it. */
  readonly slot: number | undefined;
}

/** What a container has of its networks now. */
export function attachmentOf(member: Member): Attachment {
  if (member.shared) return member.shared;
  const { request, host, namespace, joined } = member;
  const networks = joined.map(({ network, endpoint }) => {
    const names = hasNames(network) ? namesOf(member.id, endpoint) : [];
    return [network.record.name, endpointSettings(endpoint, names)] as const;
  });
  const sandbox = namespace && { id: member.sandboxId, path: namespace.path };
  const settings = networkSettings(sandbox, Object.fromEntries(networks), portsOf(member));
  const named = member.names ? namedResolver : bridgedResolver;
  const resolver = (namespace ? named : statedOrHost)(host, request.dns);
  const linked = linkedHosts(member);
  return { namespacePath: namespace?.path, settings, resolvConf: renderResolvConf(resolver), linked };
}

/** The interface on a network; undefined where there is none. */
export function planOf(member: Member, { endpoint, slot }: Joined): EndpointPlan | undefined {
  const { place, id, wanted } = endpoint;
  if (!place) return undefined;
  return {
    link: linkOf(id),
    bridge: place.bridge.index,
    mtu: place.bridge.mtu,
    name: nameInside(endpoint.driverOptions, slot),
    addresses: [
      { address: place.address, prefix: place.bridge.subnet.prefix },
      ...(place.v6 ? [{ address: place.v6.address, prefix: place.v6.subnet.prefix }] : []),
      ...linkLocalAddresses(wanted.linkLocal),
    ],
    mac: place.mac,
    gateways: gatewaysOf(member, endpoint, place),
    isolated: !bridgeOptions(endpoint.network).talk,
    sysctls: interfaceSysctls(endpoint.driverOptions),
  };
}

/** The lowest number that no other interface of a container has; undefined for one that the user names. */
export function freeSlot({ joined }: Member, driverOptions: EndpointConfig['DriverOpts']): number | undefined {
  const taken = new Set(joined.map(({ endpoint, slot }) => nameInside(endpoint.driverOptions, slot)));
  const named = interfaceName(driverOptions);
  if (named !== undefined && taken.has(named))
    throw new Failure('conflict', 'INTERFACE_TAKEN', `the container has an interface ${named} already`);
  if (named !== undefined) return undefined;
  let slot = 0;
  while (taken.has(`eth${slot}`)) slot += 1;
  return slot;
}

function nameInside(driverOptions: Endpoint['driverOptions'], slot = 0): string {
  return interfaceName(driverOptions) ?? `eth${slot}`;
}

/** Routers of the default routes that go through an interface: that of IPv6 goes through the first that has one. */
function gatewaysOf(member: Member, endpoint: Endpoint, { bridge, v6 }: Place): Ip[] {
  const outward = outwardOf(member);
  const first6 = outward.find((joined) => joined.endpoint.place?.v6);
  return [
    ...(outward[0]?.endpoint === endpoint ? [bridge.gateway] : []),
    ...(v6 && first6?.endpoint === endpoint ? [v6.gateway] : []),
  ];
}

/** The network of the default route and of the published ports. */
export function routerOf(member: Member): Joined | undefined {
  return outwardOf(member)[0];
}

/** The networks that lead outside, as Docker ranks them: by the user's priority, those with IPv6 too first, then by name. */
function outwardOf({ joined }: Member): Joined[] {
  return joined
    .filter(({ endpoint: { place, network } }) => place && !network.internal)
    .sort(
      ({ endpoint: a }, { endpoint: b }) =>
        b.gatewayPriority - a.gatewayPriority ||
        Number(b.place?.v6 !== undefined) - Number(a.place?.v6 !== undefined) ||
        (a.network.name < b.network.name ? -1 : 1),
    );
}

export function onHost(member: Member): boolean {
  return member.joined.some(({ network }) => network.record.driver === 'host');
}

/** Links to containers on the default bridge, which is without names. */
function linkedHosts({ joined, request }: Member): Attachment['linked'] {
  const bridge = defaultBridgeOf(joined)?.network;
  return request.links.flatMap(({ container, alias }) => {
    const other = bridge?.endpoints.get(container);
    if (!other?.place) return [];
    const names = [alias, other.hostname, other.containerName];
    return [{ container, alias, address: formatIpv4(other.place.address), names: [...new Set(names)] }];
  });
}

/** The default bridge, if a container is on it. */
export function defaultBridgeOf(joined: readonly Joined[]): Joined | undefined {
  return joined.find(({ network, endpoint }) => endpoint.place && !hasNames(network));
}

function portsOf(member: Member): Record<string, PortBinding[] | null> {
  if (!member.joined.some(({ endpoint }) => endpoint.place)) return {};
  const { unpublished } = planPorts(member.request.ports);
  return { ...Object.fromEntries(unpublished.map((key) => [key, null])), ...member.ports?.bindings };
}

/** Name of the host's end of an interface. */
export function linkOf(endpointId: string): string {
  return `sk${endpointId.slice(0, 10)}`;
}
