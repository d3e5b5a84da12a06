import { isIPv6 } from 'node:net';
import { Failure } from '../../lib/error.ts';

/** An IPv6 address as an unsigned 128-bit number. */
export type Ipv6 = bigint;

/** A subnet in canonical form: the host bits of `base` are zero. */
export interface Subnet6 {
  readonly base: Ipv6;
  readonly prefix: number;
}

/** Reads an address in any of its text forms, without a zone; undefined when `text` is anything else. */
export function parseIpv6(text: string): Ipv6 | undefined {
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const [head = '', tail] = text.split('::');
  const before = groupsOf(head);
  const after = groupsOf(tail ?? '');
  const zeros = Array<number>(8 - before.length - after.length).fill(0);
  return [...before, ...zeros, ...after].reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** The canonical text. https://www.rfc-editor.org/rfc/rfc5952 */
export function formatIpv6(address: Ipv6): string {
  const groups = Array.from({ length: 8 }, (_, index) => Number((address >> BigInt(112 - 16 * index)) & 0xffffn));
  const text = groups.map((group) => group.toString(16)).join(':');
  const runs = [...text.matchAll(/(?<![0-9a-f])0(?::0)+(?![0-9a-f])/g)];
  const longest = runs.sort((a, b) => b[0].length - a[0].length || a.index - b.index)[0];
  if (!longest) return text;
  const rest = text.slice(longest.index + longest[0].length);
  return `${text.slice(0, longest.index).replace(/:$/, '')}::${rest.replace(/^:/, '')}`;
}

/** Reads `fd00::/64` whose host bits are zero. Failure of kind `invalid` otherwise. */
export function parseSubnet6(text: string): Subnet6 {
  const [address = '', length = '', rest] = text.split('/');
  const value = parseIpv6(address);
  const prefix = /^\d{1,3}$/.test(length) ? Number(length) : 129;
  if (value === undefined || prefix > 128 || rest !== undefined)
    throw new Failure('invalid', 'SUBNET', `invalid subnet "${text}": expected an IPv6 CIDR block such as fd00:1::/64`);
  const subnet = subnet6Of(value, prefix);
  if (subnet.base !== value)
    throw new Failure('invalid', 'SUBNET', `invalid subnet "${text}": it should be ${formatSubnet6(subnet)}`);
  return subnet;
}

export function formatSubnet6({ base, prefix }: Subnet6): string {
  return `${formatIpv6(base)}/${prefix}`;
}

/** The subnet of `prefix` bits that holds `address`. */
export function subnet6Of(address: Ipv6, prefix: number): Subnet6 {
  const hostBits = BigInt(128 - prefix);
  return { base: (address >> hostBits) << hostBits, prefix };
}

export function contains6(subnet: Subnet6, address: Ipv6): boolean {
  return subnet6Of(address, subnet.prefix).base === subnet.base;
}

export function overlaps6(a: Subnet6, b: Subnet6): boolean {
  return a.prefix <= b.prefix ? contains6(a, b.base) : contains6(b, a.base);
}

export function ipv6Bytes(address: Ipv6): Buffer {
  return Buffer.from(address.toString(16).padStart(32, '0'), 'hex');
}

/** Of 16 bytes. */
export function ipv6Of(bytes: Buffer): Ipv6 {
  return BigInt(`0x${bytes.toString('hex')}`);
}

/** Groups of 16 bits; the last two may be written as a dotted quad. */
function groupsOf(text: string): number[] {
  return text
    .split(':')
    .filter((group) => group !== '')
    .flatMap((group) => {
      if (!group.includes('.')) return Number.parseInt(group, 16);
      const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
      return [a * 256 + b, c * 256 + d];
    });
}
