import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Failure, isFailure } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';
import { Scope } from '../../lib/scope.ts';
import { AddressPool, chooseSubnet } from './address-pool.ts';
import type { Firewall } from './firewall.ts';
import { contains, formatIpv4, formatSubnet, type Ipv4, overlaps, type Subnet } from './ipv4.ts';
import { type NetworkTaskRunner, runNetworkTask } from './network-tasks.ts';

export interface BridgePlan {
  /** Interface names to choose from; the first that is free is used. */
  readonly names: readonly string[];
  /** Undefined: a free private one is chosen. */
  readonly subnet: Subnet | undefined;
  /** Undefined: the first address of the subnet. */
  readonly gateway: Ipv4 | undefined;
  readonly internal: boolean;
  /** See AddressPool. */
  readonly range?: Subnet;
  readonly reserved?: readonly Ipv4[];
  /** Undefined: as the machine's own way out, at most 1500. */
  readonly mtu?: number;
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
}

const FORWARDING = '/proc/sys/net/ipv4/ip_forward';
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
      const rule = { bridge: made.name, subnet: made.subnet, internal: plan.internal };
      await enableForwarding(site.log);
      await site.firewall.add({ bridges: [rule] });
      scope.defer(() => site.firewall.remove({ bridges: [rule] }));
      site.log.info('bridge is up', { name: made.name, subnet: formatSubnet(made.subnet) });
      const kept = scope.move();
      return { ...made, [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]() };
    }
    if (attempt === ATTEMPTS)
      throw new Failure('conflict', 'SUBNET_CONTESTED', 'another program keeps taking the subnets chosen for bridges');
    await sleep(Math.random() * 100, undefined, { signal });
  }
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
  const subnet = plan.subnet ?? chooseSubnet(survey.taken);
  if (plan.subnet && survey.taken.some((taken) => overlaps(taken, subnet)))
    throw new Failure('conflict', 'SUBNET_OVERLAP', 'Pool overlaps with other one on this address space');
  const gateway = plan.gateway ?? subnet.base + 1;
  if (!contains(subnet, gateway))
    throw new Failure('invalid', 'GATEWAY', `gateway ${formatIpv4(gateway)} is not in ${formatSubnet(subnet)}`);
  const addresses = new AddressPool(subnet, gateway, plan);
  const name = plan.names.find((candidate) => !survey.links.includes(candidate));
  if (name === undefined) throw new Failure('conflict', 'BRIDGE_EXISTS', `interface ${plan.names[0]} exists already`);
  const mtu = plan.mtu ?? Math.min(survey.mtu, 1500);
  const shape = { name, group: site.group, mac: macOf(gateway), mtu, address: gateway, prefix: subnet.prefix };
  try {
    const { index, contested } = await runNetworkTask(site.tasks, 'network.addBridge', shape);
    scope.defer(() => runNetworkTask(site.tasks, 'network.removeLinks', { links: [name] }));
    if (contested.some((taken) => overlaps(taken, subnet))) return undefined;
    return { name, index, mtu, subnet, gateway, addresses };
  } catch (error) {
    if (isFailure(error, 'exists')) return undefined;
    throw error;
  }
}

/** Lets the machine route. It stays so: other programs may have come to rely on it when we leave. */
async function enableForwarding(log: Log): Promise<void> {
  if ((await readFile(FORWARDING, 'utf8')).trim() === '1') return;
  await writeFile(FORWARDING, '1');
  log.info('enabled IPv4 forwarding on this machine', { file: FORWARDING });
}
