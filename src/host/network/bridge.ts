import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, isFailure } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';
import { Scope } from '../../lib/scope.ts';
import { AddressPool, AddressPool6, chooseSubnet, chooseSubnet6 } from './address-pool.ts';
import type { Firewall } from './firewall.ts';
import type { BridgePolicy, BridgeRule } from './firewall-rules.ts';
import {
  contains,
  formatIpv4,
  formatSubnet,
  type Ipv4,
  overlaps,
  parseIpv4,
  parseSubnet,
  type Subnet,
} from './ipv4.ts';
import { formatIpv6, formatSubnet6, type Ipv6, overlaps6, parseIpv6, parseSubnet6, type Subnet6 } from './ipv6.ts';
import type { BridgeState } from './network-state.ts';
import { type NetworkTaskRunner, runNetworkTask, type Survey } from './network-tasks.ts';

export interface BridgePlan {
  /** Interface names to choose from; the first that is free is used. */
  readonly names: readonly string[];
  /** Undefined: a free private one is chosen. */
  readonly subnet: Subnet | undefined;
  /** Undefined: the first address of the subnet. */
  readonly gateway: Ipv4 | undefined;
  /** See AddressPool. */
  readonly range?: Subnet;
  readonly reserved?: readonly Ipv4[];
  /** Undefined: without IPv6. */
  readonly v6: BridgePlan6 | undefined;
  readonly policy: BridgePolicy;
  /** Subnets of other networks, also of those that have no bridge at the moment. */
  readonly kept: Pick<Survey, 'taken' | 'taken6'>;
  /** Undefined: as the machine's own way out, at most 1500. */
  readonly mtu?: number;
}

/** What is said about IPv6 of a bridge, in the same way. */
export interface BridgePlan6 {
  readonly subnet: Subnet6 | undefined;
  readonly gateway: Ipv6 | undefined;
  readonly range?: Subnet6;
  readonly reserved?: readonly Ipv6[];
}

/** What bridges are made with. */
export interface BridgeSite {
  readonly tasks: NetworkTaskRunner;
  readonly firewall: Firewall;
  readonly log: Log;
  /** Mark of the owner on its interfaces; not 0. */
  readonly group: number;
}

/** A bridge that is up, with its packet rules; disposing removes both. */
export interface Bridge extends AsyncDisposable {
  readonly name: string;
  readonly index: number;
  readonly mtu: number;
  readonly subnet: Subnet;
  readonly gateway: Ipv4;
  readonly addresses: AddressPool;
  readonly v6: Bridge6 | undefined;
}

interface Bridge6 {
  readonly subnet: Subnet6;
  readonly gateway: Ipv6;
  readonly addresses: AddressPool6;
}

const FORWARDING = '/proc/sys/net/ipv4/ip_forward';
const FORWARDING6 = '/proc/sys/net/ipv6/conf/all/forwarding';
/** What every IPv6 link can carry. https://www.rfc-editor.org/rfc/rfc8200, section 5 */
const LEAST_MTU6 = 1280;
const ATTEMPTS = 8;

/**
 * Makes a bridge that has the gateway's address, and lets its containers out. Another host on this machine may choose
 * the same name or subnet at the same moment: the one who notices steps back and chooses again.
 */
export async function makeBridge(plan: BridgePlan, site: BridgeSite, signal: AbortSignal): Promise<Bridge> {
  for (let attempt = 1; ; attempt++) {
    await using scope = new Scope();
    const made = await tryBridge(plan, site, scope);
    if (made) {
      const bridges = rulesOf(made, plan.policy);
      await enableForwarding(FORWARDING, site.log);
      if (made.v6) await enableForwarding(FORWARDING6, site.log);
      await site.firewall.add({ bridges });
      scope.defer(() => site.firewall.remove({ bridges }));
      site.log.info('bridge is up', { name: made.name, subnets: bridges.map(({ subnet }) => subnet).join(' ') });
      const kept = scope.move();
      return { ...made, [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]() };
    }
    if (attempt === ATTEMPTS)
      throw new Failure('conflict', 'SUBNET_CONTESTED', 'another program keeps taking the subnets chosen for bridges');
    await sleep(Math.random() * 100, undefined, { signal });
  }
}

/** For `takeOverBridge`. */
export function stateOfBridge({ name, mtu, subnet, gateway, v6 }: Bridge): BridgeState {
  return {
    name,
    mtu,
    subnet: formatSubnet(subnet),
    gateway: formatIpv4(gateway),
    ...(v6 ? { v6: { subnet: formatSubnet6(v6.subnet), gateway: formatIpv6(v6.gateway) } } : {}),
  };
}

/** A bridge of the host before, whose interface has this `index`. Its rules are the caller's to load, with all others at once. */
export function takeOverBridge(
  { name, mtu, ...state }: BridgeState,
  index: number,
  plan: Pick<BridgePlan, 'policy' | 'range' | 'reserved' | 'v6'>,
  site: BridgeSite,
): { readonly bridge: Bridge; readonly rules: readonly BridgeRule[] } {
  const subnet = parseSubnet(state.subnet);
  const gateway = parseIpv4(state.gateway) ?? subnet.base + 1;
  const addresses = new AddressPool(subnet, gateway, plan);
  const v6 = state.v6 && takeOver6(state.v6, plan.v6);
  const made = { name, index, mtu, subnet, gateway, addresses, v6 };
  const rules = rulesOf(made, plan.policy);
  const bridge: Bridge = {
    ...made,
    [Symbol.asyncDispose]: async () => {
      await site.firewall.remove({ bridges: rules });
      await runNetworkTask(site.tasks, 'network.removeLinks', { links: [name] });
    },
  };
  return { bridge, rules };
}

function takeOver6(state: NonNullable<BridgeState['v6']>, plan: BridgePlan6 | undefined): Bridge6 {
  const subnet = parseSubnet6(state.subnet);
  const gateway = parseIpv6(state.gateway) ?? subnet.base + 1n;
  return { subnet, gateway, addresses: new AddressPool6(subnet, gateway, plan) };
}

function rulesOf({ name, subnet, v6 }: Pick<Bridge, 'name' | 'subnet' | 'v6'>, policy: BridgePolicy): BridgeRule[] {
  return [
    { bridge: name, family: 4, subnet: formatSubnet(subnet), policy },
    ...(v6 ? [{ bridge: name, family: 6, subnet: formatSubnet6(v6.subnet), policy } as const] : []),
  ];
}

/** The address of an interface in Docker's form: a local prefix and the IPv4 address, so that it never changes. */
export function macOf(address: Ipv4): string {
  return [0x02, 0x42, address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join(':');
}

/** One attempt; undefined when somebody else was faster. The scope removes the interface. */
async function tryBridge(
  plan: BridgePlan,
  site: BridgeSite,
  scope: Scope,
): Promise<Omit<Bridge, typeof Symbol.asyncDispose> | undefined> {
  const survey = await runNetworkTask(site.tasks, 'network.survey');
  const taken = [...survey.taken, ...plan.kept.taken];
  const subnet = plan.subnet ?? chooseSubnet(taken);
  if (plan.subnet && taken.some((other) => overlaps(other, subnet))) throw overlapping();
  const gateway = plan.gateway ?? subnet.base + 1;
  if (!contains(subnet, gateway))
    throw new Failure('invalid', 'GATEWAY', `gateway ${formatIpv4(gateway)} is not in ${formatSubnet(subnet)}`);
  const addresses = new AddressPool(subnet, gateway, plan);
  const v6 = plan.v6 && plan6(plan.v6, [...survey.taken6, ...plan.kept.taken6]);
  const name = plan.names.find((candidate) => !survey.links.includes(candidate));
  if (name === undefined) throw new Failure('conflict', 'BRIDGE_EXISTS', `interface ${plan.names[0]} exists already`);
  const mtu = plan.mtu ?? Math.min(survey.mtu, 1500);
  if (v6 && mtu < LEAST_MTU6)
    throw new Failure('invalid', 'BRIDGE_MTU', `MTU ${mtu} is too small for IPv6, which needs ${LEAST_MTU6}`);
  const own = [
    { address: gateway, prefix: subnet.prefix },
    ...(v6 ? [{ address: v6.gateway, prefix: v6.subnet.prefix }] : []),
  ];
  const shape = { name, group: site.group, mac: macOf(gateway), mtu, addresses: own };
  try {
    const { index, others } = await runNetworkTask(site.tasks, 'network.addBridge', shape);
    scope.defer(() => runNetworkTask(site.tasks, 'network.removeLinks', { links: [name] }));
    if (others.taken.some((taken) => overlaps(taken, subnet))) return undefined;
    if (v6 && others.taken6.some((taken) => overlaps6(taken, v6.subnet))) return undefined;
    return { name, index, mtu, subnet, gateway, addresses, v6 };
  } catch (error) {
    if (isFailure(error, 'exists')) return undefined;
    throw error;
  }
}

function plan6(plan: BridgePlan6, taken6: readonly Subnet6[]): Bridge6 {
  if (!existsSync(FORWARDING6))
    throw new Failure('unavailable', 'IPV6_MISSING', 'this machine has no IPv6, which the network asks for', {
      hint: 'its kernel was started without (ipv6.disable=1), or built so; make the network without --ipv6',
    });
  const subnet = plan.subnet ?? chooseSubnet6(taken6, randomBytes(7));
  if (plan.subnet && taken6.some((other) => overlaps6(other, subnet))) throw overlapping();
  const gateway = plan.gateway ?? subnet.base + 1n;
  return { subnet, gateway, addresses: new AddressPool6(subnet, gateway, plan) };
}

function overlapping(): Failure {
  return new Failure('conflict', 'SUBNET_OVERLAP', 'Pool overlaps with other one on this address space');
}

/** Lets the machine route. It stays so: other programs may have come to rely on it when we leave. */
async function enableForwarding(file: string, log: Log): Promise<void> {
  if ((await readFile(file, 'utf8')).trim() === '1') return;
  await writeFile(file, '1');
  log.info('enabled forwarding on this machine', { file });
}
