import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, systemCode } from '../../lib/error.ts';
import type { NetworkCreateBody } from '../../wire/network.ts';
import { formatIpv4, formatSubnet, parseIpv4, parseSubnet } from './ipv4.ts';

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
  if (pools.length > 1)
    throw new Failure('unsupported', 'NETWORK_POOLS', 'a bridge network has one subnet: several were stated');
  if (pool?.Subnet === undefined && (pool?.Gateway || pool?.IPRange))
    throw new Failure('invalid', 'SUBNET', 'a gateway or an address range needs a subnet');
  if (pool?.IPRange && pool.IPRange !== pool.Subnet)
    throw new Failure('unsupported', 'NETWORK_RANGE', `an address range (${pool.IPRange}) is not supported`);
  const gateway = pool?.Gateway ? parseIpv4(pool.Gateway) : undefined;
  if (pool?.Gateway && gateway === undefined)
    throw new Failure('invalid', 'GATEWAY', `invalid gateway address "${pool.Gateway}"`);
  return {
    id: randomBytes(32).toString('hex'),
    name: body.Name,
    driver,
    created: new Date().toISOString(),
    ...(pool?.Subnet ? { subnet: formatSubnet(parseSubnet(pool.Subnet)) } : {}),
    ...(gateway === undefined ? {} : { gateway: formatIpv4(gateway) }),
    internal: body.Internal ?? false,
    attachable: body.Attachable ?? false,
    options: body.Options ?? {},
    labels: body.Labels ?? {},
  };
}

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
