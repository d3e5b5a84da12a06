import type { AttachRequest } from './attachment.ts';
import { stateOfBridge } from './bridge.ts';
import { formatIp } from './ip.ts';
import { formatIpv4 } from './ipv4.ts';
import { formatIpv6 } from './ipv6.ts';
import { linkOf, type Member } from './member.ts';
import type { Place, WantedAddresses } from './network-views.ts';

/** What the next host needs to know of a running container's networks, to go on with them. A JSON document. */
export interface NetworkState {
  readonly request: AttachRequest;
  readonly sandboxId: string;
  readonly joined: readonly JoinedState[];
  /** Ports of its name server inside, to which its resolver is led. */
  readonly names?: { readonly udp: number; readonly tcp: number };
  /** The host port of each port that it publishes, in the order of planPorts. */
  readonly ports?: readonly number[];
}

interface JoinedState {
  readonly network: string;
  readonly endpoint: string;
  readonly containerName: string;
  readonly slot?: number;
  readonly aliases: readonly string[];
  readonly links: readonly string[];
  /** Addresses that the user asked for. */
  readonly wanted: { readonly ipv4?: string; readonly ipv6?: string; readonly linkLocal?: readonly string[] };
  readonly driverOptions?: Readonly<Record<string, string>>;
  readonly gatewayPriority?: number;
  /** On bridges only. */
  readonly place?: {
    readonly bridge: BridgeState;
    readonly address: string;
    readonly address6?: string;
    readonly mac: string;
  };
}

export interface BridgeState {
  readonly name: string;
  readonly mtu: number;
  /** As `172.30.0.0/16`. */
  readonly subnet: string;
  readonly gateway: string;
  readonly v6?: { readonly subnet: string; readonly gateway: string };
}

/** A container that the host before has left running, or that has ended since (without `pid`). */
export interface KeptNetwork {
  readonly id: string;
  readonly pid: number | undefined;
  readonly state: NetworkState;
}

export function stateOf(member: Member): NetworkState {
  const { request, sandboxId, joined, names, ports } = member;
  return {
    request,
    sandboxId,
    joined: joined.map(({ network, endpoint, slot }) => ({
      network: network.record.id,
      endpoint: endpoint.id,
      containerName: endpoint.containerName,
      ...(slot === undefined ? {} : { slot }),
      aliases: endpoint.aliases,
      links: endpoint.links,
      wanted: addressTexts(endpoint.wanted),
      ...(endpoint.driverOptions ? { driverOptions: endpoint.driverOptions } : {}),
      ...(endpoint.gatewayPriority === 0 ? {} : { gatewayPriority: endpoint.gatewayPriority }),
      ...(endpoint.place ? { place: placeState(endpoint.place) } : {}),
    })),
    ...(names ? { names: names.ports } : {}),
    ...(ports ? { ports: ports.numbers } : {}),
  };
}

function placeState({ bridge, address, v6, mac }: Place): NonNullable<JoinedState['place']> {
  const address6 = v6 && formatIpv6(v6.address);
  return { bridge: stateOfBridge(bridge), address: formatIpv4(address), ...(address6 ? { address6 } : {}), mac };
}

function addressTexts({ ipv4, ipv6, linkLocal }: WantedAddresses): JoinedState['wanted'] {
  return {
    ...(ipv4 === undefined ? {} : { ipv4: formatIpv4(ipv4) }),
    ...(ipv6 === undefined ? {} : { ipv6: formatIpv6(ipv6) }),
    ...(linkLocal.length === 0 ? {} : { linkLocal: linkLocal.map(formatIp) }),
  };
}

/** Names of the interfaces of the host that running containers need. */
export function linksOf(kept: readonly KeptNetwork[]): string[] {
  return kept.flatMap(({ pid, state }) =>
    pid === undefined
      ? []
      : state.joined.flatMap(({ endpoint, place }) => (place ? [place.bridge.name, linkOf(endpoint)] : [])),
  );
}
