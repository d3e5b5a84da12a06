import { isFailure } from '../../lib/error.ts';
import type { Attachment } from './attachment.ts';
import type { BridgeRule, FirewallRules, ForwardRule } from './firewall-rules.ts';
import { parseIpv4 } from './ipv4.ts';
import { parseIpv6 } from './ipv6.ts';
import { linkOf, type Member, onHost } from './member.ts';
import type { MemberServices } from './member-services.ts';
import type { Namespaces } from './namespaces.ts';
import type { Network, NetworkRegistry } from './network-registry.ts';
import type { KeptNetwork, NetworkState } from './network-state.ts';
import { type Endpoint, networkSettings, type WantedAddresses } from './network-views.ts';
import { takePlace } from './place.ts';
import { hostResolver } from './resolv.ts';

interface RejoinSite {
  readonly registry: NetworkRegistry;
  readonly namespaces: Namespaces;
  readonly services: MemberServices;
}

/**
 * Containers of the host before on their networks as they were. `links` are the interfaces that are still there, with their
 * indexes. What of a network is gone is left out. The rules are to be loaded.
 */
export async function rejoin(
  kept: readonly KeptNetwork[],
  links: ReadonlyMap<string, number>,
  site: RejoinSite,
): Promise<{ readonly members: readonly Member[]; readonly rules: FirewallRules }> {
  const bridges: BridgeRule[] = [];
  const forwards: ForwardRule[] = [];
  const members: Member[] = [];
  const host = await hostResolver();
  for (const { id, pid, state } of kept) {
    const { request, sandboxId } = state;
    const shared = request.sharedWith === undefined ? undefined : sharedWith(pid);
    const rest = { joined: [], namespace: undefined, ports: undefined, names: undefined };
    const member: Member = { id, request, host, sandboxId, shared, ...rest };
    members.push(member);
    if (shared) continue;
    for (const joined of state.joined) bridges.push(...rejoinNetwork(member, joined, links, site.registry));
    if (pid !== undefined && !onHost(member)) {
      const ends = member.joined.flatMap(({ endpoint }) => (endpoint.place ? linkOf(endpoint.id) : []));
      member.namespace = site.namespaces.takeOver(pid, ends);
      if (member.namespace) await site.services.restart(member, state);
    }
    forwards.push(...(member.ports?.forwards ?? []));
  }
  return { members, rules: { bridges, forwards } };
}

/** Puts the container on a network again. Returns the rule of its bridge when this is the first container on it. */
function rejoinNetwork(
  member: Member,
  state: NetworkState['joined'][number],
  links: ReadonlyMap<string, number>,
  registry: NetworkRegistry,
): readonly BridgeRule[] {
  const { slot, containerName, aliases, place } = state;
  const network = findNetwork(state.network, registry);
  if (!network) return [];
  const index = place && links.get(place.bridge.name);
  const isNew = place && index !== undefined && !network.bridge;
  const rules = isNew ? registry.takeOver(network, place.bridge, index) : [];
  const { bridge } = network;
  const isThere = place && bridge && links.has(linkOf(state.endpoint));
  const endpoint: Endpoint = {
    id: state.endpoint,
    network: network.record,
    containerName,
    hostname: member.request.hostname,
    aliases,
    links: state.links,
    wanted: addressesOf(state.wanted),
    driverOptions: state.driverOptions ?? null,
    gatewayPriority: state.gatewayPriority ?? 0,
    place: isThere
      ? takePlace(bridge, addressesOf({ ipv4: place.address, ipv6: place.address6 }), place.mac)
      : undefined,
  };
  member.joined.push({ network, endpoint, slot });
  network.endpoints.set(member.id, endpoint);
  return rules;
}

function addressesOf(texts: {
  ipv4?: string | undefined;
  ipv6?: string | undefined;
  linkLocal?: readonly string[];
}): WantedAddresses {
  return {
    linkLocal: (texts.linkLocal ?? []).flatMap((text) => parseIpv4(text) ?? parseIpv6(text) ?? []),
    ipv4: texts.ipv4 === undefined ? undefined : parseIpv4(texts.ipv4),
    ipv6: texts.ipv6 === undefined ? undefined : parseIpv6(texts.ipv6),
  };
}

function findNetwork(id: string, registry: NetworkRegistry): Network | undefined {
  try {
    return registry.find(id);
  } catch (error) {
    if (isFailure(error, 'not-found')) return undefined;
    throw error;
  }
}

/** The network of a container that was left running in another one's namespace, which it keeps alive. */
function sharedWith(pid: number | undefined): Attachment {
  const namespacePath = pid === undefined ? undefined : `/proc/${pid}/ns/net`;
  return { namespacePath, settings: networkSettings(undefined, {}, {}), resolvConf: '', linked: [] };
}
