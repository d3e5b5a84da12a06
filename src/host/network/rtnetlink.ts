import { formatIp, type Ip, type IpWithPrefix, ipBytes } from './ip.ts';
import { broadcastOf, subnetOf } from './ipv4.ts';
import {
  attribute,
  attributesOf,
  type NetlinkReply,
  type NetlinkRequest,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
} from './netlink.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const AF_INET = 2;
const AF_INET6 = 10;
/** Bytes of an address by family. */
const LENGTHS: Readonly<Record<number, number>> = { [AF_INET]: 4, [AF_INET6]: 16 };
const IFF_UP = 1;
const IFLA = { address: 1, name: 3, mtu: 4, master: 10, linkInfo: 18, group: 27, namespace: 28 } as const;
const INFO_KIND = 1;
const INFO_DATA = 2;
const INFO_SLAVE_KIND = 4;
const INFO_SLAVE_DATA = 5;
const VETH_INFO_PEER = 1;
const BRPORT_ISOLATED = 33;
const IFA = { address: 1, local: 2, broadcast: 4 } as const;
const IFA_F_NODAD = 2;
const RTA = { destination: 1, link: 4, gateway: 5 } as const;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;

/** Index of the loopback interface of every namespace. */
export const LOOPBACK = 1;

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  readonly group: number;
  /** Of a bridge, or of another interface that has others below it. */
  readonly isPort: boolean;
}

export interface VethPlan {
  /** Name and group of the end that stays in the namespace of the socket, enslaved to `bridge`. */
  readonly name: string;
  readonly group: number;
  readonly bridge: number;
  readonly mtu: number;
  /** The other end, which appears, down, in the namespace that `namespace` (a descriptor) refers to. */
  readonly peer: { readonly name: string; readonly mac: Buffer; readonly namespace: number };
}

export function addBridge(bridge: { name: string; group: number; mac: Buffer; mtu: number }): NetlinkRequest {
  const body = [
    linkHeader(0, IFF_UP),
    attribute(IFLA.name, bridge.name),
    attribute(IFLA.mtu, bridge.mtu),
    attribute(IFLA.group, bridge.group),
    attribute(IFLA.address, bridge.mac),
    attribute(IFLA.linkInfo, [attribute(INFO_KIND, 'bridge')]),
  ];
  return create(RTM_NEWLINK, body, `create bridge ${bridge.name}`);
}

export function addVeth(plan: VethPlan): NetlinkRequest {
  const peer = [
    linkHeader(0, 0),
    attribute(IFLA.name, plan.peer.name),
    attribute(IFLA.mtu, plan.mtu),
    attribute(IFLA.address, plan.peer.mac),
    attribute(IFLA.namespace, plan.peer.namespace),
  ];
  const body = [
    linkHeader(0, IFF_UP),
    attribute(IFLA.name, plan.name),
    attribute(IFLA.mtu, plan.mtu),
    attribute(IFLA.group, plan.group),
    attribute(IFLA.master, plan.bridge),
    attribute(IFLA.linkInfo, [attribute(INFO_KIND, 'veth'), attribute(INFO_DATA, [attribute(VETH_INFO_PEER, peer)])]),
  ];
  return create(RTM_NEWLINK, body, `create interface ${plan.name}`);
}

/** Keeps a port of a bridge from the other isolated ones. */
export function isolatePort(name: string): NetlinkRequest {
  const data = attribute(INFO_SLAVE_DATA, [attribute(BRPORT_ISOLATED, Buffer.of(1))]);
  const info = attribute(IFLA.linkInfo, [attribute(INFO_SLAVE_KIND, 'bridge'), data]);
  const body = Buffer.concat([linkHeader(0, 0), attribute(IFLA.name, name), info]);
  return { type: RTM_NEWLINK, flags: 0, body, intent: `isolate interface ${name}` };
}

export function setUp(index: number): NetlinkRequest {
  return { type: RTM_NEWLINK, flags: 0, body: linkHeader(index, IFF_UP), intent: `bring up interface ${index}` };
}

export function deleteLink(name: string): NetlinkRequest {
  const body = Buffer.concat([linkHeader(0, 0), attribute(IFLA.name, name)]);
  return { type: RTM_DELLINK, flags: 0, body, intent: `delete interface ${name}` };
}

/** Moves an interface to another group. */
export function setGroup(name: string, group: number): NetlinkRequest {
  const body = Buffer.concat([linkHeader(0, 0), attribute(IFLA.name, name), attribute(IFLA.group, group)]);
  return { type: RTM_NEWLINK, flags: 0, body, intent: `move interface ${name} to group ${group}` };
}

/** Deletes every interface of a group in one step; the kernel refuses with ENODEV when there is none. */
export function deleteGroup(group: number): NetlinkRequest {
  const body = Buffer.concat([linkHeader(0, 0), attribute(IFLA.group, group)]);
  return { type: RTM_DELLINK, flags: 0, body, intent: `delete the interfaces of group ${group}` };
}

export function addAddress(link: number, { address, prefix }: IpWithPrefix): NetlinkRequest {
  const header = Buffer.alloc(8);
  header[0] = familyOf(address);
  header[1] = prefix;
  // Nobody else can have an IPv6 address of ours: it need not be probed for, and is good at once.
  if (typeof address === 'bigint') header[2] = IFA_F_NODAD;
  header.writeUInt32LE(link, 4);
  const body = [header, attribute(IFA.local, ipBytes(address)), attribute(IFA.address, ipBytes(address))];
  if (typeof address === 'number') body.push(attribute(IFA.broadcast, ipBytes(broadcastOf(subnetOf(address, prefix)))));
  return create(RTM_NEWADDR, body, `give an interface the address ${formatIp(address)}/${prefix}`);
}

/** Takes the place of another default route. */
export function setDefaultRoute(link: number, gateway: Ip): NetlinkRequest {
  const header = Buffer.alloc(12);
  header[0] = familyOf(gateway);
  header[4] = RT_TABLE_MAIN;
  header[5] = RTPROT_BOOT;
  header[7] = RTN_UNICAST;
  const body = [header, attribute(RTA.gateway, ipBytes(gateway)), attribute(RTA.link, link)];
  const intent = `route through ${formatIp(gateway)}`;
  return { type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_REPLACE, body: Buffer.concat(body), intent };
}

export const listLinks: NetlinkRequest = {
  type: RTM_GETLINK,
  flags: 0,
  body: linkHeader(0, 0),
  intent: 'list the interfaces',
};

export const listAddresses: NetlinkRequest = {
  type: RTM_GETADDR,
  flags: 0,
  body: Buffer.alloc(8), // of every family
  intent: 'list the addresses',
};

export const listRoutes: NetlinkRequest = {
  type: RTM_GETROUTE,
  flags: 0,
  body: Buffer.alloc(12),
  intent: 'list the routes',
};

export function readLink(reply: NetlinkReply): Link {
  const attributes = attributesOf(reply.body, 16);
  const name = attributes.get(IFLA.name)?.toString('latin1') ?? '';
  return {
    index: reply.body.readInt32LE(4),
    name: name.replace(/\0.*$/, ''),
    mtu: attributes.get(IFLA.mtu)?.readUInt32LE(0) ?? 1500,
    group: attributes.get(IFLA.group)?.readUInt32LE(0) ?? 0,
    isPort: attributes.has(IFLA.master),
  };
}

/** What an address or a route claims: the first `prefix` bits of 4 or 16 bytes. */
export interface Claim {
  readonly link: number;
  readonly bytes: Buffer;
  readonly prefix: number;
}

/** The subnet of an address; undefined for families other than IPv4 and IPv6. */
export function readAddress(reply: NetlinkReply): Claim | undefined {
  const attributes = attributesOf(reply.body, 8);
  const bytes = attributes.get(IFA.local) ?? attributes.get(IFA.address);
  if (bytes?.length !== LENGTHS[reply.body.readUInt8(0)]) return undefined;
  return bytes && { link: reply.body.readUInt32LE(4), bytes, prefix: reply.body.readUInt8(1) };
}

/** The destination of a unicast route; the default routes have prefixes of length 0. */
export function readRoute(reply: NetlinkReply): Claim | undefined {
  const length = LENGTHS[reply.body.readUInt8(0)];
  if (length === undefined || reply.body[7] !== RTN_UNICAST) return undefined;
  const attributes = attributesOf(reply.body, 12);
  const bytes = attributes.get(RTA.destination) ?? Buffer.alloc(length);
  return { link: attributes.get(RTA.link)?.readUInt32LE(0) ?? 0, bytes, prefix: reply.body.readUInt8(1) };
}

function create(type: number, body: readonly Buffer[], intent: string): NetlinkRequest {
  return { type, flags: NLM_F_CREATE | NLM_F_EXCL, body: Buffer.concat(body), intent };
}

/** struct ifinfomsg; `up` is both the flag and the mask of flags to change. */
function linkHeader(index: number, up: number): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(up, 8);
  header.writeUInt32LE(up, 12);
  return header;
}

function familyOf(address: Ip): number {
  return typeof address === 'number' ? AF_INET : AF_INET6;
}
