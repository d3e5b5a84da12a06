import { Failure } from '../../lib/error.ts';

/** An IPv4 address as an unsigned 32-bit number. */
export type Ipv4 = number;

/** A subnet in canonical form: the host bits of `base` are zero. */
export interface Subnet {
  readonly base: Ipv4;
  readonly prefix: number;
}

/** Reads a dotted quad; undefined when `text` is anything else (no octal, no short forms). */
export function parseIpv4(text: string): Ipv4 | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  let value = 0;
  for (const part of match.slice(1)) {
    if (Number(part) > 255 || (part.length > 1 && part.startsWith('0'))) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

export function formatIpv4(address: Ipv4): string {
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');
}

/** Reads `a.b.c.d/n` whose host bits are zero. Failure of kind `invalid` otherwise. */
export function parseSubnet(text: string): Subnet {
  const [address = '', length = '', rest] = text.split('/');
  const value = parseIpv4(address);
  const prefix = /^\d{1,2}$/.test(length) ? Number(length) : 33;
  if (value === undefined || prefix > 32 || rest !== undefined)
    throw new Failure(
      'invalid',
      'SUBNET',
      `invalid subnet "${text}": expected an IPv4 CIDR block such as 172.30.0.0/16`,
    );
  const subnet = subnetOf(value, prefix);
  if (subnet.base !== value)
    throw new Failure('invalid', 'SUBNET', `invalid subnet "${text}": it should be ${formatSubnet(subnet)}`);
  return subnet;
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatIpv4(subnet.base)}/${subnet.prefix}`;
}

/** The subnet of `prefix` bits that holds `address`. */
export function subnetOf(address: Ipv4, prefix: number): Subnet {
  return { base: prefix === 0 ? 0 : (address & (-1 << (32 - prefix))) >>> 0, prefix };
}

export function contains(subnet: Subnet, address: Ipv4): boolean {
  return subnetOf(address, subnet.prefix).base === subnet.base;
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.prefix <= b.prefix ? contains(a, b.base) : contains(b, a.base);
}

/** The last address of the subnet. */
export function broadcastOf(subnet: Subnet): Ipv4 {
  return subnet.base + 2 ** (32 - subnet.prefix) - 1;
}
