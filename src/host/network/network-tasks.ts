import { isFailure } from '../../lib/error.ts';
import { type Ipv4, parseIpv4, type Subnet } from './ipv4.ts';
import { Netlink } from './netlink.ts';
import { NAME_SERVER } from './resolv.ts';
import {
  addAddress,
  addBridge,
  addDefaultRoute,
  addVeth,
  deleteGroup,
  deleteLink,
  LOOPBACK,
  listAddresses,
  listLinks,
  listRoutes,
  readAddress,
  readLink,
  readRoute,
  setGroup,
  setUp,
} from './rtnetlink.ts';
import { bindLocal, closeDescriptor, inNamespace, openNamespace } from './socket-calls.ts';

/** What the host's own network looks like, for choosing subnets and an MTU. */
export interface Survey {
  /** Every IPv4 subnet that an address or a route already claims. */
  readonly taken: readonly Subnet[];
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
  /** Number of the interface inside, from 0: `eth0`. */
  readonly slot: number;
  readonly address: Ipv4;
  readonly prefix: number;
  readonly mac: string;
  /** Router of the default route, when the namespace gets one through this interface. */
  readonly gateway: Ipv4 | undefined;
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

  /** Makes a bridge and gives it its address. Returns its index, and whether another interface has the subnet too. */
  'network.addBridge': (plan: {
    name: string;
    group: number;
    mac: string;
    mtu: number;
    address: Ipv4;
    prefix: number;
  }): { index: number; contested: readonly Subnet[] } => {
    using netlink = new Netlink();
    netlink.change([addBridge({ ...plan, mac: macBytes(plan.mac) })]);
    try {
      const index = indexOf(netlink, plan.name);
      netlink.change([addAddress(index, plan.address, plan.prefix)]);
      return { index, contested: survey(netlink, index).taken };
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

  /** Takes one interface of a namespace away, and gives it another default route if that went with it. */
  'network.unplug': (plan: {
    namespace: number;
    link: string;
    next: Pick<EndpointPlan, 'slot' | 'gateway'> | undefined;
  }): void => {
    using netlink = new Netlink();
    ignoreAbsence(() => netlink.change([deleteLink(plan.link)]));
    if (plan.next?.gateway === undefined) return;
    using inside = inNamespace(plan.namespace, () => new Netlink());
    if (inside.dump(listRoutes).some((route) => readRoute(route)?.subnet.prefix === 0)) return;
    inside.change([addDefaultRoute(indexOf(inside, nameInside(plan.next)), plan.next.gateway)]);
  },

  /** Sockets of a name server on the namespace's loopback, bound and not yet listening. */
  'network.openNameSockets': (plan: {
    namespace: number;
  }): { sockets: { udp: number; tcp: number }; udpPort: number; tcpPort: number } =>
    inNamespace(plan.namespace, () => {
      const udp = bindLocal('udp', NAME_ADDRESS);
      try {
        const tcp = bindLocal('tcp', NAME_ADDRESS);
        return {
          sockets: { udp: udp.descriptor, tcp: tcp.descriptor },
          udpPort: udp.port,
          tcpPort: tcp.port,
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
  let mtu = 1500;
  for (const claim of claims) {
    if (!claim || claim.link === except) continue;
    if (claim.subnet.prefix > 0) taken.push(claim.subnet);
    else mtu = links.find((link) => link.index === claim.link)?.mtu ?? mtu;
  }
  return { taken, mtu, links: links.map((link) => link.name) };
}

function plug(outside: Netlink, inside: Netlink, namespace: number, group: number, endpoint: EndpointPlan): void {
  const peer = { name: nameInside(endpoint), mac: macBytes(endpoint.mac), namespace };
  outside.change([addVeth({ name: endpoint.link, group, bridge: endpoint.bridge, mtu: endpoint.mtu, peer })]);
  const index = indexOf(inside, peer.name); // the kernel's choice
  inside.change([
    setUp(index),
    addAddress(index, endpoint.address, endpoint.prefix),
    ...(endpoint.gateway === undefined ? [] : [addDefaultRoute(index, endpoint.gateway)]),
  ]);
}

function nameInside({ slot }: Pick<EndpointPlan, 'slot'>): string {
  return `eth${slot}`;
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
