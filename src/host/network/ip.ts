import { formatIpv4, type Ipv4 } from './ipv4.ts';
import { formatIpv6, type Ipv6, ipv6Bytes } from './ipv6.ts';

/** An address of either family: a number is IPv4, a bigint IPv6. */
export type Ip = Ipv4 | Ipv6;

/** An address and the length of its subnet's prefix. */
export interface IpWithPrefix {
  readonly address: Ip;
  readonly prefix: number;
}

export function formatIp(address: Ip): string {
  return typeof address === 'number' ? formatIpv4(address) : formatIpv6(address);
}

/** In the order of the network: 4 or 16 bytes. */
export function ipBytes(address: Ip): Buffer {
  if (typeof address === 'bigint') return ipv6Bytes(address);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(address);
  return bytes;
}
