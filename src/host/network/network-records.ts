import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, systemCode } from '../../lib/error.ts';
import type { NetworkCreateBody } from '../../wire/network.ts';
import { bridgeOptions } from './bridge-options.ts';
import { readPools } from './ipam-pools.ts';

/** What is kept of a network over restarts. */
export interface NetworkRecord {
  readonly id: string;
  readonly name: string;
  readonly driver: 'bridge' | 'host' | 'null';
  /** RFC 3339. */
  readonly created: string;
  /** Chosen when the bridge is made first, if the user stated none. */
  readonly subnet?: string;
  /** That it was not stated. */
  readonly isChosen?: true;
  readonly gateway?: string;
  /** From where addresses are chosen, when that is not the whole subnet. */
  readonly range?: string;
  /** Addresses in use by other machines, by a name for each. */
  readonly reserved?: Readonly<Record<string, string>>;
  /** Whether its containers have IPv6 addresses too. */
  readonly ipv6?: boolean;
  /** What was stated or chosen of the same kind for IPv6. */
  readonly pool6?: Pick<NetworkRecord, 'subnet' | 'isChosen' | 'gateway' | 'range' | 'reserved'>;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly options: Readonly<Record<string, string>>;
  /** Said to the IPAM driver, which knows none. */
  readonly ipamOptions?: Readonly<Record<string, string>>;
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
  if (driver === 'host' || driver === 'null')
    throw new Failure('denied', 'NETWORK_DRIVER', `only one instance of "${driver}" network is allowed`);
  if (driver !== 'bridge')
    throw new Failure('not-found', 'NETWORK_DRIVER', `plugin "${driver}" not found`, {
      hint: 'networks of the driver bridge can be made',
    });
  const ipam = body.IPAM?.Driver ?? '';
  if (ipam !== '' && ipam !== 'default')
    throw new Failure('unsupported', 'NETWORK_IPAM', `IPAM driver "${ipam}" is not supported: only default is`);
  const { pool, pool6 } = readPools(body.IPAM?.Config ?? []);
  bridgeOptions({ options: body.Options ?? {} });
  return {
    id: randomBytes(32).toString('hex'),
    name: body.Name,
    driver,
    created: new Date().toISOString(),
    ...pool,
    ...(body.EnableIPv6 ? { ipv6: true } : {}),
    ...(pool6 ? { pool6 } : {}),
    internal: body.Internal ?? false,
    attachable: body.Attachable ?? false,
    options: body.Options ?? {},
    ...(body.IPAM?.Options ? { ipamOptions: body.IPAM.Options } : {}),
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
  try {
    writeFileSync(`${path}.new`, `${JSON.stringify(records, undefined, 2)}\n`, { flush: true });
    renameSync(`${path}.new`, path);
  } catch (error) {
    rmSync(`${path}.new`, { force: true });
    throw error;
  }
}

const FILE = 'networks.json';
