import { Failure } from '../../lib/error.ts';
import {
  broadcastOf,
  contains,
  formatIpv4,
  formatSubnet,
  type Ipv4,
  overlaps,
  parseSubnet,
  type Subnet,
} from './ipv4.ts';
import { contains6, formatIpv6, formatSubnet6, type Ipv6, overlaps6, type Subnet6 } from './ipv6.ts';

/** Private blocks from which networks without a stated subnet are made, in order of preference. */
const CANDIDATES: readonly Subnet[] = [
  ...[30, 31, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18].map((second) => parseSubnet(`172.${second}.0.0/16`)),
  ...Array.from({ length: 16 }, (_, index) => parseSubnet(`192.168.${index * 16}.0/20`)),
  ...Array.from({ length: 64 }, (_, index) => parseSubnet(`10.${190 + index}.0.0/16`)),
];

/** The first private block that overlaps none of `taken`. */
export function chooseSubnet(taken: readonly Subnet[]): Subnet {
  const free = CANDIDATES.find((candidate) => !taken.some((subnet) => overlaps(subnet, candidate)));
  if (free) return free;
  throw new Failure('exhausted', 'SUBNETS_EXHAUSTED', 'all predefined address pools have been fully subnetted', {
    hint: 'remove unused networks, or state a subnet',
  });
}

/** A free /64 of the addresses that everybody may use for himself. `seed` is random. https://www.rfc-editor.org/rfc/rfc4193 */
export function chooseSubnet6(taken: readonly Subnet6[], seed: Buffer): Subnet6 {
  const random = BigInt(`0x${seed.toString('hex')}`) & ((1n << 56n) - 1n);
  const subnet = { base: (0xfdn << 120n) | (random << 64n), prefix: 64 };
  if (!taken.some((other) => overlaps6(other, subnet))) return subnet;
  throw new Failure('exhausted', 'SUBNETS_EXHAUSTED', `the IPv6 subnet ${formatSubnet6(subnet)} is in use`);
}

/** The addresses of one network, in memory. They are handed out in a circle, so that one is not used again at once. */
export class AddressPool {
  readonly #subnet: Subnet;
  /** From where an address is chosen. */
  readonly #range: Subnet;
  readonly #used: Set<Ipv4>;
  #last = -1;

  constructor(subnet: Subnet, gateway: Ipv4, options: { range?: Subnet; reserved?: readonly Ipv4[] } = {}) {
    if (subnet.prefix > 30)
      throw new Failure('invalid', 'SUBNET', `subnet ${formatSubnet(subnet)} has no room for containers`);
    this.#subnet = subnet;
    this.#range = options.range ?? subnet;
    this.#used = new Set([subnet.base, gateway, broadcastOf(subnet), ...(options.reserved ?? [])]);
  }

  /** Takes the wanted address, or the next free one. */
  take(wanted?: Ipv4): Ipv4 {
    const address = wanted ?? this.#next();
    if (!contains(this.#subnet, address)) throw foreign(formatIpv4(address), formatSubnet(this.#subnet));
    if (this.#used.has(address)) throw inUse();
    this.#used.add(address);
    return address;
  }

  giveBack(address: Ipv4): void {
    this.#used.delete(address);
  }

  #next(): Ipv4 {
    const { base, prefix } = this.#range;
    const place = nextFree(this.#last, 2 ** (32 - prefix), (offset) => !this.#used.has(base + offset));
    if (place === undefined) throw exhausted('IPv4', formatSubnet(this.#range));
    this.#last = place;
    return base + place;
  }
}

/** The same for IPv6. Of a large subnet the first 2^32 addresses are handed out. */
export class AddressPool6 {
  readonly #subnet: Subnet6;
  readonly #range: Subnet6;
  readonly #used: Set<Ipv6>;
  #last = -1;

  constructor(subnet: Subnet6, gateway: Ipv6, options: { range?: Subnet6; reserved?: readonly Ipv6[] } = {}) {
    if (subnet.prefix > 126)
      throw new Failure('invalid', 'SUBNET', `subnet ${formatSubnet6(subnet)} has no room for containers`);
    this.#subnet = subnet;
    this.#range = options.range ?? subnet;
    this.#used = new Set([subnet.base, gateway, ...(options.reserved ?? [])]);
  }

  take(wanted?: Ipv6): Ipv6 {
    const address = wanted ?? this.#next();
    if (!contains6(this.#subnet, address)) throw foreign(formatIpv6(address), formatSubnet6(this.#subnet));
    if (this.#used.has(address)) throw inUse();
    this.#used.add(address);
    return address;
  }

  giveBack(address: Ipv6): void {
    this.#used.delete(address);
  }

  #next(): Ipv6 {
    const { base, prefix } = this.#range;
    const count = 2 ** Math.min(32, 128 - prefix);
    const place = nextFree(this.#last, count, (offset) => !this.#used.has(base + BigInt(offset)));
    if (place === undefined) throw exhausted('IPv6', formatSubnet6(this.#range));
    this.#last = place;
    return base + BigInt(place);
  }
}

/** The first free place after `last` in a circle of `count`. */
function nextFree(last: number, count: number, isFree: (place: number) => boolean): number | undefined {
  for (let step = 1; step <= count; step++) if (isFree((last + step) % count)) return (last + step) % count;
  return undefined;
}

function foreign(address: string, subnet: string): Failure {
  return new Failure('invalid', 'ADDRESS', `address ${address} is not in ${subnet}`);
}

function inUse(): Failure {
  return new Failure('conflict', 'ADDRESS_IN_USE', 'Address already in use');
}

function exhausted(family: string, subnet: string): Failure {
  return new Failure('exhausted', 'ADDRESSES_EXHAUSTED', `no available ${family} addresses on ${subnet}`);
}
