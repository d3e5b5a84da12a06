import { Failure } from '../../lib/error.ts';
import type { IpamPool } from '../../wire/network.ts';
import { contains, formatIpv4, formatSubnet, parseIpv4, parseSubnet } from './ipv4.ts';
import { contains6, formatIpv6, formatSubnet6, parseIpv6, parseSubnet6 } from './ipv6.ts';
import type { NetworkRecord } from './network-records.ts';

type Pool = Pick<NetworkRecord, 'subnet' | 'gateway' | 'range' | 'reserved'>;

/** What is needed of a family of addresses: texts in, canonical texts out. */
interface Reader {
  readonly subnet: (text: string) => string;
  /** Undefined when the text is no address in the subnet. */
  readonly address: (text: string, subnet: string) => string | undefined;
  /** Whether one subnet lies in the other. */
  readonly within: (inner: string, outer: string) => boolean;
}

/** The pools of a network: one for each family at most. Failure of kind `invalid` or `unsupported`. */
export function readPools(pools: readonly IpamPool[]): { readonly pool: Pool; readonly pool6: Pool | undefined } {
  const of = { 4: [] as IpamPool[], 6: [] as IpamPool[] };
  for (const pool of pools) {
    if (pool.Subnet === undefined && (pool.Gateway || pool.IPRange))
      throw new Failure('invalid', 'SUBNET', 'a gateway or an address range needs a subnet');
    of[`${pool.Subnet ?? ''}`.includes(':') ? 6 : 4].push(pool);
  }
  if (of[4].length > 1 || of[6].length > 1)
    throw new Failure('unsupported', 'NETWORK_POOLS', "bridge driver doesn't support multiple subnets");
  const [own] = pools;
  // The command states all reserved addresses with the first subnet.
  const reserved = Object.entries(own?.AuxiliaryAddresses ?? {});
  const reservedOf = (family: 4 | 6) => reserved.filter(([, address]) => address.includes(':') === (family === 6));
  return {
    pool: read(of[4][0], reservedOf(4), IPV4),
    pool6: of[6][0] && read(of[6][0], reservedOf(6), IPV6),
  };
}

function read(pool: IpamPool | undefined, reserved: readonly (readonly [string, string])[], reader: Reader): Pool {
  const subnet = pool?.Subnet ? reader.subnet(pool.Subnet) : undefined;
  const inSubnet = (what: string, text: string): string => {
    const address = subnet === undefined ? undefined : reader.address(text, subnet);
    if (address !== undefined) return address;
    throw new Failure(
      'invalid',
      'ADDRESS',
      `invalid ${what} "${text}": expected an address in ${subnet ?? 'a subnet'}`,
    );
  };
  const range = pool?.IPRange ? reader.subnet(pool.IPRange) : undefined;
  if (range !== undefined && subnet !== undefined && !reader.within(range, subnet))
    throw new Failure('invalid', 'SUBNET', `invalid address range "${pool?.IPRange}": it is not in ${subnet}`);
  const kept = reserved.map(([name, address]) => [name, inSubnet('auxiliary address', address)] as const);
  return {
    ...(subnet === undefined ? {} : { subnet }),
    ...(range === undefined ? {} : { range }),
    ...(kept.length > 0 ? { reserved: Object.fromEntries(kept) } : {}),
    ...(pool?.Gateway ? { gateway: inSubnet('gateway address', pool.Gateway) } : {}),
  };
}

const IPV4: Reader = {
  subnet: (text) => formatSubnet(parseSubnet(text)),
  address: (text, subnet) => {
    const address = parseIpv4(text);
    return address !== undefined && contains(parseSubnet(subnet), address) ? formatIpv4(address) : undefined;
  },
  within: (inner, outer) => {
    const [a, b] = [parseSubnet(inner), parseSubnet(outer)];
    return a.prefix >= b.prefix && contains(b, a.base);
  },
};

const IPV6: Reader = {
  subnet: (text) => formatSubnet6(parseSubnet6(text)),
  address: (text, subnet) => {
    const address = parseIpv6(text);
    return address !== undefined && contains6(parseSubnet6(subnet), address) ? formatIpv6(address) : undefined;
  },
  within: (inner, outer) => {
    const [a, b] = [parseSubnet6(inner), parseSubnet6(outer)];
    return a.prefix >= b.prefix && contains6(b, a.base);
  },
};
