import { isFailure } from '../../lib/error.ts';
import type { Ipv4, Subnet } from './ipv4.ts';
import { Netlink } from './netlink.ts';
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
import { closeDescriptor, inNamespace, openNamespace } from './socket-calls.ts';

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
      const index =
        netlink
          .dump(listLinks)
          .map(readLink)
          .find((link) => link.name === plan.name)?.index ?? 0;
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
  const index = LOOPBACK + 1 + endpoint.slot;
  const peer = { name: `eth${endpoint.slot}`, index, mac: macBytes(endpoint.mac), namespace };
  outside.change([addVeth({ name: endpoint.link, group, bridge: endpoint.bridge, mtu: endpoint.mtu, peer })]);
  inside.change([
    setUp(index),
    addAddress(index, endpoint.address, endpoint.prefix),
    ...(endpoint.gateway === undefined ? [] : [addDefaultRoute(index, endpoint.gateway)]),
  ]);
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
