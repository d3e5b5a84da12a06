import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, systemCode } from '../../lib/error.ts';
import type { NetworkCreateBody } from '../../wire/network.ts';
import { contains, formatIpv4, formatSubnet, parseIpv4, parseSubnet } from './ipv4.ts';

/** What is kept of a network over restarts. */
export interface NetworkRecord {
  readonly id: string;
  readonly name: string;
  readonly driver: 'bridge' | 'host' | 'null';
  /** RFC 3339. */
  readonly created: string;
  /** Chosen when the bridge is made first, if the user stated none. */
  readonly subnet?: string;
  readonly gateway?: string;
  /** From where addresses are chosen, when that is not the whole subnet. */
  readonly range?: string;
  /** Addresses in use by other machines, by a name for each. */
  readonly reserved?: Readonly<Record<string, string>>;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

/** The networks that exist without being made. `tag` makes their ids this host's own. */
export function predefinedNetworks(tag: string): NetworkRecord[] {
  const created = new Date().toISOString();
  const rest = { created, internal: false, attachable: false, options: {}, labels: {} };
  return (['bridge', 'host', 'none'] as const).map((name) => ({
    id: createHash('sha256').update(`${tag} ${name}`).digest('hex'),
    name,
    driver: name === 'none' ? 'null' : name,
    ...rest,
  }));
}

/** Checks a request for a network. Failure of kind `invalid` or `unsupported`. */
export function newRecord(body: NetworkCreateBody): NetworkRecord {
  const driver = body.Driver || 'bridge';
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(body.Name) || body.Name.length > 255)
    throw new Failure('invalid', 'NETWORK_NAME', `invalid network name: "${body.Name}"`);
  if (driver !== 'bridge')
    throw new Failure('unsupported', 'NETWORK_DRIVER', `network driver "${driver}" is not supported: only bridge is`);
  const pools = body.IPAM?.Config ?? [];
  const pool = pools[0];
  if (body.EnableIPv6 || pools.some(({ Subnet = '', Gateway = '' }) => `${Subnet}${Gateway}`.includes(':')))
    throw new Failure('unsupported', 'NETWORK_IPV6', 'networks with IPv6 addresses are not supported by this host');
  const ipam = body.IPAM?.Driver ?? '';
  if (ipam !== '' && ipam !== 'default')
    throw new Failure('unsupported', 'NETWORK_IPAM', `IPAM driver "${ipam}" is not supported: only default is`);
  if (pools.length > 1)
    throw new Failure('unsupported', 'NETWORK_POOLS', 'a bridge network has one subnet: several were stated');
  if (pool?.Subnet === undefined && (pool?.Gateway || pool?.IPRange))
    throw new Failure('invalid', 'SUBNET', 'a gateway or an address range needs a subnet');
  const subnet = pool?.Subnet ? parseSubnet(pool.Subnet) : undefined;
  const inSubnet = (what: string, text: string) => {
    const address = parseIpv4(text);
    if (address !== undefined && subnet && contains(subnet, address)) return address;
    throw new Failure('invalid', 'ADDRESS', `invalid ${what} "${text}": expected an address in ${pool?.Subnet}`);
  };
  const gateway = pool?.Gateway ? inSubnet('gateway address', pool.Gateway) : undefined;
  const reserved = pool?.AuxiliaryAddresses ?? {};
  for (const address of Object.values(reserved)) inSubnet('auxiliary address', address);
  const range = pool?.IPRange ? parseSubnet(pool.IPRange) : undefined;
  if (range && subnet && !(range.prefix >= subnet.prefix && contains(subnet, range.base)))
    throw new Failure('invalid', 'SUBNET', `invalid address range "${pool?.IPRange}": it is not in ${pool?.Subnet}`);
  checkOptions(body.Options ?? {});
  return {
    id: randomBytes(32).toString('hex'),
    name: body.Name,
    driver,
    created: new Date().toISOString(),
    ...(subnet ? { subnet: formatSubnet(subnet) } : {}),
    ...(range ? { range: formatSubnet(range) } : {}),
    ...(Object.keys(reserved).length > 0 ? { reserved } : {}),
    ...(gateway === undefined ? {} : { gateway: formatIpv4(gateway) }),
    internal: body.Internal ?? false,
    attachable: body.Attachable ?? false,
    options: body.Options ?? {},
    labels: body.Labels ?? {},
  };
}

/** Name of the bridge and its MTU, when the user stated them. */
export function bridgeOptions(record: NetworkRecord): { readonly name?: string; readonly mtu?: number } {
  const name = record.options[BRIDGE_NAME];
  const mtu = record.options[BRIDGE_MTU];
  return { ...(name ? { name } : {}), ...(mtu ? { mtu: Number(mtu) } : {}) };
}

function checkOptions(options: Readonly<Record<string, string>>): void {
  const name = options[BRIDGE_NAME];
  if (name && !/^[a-zA-Z0-9_-][a-zA-Z0-9_.-]{0,14}$/.test(name))
    throw new Failure('invalid', 'BRIDGE_NAME', `invalid name of a bridge: "${name}"`);
  const mtu = options[BRIDGE_MTU];
  if (mtu && !(/^\d{2,5}$/.test(mtu) && Number(mtu) >= 68 && Number(mtu) <= 65535))
    throw new Failure('invalid', 'BRIDGE_MTU', `invalid MTU: "${mtu}"`);
  for (const [option, only] of Object.entries(FIXED))
    if ((options[option] ?? only) !== only)
      throw new Failure('unsupported', 'BRIDGE_OPTION', `network option ${option}=${options[option]} is not supported`);
}

const BRIDGE_NAME = 'com.docker.network.bridge.name';
const BRIDGE_MTU = 'com.docker.network.driver.mtu';
/** Options that have one value here. */
const FIXED: Readonly<Record<string, string>> = {
  'com.docker.network.bridge.enable_icc': 'true',
  'com.docker.network.bridge.enable_ip_masquerade': 'true',
};

/** Reads the user's networks from the state folder; none when nothing was saved. */
export function loadRecords(folder: string): NetworkRecord[] {
  try {
    // Written by saveRecords only, in a folder that only the host's user may write.
    return JSON.parse(readFileSync(join(folder, FILE), 'utf8')) as NetworkRecord[];
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw new Failure('data-loss', 'NETWORKS_FILE', `cannot read ${join(folder, FILE)}`, { cause: error });
  }
}

/** Replaces the saved networks as a whole. */
export function saveRecords(folder: string, records: readonly NetworkRecord[]): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, FILE);
  writeFileSync(`${path}.new`, `${JSON.stringify(records, undefined, 2)}\n`, { flush: true });
  renameSync(`${path}.new`, path);
}

const FILE = 'networks.json';
