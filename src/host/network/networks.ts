import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cancelled, Failure, isFailure, messageOf } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';
import { Scope } from '../../lib/scope.ts';
import type { EndpointConfig, NetworkSettings, PortBinding } from '../../wire/container.ts';
import type { NetworkCreateBody, NetworkInspect } from '../../wire/network.ts';
import { macOf } from './bridge.ts';
import { Firewall } from './firewall.ts';
import { type Ipv4, parseIpv4 } from './ipv4.ts';
import { type Network, NetworkRegistry } from './network-registry.ts';
import { type NetworkTaskRunner, runNetworkTask } from './network-tasks.ts';
import { type Endpoint, inspectNetwork, networkSettings } from './network-views.ts';
import { type PortRequest, type PortWishes, planPorts } from './port-plan.ts';
import { Ports } from './ports.ts';
import { bridgedResolver, type DnsWishes, hostResolver, renderResolvConf, statedOrHost } from './resolv.ts';

/** A network by name or id (`bridge`, `host`, `none`, `default` for bridge), or the namespace of another container. */
export type NetworkMode = string | { readonly container: string };

export interface AttachRequest {
  readonly mode: NetworkMode;
  /** The container's name, without a slash. */
  readonly name: string;
  readonly ports: PortWishes;
  readonly dns: DnsWishes;
  /** Address and aliases per network, and further networks to join, by name or id. */
  readonly endpoints?: Readonly<Record<string, EndpointConfig | null>>;
  /** For the first interface. */
  readonly mac?: string;
}

/** What a container gets. */
export interface Attachment {
  /** For the runtime: the network namespace to join. Undefined: the host's own. Good while the attachment lasts. */
  readonly namespacePath: string | undefined;
  readonly settings: NetworkSettings;
  /** Content of the container's resolv.conf. */
  readonly resolvConf: string;
}

export interface NetworksOptions {
  /** Folder of our own below the data root. Its path also tells our kernel objects from another host's. */
  readonly stateFolder: string;
  /** A worker pool that serves `networkTasks`; one of its own, so that no long task delays a container. */
  readonly tasks: NetworkTaskRunner;
  readonly log: Log;
}

/** What a container holds, in the two parts in which it is released. */
interface Holding {
  /** What others see: ports, packet rules, the entry in the network's list. */
  readonly published: Scope;
  /** The interfaces and their addresses; taking them down may need a while. */
  readonly interfaces: Scope;
  readonly signal: AbortSignal;
}

interface Member extends Omit<Holding, 'signal'> {
  readonly attachment: Attachment;
}

interface OpenedNamespace {
  readonly descriptor: number;
  readonly links: readonly string[];
}

/** How long no container may come or go before the interfaces of ended ones are taken down. */
const QUIET_MS = 250;
/** So many of them are taken down at once, quiet or not. */
const RETIRED_LIMIT = 100;

type Place = NonNullable<Endpoint['place']>;

/**
 * The networks of this host and the containers on them. Bridges are made when a container first needs them and removed
 * with this object, together with every interface and packet rule. Call `cleanLeftovers` first: it removes what a killed
 * process left. IPv4 only, but published ports listen on IPv6 too.
 */
export class Networks implements AsyncDisposable {
  readonly #options: NetworksOptions;
  readonly #group: number;
  readonly #firewall: Firewall;
  readonly #ports = new Ports();
  readonly #registry: NetworkRegistry;
  readonly #members = new Map<string, Member>();
  /** Interfaces of ended containers that are still up. */
  #retired: Scope[] = [];
  #sweep: NodeJS.Timeout | undefined;
  readonly #ending = new Set<Promise<void>>();
  /** Namespaces that are closed in the same step. */
  #closing: { readonly namespaces: OpenedNamespace[]; readonly done: Promise<void> } | undefined;
  /** A file that exists while kernel objects of ours may exist. */
  readonly #mark: string;

  constructor(options: NetworksOptions) {
    mkdirSync(options.stateFolder, { recursive: true, mode: 0o700 });
    const tag = createHash('sha256').update(realpathSync(options.stateFolder)).digest('hex').slice(0, 8);
    this.#options = options;
    this.#group = (Number.parseInt(tag, 16) >>> 1) & ~1 || 2; // even; the odd one after it is for interfaces that go
    this.#firewall = new Firewall(tag);
    this.#mark = join(options.stateFolder, 'in-use');
    const site = { tasks: options.tasks, log: options.log, firewall: this.#firewall, group: this.#group };
    this.#registry = new NetworkRegistry(options.stateFolder, tag, site);
  }

  /**
   * Gives a container its network: a namespace with its interfaces up, and its published ports. All or nothing.
   * A port that is taken is a Failure of kind `conflict`.
   */
  async attach(containerId: string, request: AttachRequest, options: { signal: AbortSignal }): Promise<Attachment> {
    this.#sweepLater();
    if (this.#members.has(containerId))
      throw new Failure('conflict', 'ATTACHED', `container ${containerId} is attached to its network already`);
    await using interfaces = new Scope();
    await using published = new Scope();
    const attachment =
      typeof request.mode !== 'string'
        ? this.#join(request.mode.container)
        : await this.#enter(containerId, request.mode, request, { interfaces, published, signal: options.signal });
    if (options.signal.aborted) throw cancelled(options.signal);
    this.#members.set(containerId, { attachment, interfaces: interfaces.move(), published: published.move() });
    return attachment;
  }

  /**
   * Ends a container's network. Its ports are free when this resolves. The interfaces go when no container has come or gone
   * for a moment: taking one down holds the kernel's network lock for long, and a build's next step would wait for it.
   */
  async release(containerId: string): Promise<void> {
    const member = this.#members.get(containerId);
    if (!member) return;
    this.#members.delete(containerId);
    this.#retired.push(member.interfaces);
    this.#sweepLater();
    await member.published[Symbol.asyncDispose]();
  }

  list(): NetworkInspect[] {
    return this.#registry.list();
  }

  /** `ref` is a name, an id, or the beginning of an id. */
  inspect(ref: string): NetworkInspect {
    const { record, bridge, endpoints } = this.#registry.find(ref);
    return inspectNetwork(record, bridge, endpoints);
  }

  /** Makes a bridge network and returns its id. */
  create(body: NetworkCreateBody, options: { signal: AbortSignal }): Promise<string> {
    this.#markUse();
    return this.#registry.create(body, options.signal);
  }

  /** Removes a network that no container is on. */
  async remove(ref: string): Promise<void> {
    const bridge = await this.#registry.take(ref);
    await this.#takeDown();
    await bridge?.[Symbol.asyncDispose]();
  }

  /** Removes the interfaces and packet rules that a killed process of this state folder left. Call before any attach. */
  async cleanLeftovers(): Promise<void> {
    if (!existsSync(this.#mark)) return;
    for (const group of [this.#group, this.#group + 1])
      await runNetworkTask(this.#options.tasks, 'network.removeGroup', { group });
    await this.#firewall.clear();
    rmSync(this.#mark);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#members.keys()].map((id) => this.release(id)));
    await this.#takeDown();
    await this.cleanLeftovers();
  }

  #join(target: string): Attachment {
    const other = this.#members.get(target)?.attachment;
    if (other) return { ...other, settings: networkSettings(undefined, [], {}) };
    throw new Failure('conflict', 'NOT_ATTACHED', `cannot join network of a non running container: ${target}`);
  }

  async #enter(containerId: string, mode: string, request: AttachRequest, held: Holding): Promise<Attachment> {
    const main = this.#registry.find(mode);
    const { requests, unpublished } = planPorts(request.ports);
    const host = await hostResolver();
    const endpoints: Endpoint[] = [];
    for (const [network, config] of this.#chosen(main, request.endpoints ?? {})) {
      const mac = endpoints.length === 0 ? request.mac : undefined;
      endpoints.push(await this.#reserve(containerId, network, { config, mac, name: request.name }, held));
    }
    if (main.record.driver === 'host') {
      const resolvConf = renderResolvConf(statedOrHost(host, request.dns));
      return { namespacePath: undefined, settings: networkSettings(undefined, endpoints, {}), resolvConf };
    }
    const path = await this.#openNamespace(endpoints, held.interfaces);
    const ports: Record<string, PortBinding[] | null> = {};
    const [first] = endpoints;
    if (first?.place) {
      for (const key of unpublished) ports[key] = null;
      Object.assign(ports, await this.#publish(requests, first, first.place, held.published));
    }
    const settings = networkSettings({ id: randomId(), path }, endpoints, ports);
    return { namespacePath: path, settings, resolvConf: renderResolvConf(bridgedResolver(host, request.dns)) };
  }

  /** The main network first, then the others. */
  #chosen(
    main: Network,
    endpoints: Readonly<Record<string, EndpointConfig | null>>,
  ): Map<Network, EndpointConfig | null> {
    const chosen = new Map<Network, EndpointConfig | null>([[main, null]]);
    for (const [ref, config] of Object.entries(endpoints)) chosen.set(this.#registry.find(ref), config);
    if (chosen.size > 1 && [...chosen.keys()].some(({ record }) => record.driver !== 'bridge'))
      throw new Failure('invalid', 'NETWORK_MODES', 'host and none cannot be combined with other networks');
    return chosen;
  }

  /** Takes a place on a network: on a bridge, an address. The scopes give it back. */
  async #reserve(
    containerId: string,
    network: Network,
    wishes: { readonly config: EndpointConfig | null; readonly mac: string | undefined; readonly name: string },
    held: Holding,
  ): Promise<Endpoint> {
    const wanted = wantedAddress(network, wishes.config);
    let place: Place | undefined;
    if (network.record.driver === 'bridge') {
      this.#markUse();
      const bridge = await this.#registry.bridgeOf(network, held.signal);
      if (wanted !== undefined) await this.#takeDown(); // it may be the address that is just being freed
      const address = bridge.addresses.take(wanted);
      held.interfaces.defer(() => bridge.addresses.giveBack(address));
      place = { bridge, address, mac: wishes.mac === undefined ? macOf(address) : checkedMac(wishes.mac) };
    }
    const endpoint: Endpoint = {
      id: randomId(),
      network: network.record,
      containerName: wishes.name,
      aliases: wishes.config?.Aliases ?? [],
      wanted,
      place,
    };
    network.endpoints.set(containerId, endpoint);
    held.published.defer(() => {
      network.endpoints.delete(containerId);
    });
    return endpoint;
  }

  async #openNamespace(endpoints: readonly Endpoint[], interfaces: Scope): Promise<string> {
    const places = endpoints.flatMap(({ id, network, place }) =>
      place ? [{ id, internal: network.internal, place }] : [],
    );
    const router = places.find(({ internal }) => !internal);
    const plans = places.map(({ id, place }, slot) => ({
      link: `sk${id.slice(0, 10)}`,
      bridge: place.bridge.index,
      mtu: place.bridge.mtu,
      slot,
      address: place.address,
      prefix: place.bridge.subnet.prefix,
      mac: place.mac,
      gateway: router?.id === id ? place.bridge.gateway : undefined,
    }));
    const { tasks } = this.#options;
    const descriptor = await runNetworkTask(tasks, 'network.openNamespace', { group: this.#group, endpoints: plans });
    const links = plans.map(({ link }) => link);
    interfaces.defer(() => this.#closeNamespace({ descriptor, links }));
    return `/proc/${process.pid}/fd/${descriptor}`;
  }

  async #publish(
    requests: readonly PortRequest[],
    endpoint: Endpoint,
    { bridge, address }: Place,
    published: Scope,
  ): Promise<Readonly<Record<string, PortBinding[]>>> {
    if (requests.length === 0) return {};
    try {
      const ports = published.use(await this.#ports.publish(requests, { bridge: bridge.name, address }));
      if (ports.forwards.length > 0) {
        await this.#firewall.add({ forwards: ports.forwards });
        published.defer(() => this.#firewall.remove({ forwards: ports.forwards }));
      }
      return ports.bindings;
    } catch (error) {
      if (!isFailure(error, 'conflict', 'invalid')) throw error;
      const where = `on endpoint ${endpoint.containerName} (${endpoint.id})`;
      const message = `driver failed programming external connectivity ${where}: ${error.message}`;
      throw new Failure(error.kind, error.code, message, error.hint === undefined ? {} : { hint: error.hint });
    }
  }

  #sweepLater(): void {
    clearTimeout(this.#sweep);
    if (this.#retired.length >= RETIRED_LIMIT) void this.#takeDown();
    else if (this.#retired.length > 0) this.#sweep = setTimeout(() => void this.#takeDown(), QUIET_MS).unref();
  }

  /** Takes the interfaces of ended containers down; resolves when none is on its way any more. */
  async #takeDown(): Promise<void> {
    clearTimeout(this.#sweep);
    for (const interfaces of this.#retired.splice(0)) {
      const ending = interfaces[Symbol.asyncDispose]()
        .catch((error: unknown) => {
          this.#options.log.warn('cannot take down the network of a container', { reason: messageOf(error) });
        })
        .finally(() => this.#ending.delete(ending));
      this.#ending.add(ending);
    }
    await Promise.all(this.#ending);
  }

  /** Closes a namespace, in one step with all others that are closed in the same turn of the event loop. */
  #closeNamespace(namespace: OpenedNamespace): Promise<void> {
    if (!this.#closing) {
      const namespaces: OpenedNamespace[] = [];
      const plan = { group: this.#group + 1, namespaces };
      const done = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        this.#closing = undefined;
        return runNetworkTask(this.#options.tasks, 'network.closeNamespaces', plan);
      });
      this.#closing = { namespaces, done };
    }
    this.#closing.namespaces.push(namespace);
    return this.#closing.done;
  }

  #markUse(): void {
    writeFileSync(this.#mark, '');
  }
}

function wantedAddress(network: Network, config: EndpointConfig | null): Ipv4 | undefined {
  const text = config?.IPAMConfig?.IPv4Address;
  if (!text) return undefined;
  const { name, driver } = network.record;
  if (name === 'bridge' || driver !== 'bridge')
    throw new Failure('invalid', 'ADDRESS', 'user specified IP address is supported on user defined networks only');
  const address = parseIpv4(text);
  if (address === undefined) throw new Failure('invalid', 'ADDRESS', `invalid IPv4 address: ${text}`);
  return address;
}

/** A unicast MAC address in lower case. */
function checkedMac(text: string): string {
  const mac = text.toLowerCase();
  if (/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(mac)) return mac;
  throw new Failure('invalid', 'MAC_ADDRESS', `invalid MAC address: ${text}`);
}

function randomId(): string {
  return randomBytes(32).toString('hex');
}
