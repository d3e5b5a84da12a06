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

/** The addresses of one network, in memory. They are handed out in a circle, so that one is not used again at once. */
export class AddressPool {
  readonly #subnet: Subnet;
  /** From where an address is chosen. */
  readonly #range: Subnet;
  readonly #used: Set<Ipv4>;
  #last: Ipv4;

  constructor(subnet: Subnet, gateway: Ipv4, options: { range?: Subnet; reserved?: readonly Ipv4[] } = {}) {
    if (subnet.prefix > 30)
      throw new Failure('invalid', 'SUBNET', `subnet ${formatSubnet(subnet)} has no room for containers`);
    this.#subnet = subnet;
    this.#range = options.range ?? subnet;
    this.#used = new Set([subnet.base, gateway, broadcastOf(subnet), ...(options.reserved ?? [])]);
    this.#last = broadcastOf(this.#range);
  }

  /** Takes the wanted address, or the next free one. */
  take(wanted?: Ipv4): Ipv4 {
    const address = wanted ?? this.#next();
    if (!contains(this.#subnet, address))
      throw new Failure('invalid', 'ADDRESS', `address ${formatIpv4(address)} is not in ${formatSubnet(this.#subnet)}`);
    if (this.#used.has(address)) throw new Failure('conflict', 'ADDRESS_IN_USE', 'Address already in use');
    this.#used.add(address);
    return address;
  }

  giveBack(address: Ipv4): void {
    this.#used.delete(address);
  }

  #next(): Ipv4 {
    const { base, prefix } = this.#range;
    const size = 2 ** (32 - prefix);
    const last = this.#last;
    do {
      this.#last = base + ((this.#last - base + 1) % size);
      if (!this.#used.has(this.#last)) return this.#last;
    } while (this.#last !== last);
    throw new Failure(
      'exhausted',
      'ADDRESSES_EXHAUSTED',
      `no available IPv4 addresses on ${formatSubnet(this.#range)}`,
    );
  }
}
