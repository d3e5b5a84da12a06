import { Failure } from '../../lib/error.ts';
import type { EndpointConfig } from '../../wire/container.ts';
import { contains, parseIpv4, parseSubnet } from './ipv4.ts';
import { contains6, type Ipv6, parseIpv6, parseSubnet6 } from './ipv6.ts';
import type { Network } from './network-registry.ts';
import type { WantedAddresses } from './network-views.ts';

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

/** The addresses that the user asks for on a network. Names and addresses of one's own are for networks of the user. */
export function wantedAddresses(network: Network, config: EndpointConfig | null): WantedAddresses {
  const { name, driver, subnet, ipv6: hasIpv6, pool6 } = network.record;
  const ofUser = driver === 'bridge' && name !== 'bridge';
  const { IPv4Address, IPv6Address } = config?.IPAMConfig ?? {};
  const problems = [
    ...((config?.Aliases ?? []).length > 0
      ? ['network-scoped alias is supported only for containers in user defined networks']
      : []),
    ...(IPv4Address || IPv6Address
      ? [
          'user specified IP address is supported on user defined networks only',
          'user specified IP address is supported only when connecting to networks with user configured subnets',
        ]
      : []),
  ];
  if (!ofUser && problems.length > 0) throw invalidSettings(name, problems);
  const ipv4 = IPv4Address ? parseIpv4(IPv4Address) : undefined;
  const ipv6 = IPv6Address ? parseIpv6(IPv6Address) : undefined;
  if (IPv4Address && ipv4 === undefined) throw invalidSettings(name, [`invalid IPv4 address: ${IPv4Address}`]);
  if (IPv6Address && ipv6 === undefined) throw invalidSettings(name, [`invalid IPv6 address: ${IPv6Address}`]);
  const foreign =
    (ipv4 !== undefined && subnet !== undefined && !contains(parseSubnet(subnet), ipv4) && IPv4Address) ||
    (ipv6 !== undefined && !(hasIpv6 && isInside6(pool6?.subnet, ipv6)) && IPv6Address);
  if (foreign) throw invalidSettings(name, [`no configured subnet or ip-range contain the IP address ${foreign}`]);
  return { ipv4, ipv6 };
}

/** True as long as no subnet is known. */
function isInside6(subnet: string | undefined, address: Ipv6): boolean {
  return subnet === undefined || contains6(parseSubnet6(subnet), address);
}

/** A unicast MAC address in lower case. */
export function checkedMac(text: string): string {
  const mac = text.toLowerCase();
  if (/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(mac)) return mac;
  throw invalid(`invalid MAC address: ${text}`);
}

function refusal(message: string): Failure {
  return new Failure('denied', 'NETWORK_MODES', message);
}

function invalidSettings(network: string, problems: readonly string[]): Failure {
  const list = problems.length === 1 ? problems : problems.map((problem) => `* ${problem}`);
  const message = `invalid config for network ${network}: invalid endpoint settings:\n${list.join('\n')}`;
  return new Failure('invalid', 'ENDPOINT', message);
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'ENDPOINT', message);
}
