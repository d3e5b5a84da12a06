import { type Bridge, macOf } from './bridge.ts';
import type { Place, WantedAddresses } from './network-views.ts';

/** Takes the wanted addresses on a bridge, or free ones. */
export function takePlace(bridge: Bridge, { ipv4, ipv6 }: WantedAddresses, mac: string | undefined): Place {
  const address = bridge.addresses.take(ipv4);
  try {
    const v6 = bridge.v6 && { ...bridge.v6, address: bridge.v6.addresses.take(ipv6) };
    return { bridge, address, mac: mac ?? macOf(address), v6 };
  } catch (error) {
    bridge.addresses.giveBack(address);
    throw error;
  }
}

export function giveBack({ bridge, address, v6 }: Place): void {
  bridge.addresses.giveBack(address);
  if (v6) bridge.v6?.addresses.giveBack(v6.address);
}
