import { writeFileSync } from 'node:fs';
import { Failure, isFailure, messageOf, systemCode } from '../../lib/error.ts';
import type { InterfaceSysctl } from './endpoint-options.ts';
import { type Ip, type IpWithPrefix, ipBytes } from './ip.ts';
import { parseIpv4, type Subnet, subnetOf } from './ipv4.ts';
import { ipv6Of, type Subnet6, subnet6Of } from './ipv6.ts';
import type { NamePorts, NameSockets } from './name-server.ts';
import { Netlink } from './netlink.ts';
import { NAME_SERVER } from './resolv.ts';
import {
  addAddress,
  addBridge,
  addVeth,
  deleteGroup,
  deleteLink,
  isolatePort,
  LOOPBACK,
  listAddresses,
  listLinks,
  listRoutes,
  readAddress,
  readLink,
  readRoute,
  setDefaultRoute,
  setGroup,
  setUp,
} from './rtnetlink.ts';
import { bindLocal, closeDescriptor, inNamespace, openNamespace } from './socket-calls.ts';

/** What the host's own network looks like, for choosing subnets and an MTU. */
export interface Survey {
  /** Every subnet that an address or a route already claims. */
  readonly taken: readonly Subnet[];
  readonly taken6: readonly Subnet6[];
  /** MTU of the interface behind the default route, else 1500. */
  readonly mtu: number;
  readonly links: readonly string[];
}

/** One interface of a namespace to be made: a veth pair whose other end, `link`, is a port of the bridge. */
export interface EndpointPlan {
  readonly link: string;
  /** Index of the bridge. */
  readonly bridge: number;
  readonly mtu: number;
  /** Of the interface inside. */
  readonly name: string;
  readonly addresses: readonly IpWithPrefix[];
  readonly mac: string;
  /** Routers of the default routes, when the namespace gets them through this interface. */
  readonly gateways: readonly Ip[];
  /** Whether it is kept from other containers on the bridge. */
  readonly isolated: boolean;
  readonly sysctls: readonly InterfaceSysctl[];
}

/**
 * What runs in a worker thread, because the kernel makes a caller wait while it takes interfaces down elsewhere. Every
 * interface carries the owner's `group`, by which leftovers are found. None of the tasks waits for anything else.
 */
export const networkTasks = {
  'network.survey': (): Survey => {
    using netlink = new Netlink();
    return survey(netlink);
  },

  /** Makes a bridge and gives it its addresses. Returns its index, and the subnets that other interfaces have. */
  'network.addBridge': (plan: {
    name: string;
    group: number;
    mac: string;
    mtu: number;
    addresses: readonly IpWithPrefix[];
  }): { index: number; others: Survey } => {
    using netlink = new Netlink();
    netlink.change([addBridge({ ...plan, mac: macBytes(plan.mac) })]);
    try {
      const index = indexOf(netlink, plan.name);
      if (hasIpv6(plan)) turnOnIpv6(plan.name);
      netlink.change(plan.addresses.map((address) => addAddress(index, address)));
      return { index, others: survey(netlink, index) };
    } catch (error) {
      netlink.change([deleteLink(plan.name)]);
      throw error;
    }
  },

  /** Makes a network namespace with loopback and the endpoints up. Returns a descriptor that keeps it alive. */
  'network.openNamespace': (plan: { group: number; endpoints: readonly EndpointPlan[] }): number => {
    using netlink = new Netlink();
    const made = inNamespace('new', () => ({ descriptor: openNamespace(), inside: new Netlink() }));
    using inside = made.inside;
    try {
      inside.change([setUp(LOOPBACK)]);
      for (const endpoint of plan.endpoints) plug(netlink, inside, made.descriptor, plan.group, endpoint);
      return made.descriptor;
    } catch (error) {
      closeDescriptor(made.descriptor);
      throw error;
    }
  },

  /** Adds an interface to a namespace. */
  'network.plug': (plan: { group: number; namespace: number; endpoint: EndpointPlan }): void => {
    using netlink = new Netlink();
    using inside = inNamespace(plan.namespace, () => new Netlink());
    plug(netlink, inside, plan.namespace, plan.group, plan.endpoint);
  },

  /** Takes one interface of a namespace away, and gives it other default routes if they went with it. */
  'network.unplug': (plan: {
    namespace: number;
    link: string;
    next: readonly Pick<EndpointPlan, 'name' | 'gateways'>[];
  }): void => {
    using netlink = new Netlink();
    ignoreAbsence(() => netlink.change([deleteLink(plan.link)]));
    if (plan.next.every(({ gateways }) => gateways.length === 0)) return;
    using inside = inNamespace(plan.namespace, () => new Netlink());
    const routes = inside.dump(listRoutes).flatMap((route) => readRoute(route) ?? []);
    const isRouted = (gateway: Ip) =>
      routes.some(({ bytes, prefix }) => prefix === 0 && bytes.length === ipBytes(gateway).length);
    for (const next of plan.next)
      for (const gateway of next.gateways)
        if (!isRouted(gateway)) inside.change([setDefaultRoute(indexOf(inside, next.name), gateway)]);
  },

  /** Sockets of a name server on the namespace's loopback, bound and not yet listening. */
  'network.openNameSockets': (plan: {
    namespace: number;
    wanted: NamePorts | undefined;
  }): { sockets: NameSockets; ports: NamePorts } =>
    inNamespace(plan.namespace, () => {
      const udp = bindLocal('udp', NAME_ADDRESS, plan.wanted?.udp);
      try {
        const tcp = bindLocal('tcp', NAME_ADDRESS, plan.wanted?.tcp);
        return {
          sockets: { udp: udp.descriptor, tcp: tcp.descriptor },
          ports: { udp: udp.port, tcp: tcp.port },
        };
      } catch (error) {
        closeDescriptor(udp.descriptor);
        throw error;
      }
    }),

  /**
   * Takes interfaces away and lets go of their namespaces, which end with their last process. All interfaces go in one step
   * through a group of their own: the kernel waits for its readers once, not once for each.
   */
  'network.closeNamespaces': (plan: {
    group: number;
    namespaces: readonly { descriptor: number; links: readonly string[] }[];
  }): void => {
    using netlink = new Netlink();
    try {
      for (const { links } of plan.namespaces)
        for (const link of links) ignoreAbsence(() => netlink.change([setGroup(link, plan.group)]));
      ignoreAbsence(() => netlink.change([deleteGroup(plan.group)]));
    } finally {
      for (const { descriptor } of plan.namespaces) closeDescriptor(descriptor);
    }
  },

  /** Removes interfaces; those that are gone already do not matter. */
  'network.removeLinks': (plan: { links: readonly string[] }): void => removeLinks(plan.links),

  /** Removes every interface of the owner, whoever made it. */
  'network.removeGroup': (plan: { group: number }): void => {
    using netlink = new Netlink();
    ignoreAbsence(() => netlink.change([deleteGroup(plan.group)]));
  },

  /** Whether an interface of the owner is on a bridge: something still lives at its other end. */
  'network.isInUse': (plan: { group: number }): boolean => {
    using netlink = new Netlink();
    return netlink
      .dump(listLinks)
      .map(readLink)
      .some(({ group, isPort }) => group === plan.group && isPort);
  },

  /** Removes every interface of the owner but those that are named in `keep`; returns the indexes of these. */
  'network.keepOnly': (plan: { group: number; keep: readonly string[] }): ReadonlyMap<string, number> => {
    using netlink = new Netlink();
    const links = netlink.dump(listLinks).map(readLink);
    const own = links.filter(({ group }) => group === plan.group || group === plan.group + 1);
    removeLinks(own.flatMap(({ name }) => (plan.keep.includes(name) ? [] : name)));
    return new Map(own.flatMap(({ name, index }) => (plan.keep.includes(name) ? [[name, index]] : [])));
  },
} as const;

type NetworkTasks = typeof networkTasks;

/** Where the tasks run: a worker pool whose script serves `networkTasks`. */
export interface NetworkTaskRunner {
  run<Output>(task: string, input: unknown, options: { signal: AbortSignal }): Promise<Output>;
}

/** Runs a task to its end: it is over in milliseconds, and one cut short could lose a descriptor. */
export function runNetworkTask<Name extends keyof NetworkTasks>(
  runner: NetworkTaskRunner,
  task: Name,
  input?: Parameters<NetworkTasks[Name]>[0],
): Promise<ReturnType<NetworkTasks[Name]>> {
  return runner.run(task, input, { signal: NEVER });
}

const NAME_ADDRESS = parseIpv4(NAME_SERVER) ?? 0;

const NEVER = new AbortController().signal;

/** What is taken on the host, leaving out what interface `except` itself claims. */
function survey(netlink: Netlink, except = 0): Survey {
  const links = netlink.dump(listLinks).map(readLink);
  const claims = [...netlink.dump(listAddresses).map(readAddress), ...netlink.dump(listRoutes).map(readRoute)];
  const taken: Subnet[] = [];
  const taken6: Subnet6[] = [];
  let mtu = 1500;
  for (const claim of claims) {
    if (!claim || claim.link === except) continue;
    const { bytes, prefix } = claim;
    if (bytes.length === 16 && prefix > 0 && !isLocal(bytes)) taken6.push(subnet6Of(ipv6Of(bytes), prefix));
    if (bytes.length !== 4) continue;
    if (prefix > 0) taken.push(subnetOf(bytes.readUInt32BE(0), prefix));
    else mtu = links.find((link) => link.index === claim.link)?.mtu ?? mtu;
  }
  return { taken, taken6, mtu, links: links.map((link) => link.name) };
}

function plug(outside: Netlink, inside: Netlink, namespace: number, group: number, endpoint: EndpointPlan): void {
  const peer = { name: endpoint.name, mac: macBytes(endpoint.mac), namespace };
  outside.change([addVeth({ name: endpoint.link, group, bridge: endpoint.bridge, mtu: endpoint.mtu, peer })]);
  if (endpoint.isolated) outside.change([isolatePort(endpoint.link)]);
  const index = indexOf(inside, peer.name); // the kernel's choice
  if (!hasIpv6(endpoint)) inNamespace(namespace, () => turnOffIpv6(peer.name));
  inside.change([
    setUp(index),
    ...endpoint.addresses.map((address) => addAddress(index, address)),
    ...endpoint.gateways.map((gateway) => setDefaultRoute(index, gateway)),
  ]);
  if (endpoint.sysctls.length > 0) inNamespace(namespace, () => setSysctls(peer.name, endpoint.sysctls));
}

/** Link-local (fe80::/10) and multicast (ff00::/8) addresses are on every interface. */
function isLocal(bytes: Buffer): boolean {
  return bytes[0] === 0xff || (bytes[0] === 0xfe && ((bytes[1] ?? 0) & 0xc0) === 0x80);
}

/** Where the machine's default is that interfaces have no IPv6. */
function turnOnIpv6(link: string): void {
  writeFileSync(`/proc/sys/net/ipv6/conf/${link}/disable_ipv6`, '0');
}

/** Else the kernel gives it an address by which its network's containers reach it, past all that is said of IPv4. */
function turnOffIpv6(link: string): void {
  try {
    writeFileSync(`/proc/sys/net/ipv6/conf/${link}/disable_ipv6`, '1');
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error; // a kernel without IPv6
  }
}

function setSysctls(link: string, sysctls: readonly InterfaceSysctl[]): void {
  for (const { family, group, name, value } of sysctls) {
    const path = `/proc/sys/net/${family}/${group}/${link}/${name}`;
    try {
      writeFileSync(path, value, { flag: 'r+' });
    } catch (error) {
      const why = systemCode(error) === 'ENOENT' ? `${path} is not a sysctl file` : messageOf(error);
      throw new Failure('invalid', 'INTERFACE_SYSCTL', why);
    }
  }
}

function hasIpv6({ addresses }: { readonly addresses: readonly IpWithPrefix[] }): boolean {
  return addresses.some(({ address }) => typeof address === 'bigint');
}

/** Index of an interface, 0 when there is none of that name. */
function indexOf(netlink: Netlink, name: string): number {
  const links = netlink.dump(listLinks).map(readLink);
  return links.find((link) => link.name === name)?.index ?? 0;
}

function removeLinks(names: readonly string[]): void {
  using netlink = new Netlink();
  for (const name of names) ignoreAbsence(() => netlink.change([deleteLink(name)]));
}

function ignoreAbsence(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if (!isFailure(error) || error.code !== 'NETWORK_ENODEV') throw error;
  }
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}
