import { Failure } from '../../lib/error.ts';
import type { EndpointConfig } from '../../wire/container.ts';
import { endpointProblems } from './endpoint-options.ts';
import { formatIp, type Ip, type IpWithPrefix } from './ip.ts';
import { contains, parseIpv4, parseSubnet } from './ipv4.ts';
import { contains6, parseIpv6, parseSubnet6 } from './ipv6.ts';
import type { NetworkRecord } from './network-records.ts';
import type { Network } from './network-registry.ts';
import type { WantedAddresses } from './network-views.ts';

const LINK_LOCAL = parseSubnet('169.254.0.0/16');
const LINK_LOCAL6 = parseSubnet6('fe80::/10');

/** Refuses, in Docker's words, a network that does not go with those that a container is on already. */
export function checkJoin(network: Network, joined: readonly { readonly network: Network }[]): void {
  if (joined.length === 0) return;
  const drivers = [network, ...joined.map((one) => one.network)].map(({ record }) => record.driver);
  if (drivers.includes('host'))
    throw refusal('container cannot be disconnected from host network or connected to host network');
  if (drivers.includes('null'))
    throw refusal('container cannot be connected to multiple networks with one of the networks in private (none) mode');
  if (joined.some((one) => one.network === network))
    throw refusal(`endpoint with that container already exists in network ${network.record.name}`);
}

/**
 * The addresses that the user asks for on a network. Names and addresses of one's own are for networks of the user, the
 * addresses only in subnets that he has stated. The Failure names all that is wrong.
 */
export function wantedAddresses({ record }: Network, config: EndpointConfig | null): WantedAddresses {
  const ofUser = record.driver === 'bridge' && record.name !== 'bridge';
  const { IPv4Address = '', IPv6Address = '', LinkLocalIPs } = config?.IPAMConfig ?? {};
  const ipv4 = parseIpv4(IPv4Address);
  const ipv6 = parseIpv6(IPv6Address);
  const linkLocal = (LinkLocalIPs ?? []).map((text) => ({ text, address: parseIpv4(text) ?? parseIpv6(text) }));
  const problems = [
    ...(!ofUser && (IPv4Address || IPv6Address)
      ? ['user specified IP address is supported on user defined networks only']
      : []),
    ...(!ofUser && (config?.Aliases ?? []).length > 0
      ? ['network-scoped alias is supported only for containers in user defined networks']
      : []),
    ...(IPv4Address && ipv4 === undefined ? [`invalid IPv4 address: ${IPv4Address}`] : []),
    ...(IPv6Address && ipv6 === undefined ? [`invalid IPv6 address: ${IPv6Address}`] : []),
    ...linkLocal.flatMap(({ text, address }) =>
      address !== undefined ? [] : [`invalid link-local IP address: ${text}`],
    ),
    ...misplaced(
      IPv4Address,
      statedSubnet(record),
      (subnet) => ipv4 !== undefined && contains(parseSubnet(subnet), ipv4),
    ),
    ...misplaced(
      IPv6Address,
      record.ipv6 ? statedSubnet(record.pool6) : undefined,
      (subnet) => ipv6 !== undefined && contains6(parseSubnet6(subnet), ipv6),
    ),
    ...endpointProblems(config?.DriverOpts ?? null),
  ];
  const list = problems.length === 1 ? problems : problems.map((problem) => `* ${problem}`);
  if (problems.length > 0) throw invalid(`invalid endpoint settings:\n${list.join('\n')}`);
  return { ipv4, ipv6, linkLocal: linkLocal.flatMap(({ address }) => address ?? []) };
}

/** Addresses of one link alone, with the prefix of their block. https://www.rfc-editor.org/rfc/rfc3927 */
export function linkLocalAddresses(addresses: readonly Ip[]): IpWithPrefix[] {
  return addresses.map((address) => {
    const isLocal = typeof address === 'number' ? contains(LINK_LOCAL, address) : contains6(LINK_LOCAL6, address);
    if (!isLocal) throw new Failure('denied', 'LINK_LOCAL', `invalid link local IP address: ${formatIp(address)}`);
    return { address, prefix: typeof address === 'number' ? 16 : 64 };
  });
}

/** A unicast MAC address of `02:42:..`, `02-42-..` or `0242.0000.0001`, in the first form and lower case. */
export function checkedMac(text: string): string {
  const isWritten = /^[\da-f]{2}(?:([:-])[\da-f]{2})(?:\1[\da-f]{2}){4}$|^[\da-f]{4}(?:\.[\da-f]{4}){2}$/i.test(text);
  const mac = (text.toLowerCase().match(/[\da-f]{2}/g) ?? []).join(':');
  if (isWritten && /^.[02468ace]/.test(mac) && mac !== '00:00:00:00:00:00') return mac;
  throw invalid(`invalid MAC address: ${text}`);
}

function refusal(message: string): Failure {
  return new Failure('denied', 'NETWORK_MODES', message);
}

/** What is wrong with an address for which there is no place in the subnet that the user has stated, if he has. */
function misplaced(address: string, subnet: string | undefined, isInside: (subnet: string) => boolean): string[] {
  if (address === '' || (subnet !== undefined && isInside(subnet))) return [];
  return [
    subnet === undefined
      ? 'user specified IP address is supported only when connecting to networks with user configured subnets'
      : `no configured subnet or ip-range contain the IP address ${address}`,
  ];
}

function statedSubnet(pool: Pick<NetworkRecord, 'subnet' | 'isChosen'> | undefined): string | undefined {
  return pool?.isChosen ? undefined : pool?.subnet;
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'ENDPOINT', message);
}
