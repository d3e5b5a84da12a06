import { Failure } from '../../lib/error.ts';
import { limiter } from '../../lib/limiter.ts';
import type { Reserve } from '../../lib/reserve.ts';
import type { NetworkCreateBody, NetworkInspect } from '../../wire/network.ts';
import {
  type Bridge,
  type BridgePlan,
  type BridgePlan6,
  type BridgeSite,
  makeBridge,
  takeOverBridge,
} from './bridge.ts';
import { bridgeOptions } from './bridge-options.ts';
import type { BridgeRule } from './firewall-rules.ts';
import { formatIpv4, formatSubnet, parseIpv4, parseSubnet } from './ipv4.ts';
import { formatIpv6, formatSubnet6, parseIpv6, parseSubnet6 } from './ipv6.ts';
import { loadRecords, type NetworkRecord, newRecord, predefinedNetworks, saveRecords } from './network-records.ts';
import type { BridgeState } from './network-state.ts';
import { type Endpoint, inspectNetwork } from './network-views.ts';

/** A network and who is on it, by container id. */
export interface Network {
  record: NetworkRecord;
  bridge: Bridge | undefined;
  opening: Promise<Bridge> | undefined;
  readonly endpoints: Map<string, Endpoint>;
}

/** Names to choose from for the default bridge. */
const DEFAULT_BRIDGES = Array.from({ length: 32 }, (_, index) => `strake${index}`);

/** The networks of this host: the predefined ones, and the user's, which a file in the state folder keeps. */
export class NetworkRegistry {
  readonly #folder: string;
  readonly #site: BridgeSite;
  readonly #reserve: Reserve;
  readonly #networks = new Map<string, Network>();
  /** Bridges are made one after the other: each must see the subnets that those before it chose. */
  readonly #inTurn = limiter(1);

  /** `reserve` is space of the folder's disk. */
  constructor(folder: string, { tag, site, reserve }: { tag: string; site: BridgeSite; reserve: Reserve }) {
    this.#folder = folder;
    this.#site = site;
    this.#reserve = reserve;
    for (const record of [...predefinedNetworks(tag), ...loadRecords(folder)])
      this.#networks.set(record.id, { record, bridge: undefined, opening: undefined, endpoints: new Map() });
  }

  /** `ref` is a name (`default` for bridge), an id, or the beginning of exactly one id. */
  find(ref: string): Network {
    const exact = this.named(ref) ?? this.#networks.get(ref);
    if (exact) return exact;
    const all = [...this.#networks.values()];
    const [match, second] = ref === '' ? [] : all.filter(({ record }) => record.id.startsWith(ref));
    if (match && !second) return match;
    if (second) throw new Failure('invalid', 'NETWORK_AMBIGUOUS', `network ${ref} is ambiguous: several ids begin so`);
    throw new Failure('not-found', 'NETWORK_NOT_FOUND', `network ${ref} not found`);
  }

  /** By its name alone. */
  named(name: string): Network | undefined {
    const own = name === 'default' ? 'bridge' : name;
    return [...this.#networks.values()].find(({ record }) => record.name === own);
  }

  list(): NetworkInspect[] {
    return [...this.#networks.values()].map(({ record, bridge, endpoints }) =>
      inspectNetwork(record, bridge, endpoints),
    );
  }

  /** Makes a bridge network and returns its id. */
  async create(body: NetworkCreateBody, signal: AbortSignal): Promise<string> {
    const record = newRecord(body);
    const same = [...this.#networks.values()].find((network) => network.record.name === record.name)?.record;
    if (record.name === 'default' || (same && isPredefined(same)))
      throw new Failure(
        'denied',
        'NETWORK_PREDEFINED',
        `operation is not permitted on predefined ${record.name} network`,
      );
    if (same) throw new Failure('conflict', 'NETWORK_EXISTS', `network with name ${record.name} already exists`);
    const network: Network = { record, bridge: undefined, opening: undefined, endpoints: new Map() };
    this.#networks.set(record.id, network);
    try {
      await this.bridgeOf(network, signal);
      this.#save();
    } catch (error) {
      this.#networks.delete(record.id);
      throw error;
    }
    return record.id;
  }

  /** Forgets a network that nobody is on; its bridge is the caller's to dispose. */
  async take(ref: string): Promise<Bridge | undefined> {
    const network = this.find(ref);
    const { id, name } = network.record;
    if (isPredefined(network.record))
      throw new Failure('denied', 'NETWORK_PREDEFINED', `${name} is a pre-defined network and cannot be removed`);
    await network.opening?.catch(() => {});
    if (network.endpoints.size > 0)
      throw new Failure(
        'denied',
        'NETWORK_IN_USE',
        `error while removing network: network ${name} id ${id} has active endpoints`,
      );
    this.#reserve.spend(() => this.#save({ without: id }));
    this.#networks.delete(id);
    return network.bridge;
  }

  /** The network's bridge, made when it is first asked for. */
  async bridgeOf(network: Network, signal: AbortSignal): Promise<Bridge> {
    network.opening ??= this.#inTurn(() => this.#open(network, signal)).catch((error: unknown) => {
      network.opening = undefined;
      throw error;
    });
    const bridge = await network.opening;
    if (this.#networks.get(network.record.id) !== network)
      throw new Failure('not-found', 'NETWORK_NOT_FOUND', `network ${network.record.name} not found`);
    return bridge;
  }

  /** Goes on with the bridge that the host before made, whose interface has this `index`. Returns its rules, which are to be loaded. */
  takeOver(network: Network, state: BridgeState, index: number): readonly BridgeRule[] {
    const { bridge, rules } = takeOverBridge(state, index, poolOf(network.record), this.#site);
    network.bridge = bridge;
    network.opening = Promise.resolve(bridge);
    return rules;
  }

  /** Bridges of networks that nobody is on. */
  idleBridges(): Bridge[] {
    return [...this.#networks.values()].flatMap(({ bridge, endpoints }) =>
      bridge && endpoints.size === 0 ? bridge : [],
    );
  }

  async #open(network: Network, signal: AbortSignal): Promise<Bridge> {
    const { id, subnet, gateway } = network.record;
    const { name, mtu } = bridgeOptions(network.record);
    const plan = {
      names: isPredefined(network.record) ? DEFAULT_BRIDGES : [name ?? `sk-${id.slice(0, 12)}`],
      ...(mtu === undefined ? {} : { mtu }),
      ...poolOf(network.record),
      subnet: subnet === undefined ? undefined : parseSubnet(subnet),
      gateway: gateway === undefined ? undefined : parseIpv4(gateway),
      kept: this.#subnetsBeside(network),
    };
    const bridge = await makeBridge(plan, this.#site, signal);
    network.bridge = bridge;
    if (!isPredefined(network.record)) network.record = { ...network.record, ...placeOf(bridge, network.record) };
    return bridge;
  }

  #subnetsBeside(network: Network): BridgePlan['kept'] {
    const others = [...this.#networks.values()].flatMap((other) => (other === network ? [] : other.record));
    return {
      taken: others.flatMap(({ subnet }) => (subnet === undefined ? [] : parseSubnet(subnet))),
      taken6: others.flatMap(({ pool6 }) => (pool6?.subnet === undefined ? [] : parseSubnet6(pool6.subnet))),
    };
  }

  #save({ without }: { readonly without?: string } = {}): void {
    const records = [...this.#networks.values()].map((network) => network.record);
    saveRecords(
      this.#folder,
      records.filter((record) => !isPredefined(record) && record.id !== without),
    );
  }
}

/** What a bridge is made with wherever its subnets come from. */
function poolOf(record: NetworkRecord): Pick<BridgePlan, 'policy' | 'range' | 'reserved' | 'v6'> {
  const { internal, range, reserved = {}, ipv6, pool6 } = record;
  const { talk, masquerade } = bridgeOptions(record);
  return {
    policy: { internal, talk, masquerade },
    ...(range === undefined ? {} : { range: parseSubnet(range) }),
    reserved: Object.values(reserved).flatMap((address) => parseIpv4(address) ?? []),
    v6: ipv6 ? plan6Of(pool6 ?? {}) : undefined,
  };
}

function isPredefined(record: NetworkRecord): boolean {
  return record.name === 'bridge' || record.driver !== 'bridge';
}

/** The subnets that the bridge has, as they are kept. */
function placeOf({ subnet, gateway, v6 }: Bridge, { subnet: stated, pool6 }: NetworkRecord): Partial<NetworkRecord> {
  const place6 = v6 && { subnet: formatSubnet6(v6.subnet), gateway: formatIpv6(v6.gateway), ...chosen(pool6?.subnet) };
  return {
    subnet: formatSubnet(subnet),
    gateway: formatIpv4(gateway),
    ...chosen(stated),
    ...(place6 ? { pool6: { ...pool6, ...place6 } } : {}),
  };
}

function chosen(stated: string | undefined): Pick<NetworkRecord, 'isChosen'> {
  return stated === undefined ? { isChosen: true } : {};
}

function plan6Of({ subnet, gateway, range, reserved = {} }: NonNullable<NetworkRecord['pool6']>): BridgePlan6 {
  return {
    subnet: subnet === undefined ? undefined : parseSubnet6(subnet),
    gateway: gateway === undefined ? undefined : parseIpv6(gateway),
    ...(range === undefined ? {} : { range: parseSubnet6(range) }),
    reserved: Object.values(reserved).flatMap((address) => parseIpv6(address) ?? []),
  };
}
