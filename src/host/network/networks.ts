import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cancelled, Failure, isFailure } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';
import type { EndpointConfig, NetworkSettings } from '../../wire/container.ts';
import type { NetworkCreateBody, NetworkInspect } from '../../wire/network.ts';
import { macOf } from './bridge.ts';
import { type ContainerLink, hasNames, nameSource } from './endpoint-names.ts';
import { Firewall } from './firewall.ts';
import { checkedMac, checkJoin, wantedAddress } from './join-rules.ts';
import { attachmentOf, type Joined, linkOf, type Member, onHost, planOf, routerOf } from './member.ts';
import { serveNames } from './name-server.ts';
import { Namespaces } from './namespaces.ts';
import { type Network, NetworkRegistry } from './network-registry.ts';
import { type NetworkTaskRunner, runNetworkTask } from './network-tasks.ts';
import { type Endpoint, inspectNetwork, networkSettings } from './network-views.ts';
import { type PortWishes, planPorts } from './port-plan.ts';
import { Ports, type PublishedPorts } from './ports.ts';
import { type DnsWishes, hostResolver, statedOrHost } from './resolv.ts';
import { Retirement } from './retirement.ts';

export interface AttachRequest {
  /** Whose namespace to share instead of having one; what follows is then not looked at. */
  readonly sharedWith?: string;
  /**
   * The networks to join, by name or ID (`default` for bridge), in the order of their interfaces: address and aliases on
   * each. `host` stands alone.
   */
  readonly endpoints: Readonly<Record<string, EndpointConfig | null>>;
  /** The container's name, without a slash. */
  readonly name: string;
  readonly hostname: string;
  readonly ports: PortWishes;
  readonly dns: DnsWishes;
  /** Names of its own for other containers, on networks of the user. */
  readonly links: readonly ContainerLink[];
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
  /** Containers that it links to where there is no name server, for its hosts file. */
  readonly linked: readonly { readonly address: string; readonly names: readonly string[] }[];
}

export interface NetworksOptions {
  /** Folder of our own below the data root. Its path also tells our kernel objects from another host's. */
  readonly stateFolder: string;
  /** A worker pool that serves `networkTasks`; one of its own, so that no long task delays a container. */
  readonly tasks: NetworkTaskRunner;
  readonly log: Log;
}

/**
 * The networks of this host and the containers on them. Bridges are made when a container first needs them and removed
 * with this object, together with every interface and packet rule. Call `cleanLeftovers` first: it removes what a killed
 * process left. IPv4 only, but published ports listen on IPv6 too. Changes of one container come one after the other.
 */
export class Networks implements AsyncDisposable {
  readonly #options: NetworksOptions;
  readonly #group: number;
  readonly #firewall: Firewall;
  readonly #ports = new Ports();
  readonly #registry: NetworkRegistry;
  readonly #namespaces: Namespaces;
  /** Interfaces of ended containers that are still up. */
  readonly #retired: Retirement;
  readonly #members = new Map<string, Member>();
  /** A file that exists while kernel objects of ours may exist. */
  readonly #mark: string;

  constructor(options: NetworksOptions) {
    mkdirSync(options.stateFolder, { recursive: true, mode: 0o700 });
    const tag = createHash('sha256').update(realpathSync(options.stateFolder)).digest('hex').slice(0, 8);
    this.#options = options;
    this.#group = (Number.parseInt(tag, 16) >>> 1) & ~1 || 2; // even; the odd one after it is for interfaces that go
    this.#firewall = new Firewall(tag);
    this.#mark = join(options.stateFolder, 'in-use');
    this.#namespaces = new Namespaces(options.tasks, this.#group);
    this.#retired = new Retirement(options.log);
    const site = { tasks: options.tasks, log: options.log, firewall: this.#firewall, group: this.#group };
    this.#registry = new NetworkRegistry(options.stateFolder, tag, site);
  }

  /**
   * Gives a container its network: a namespace with its interfaces up, and its published ports. All or nothing.
   * A port that is taken is a Failure of kind `conflict`.
   */
  async attach(containerId: string, request: AttachRequest, options: { signal: AbortSignal }): Promise<Attachment> {
    this.#retired.postpone();
    if (this.#members.has(containerId))
      throw new Failure('conflict', 'ATTACHED', `container ${containerId} is attached to its network already`);
    const member: Member = {
      id: containerId,
      request,
      host: await hostResolver(),
      sandboxId: randomId(),
      joined: [],
      namespace: undefined,
      ports: undefined,
      names: undefined,
      shared: request.sharedWith === undefined ? undefined : this.#shared(request.sharedWith),
    };
    try {
      if (!member.shared) await this.#enter(member, options.signal);
      if (options.signal.aborted) throw cancelled(options.signal);
    } catch (error) {
      await this.#leave(member);
      throw error;
    }
    this.#members.set(containerId, member);
    return attachmentOf(member);
  }

  /**
   * Ends a container's network. Its ports are free when this resolves; the interfaces go a moment later.
   */
  async release(containerId: string): Promise<void> {
    const member = this.#members.get(containerId);
    if (!member) return;
    this.#members.delete(containerId);
    await this.#leave(member);
  }

  /** Puts a running container on one more network, with an interface of its own. */
  async connect(
    containerId: string,
    ref: string,
    config: EndpointConfig | null,
    options: { signal: AbortSignal },
  ): Promise<Attachment> {
    const member = this.#member(containerId);
    const network = this.#registry.find(ref);
    const { namespace } = member;
    checkJoin(network, member.joined);
    if (!namespace)
      throw new Failure('conflict', 'NETWORK_SHARED', `container ${containerId} has no network of its own`);
    const joined = await this.#reserve(member, network, config, options.signal);
    const plan = planOf(member, joined);
    try {
      if (plan) await this.#namespaces.plug(namespace, plan);
      await this.#serve(member);
    } catch (error) {
      await this.#quit(member, joined);
      throw error;
    }
    return attachmentOf(member);
  }

  /** Takes a running container off a network. Ports that were published there go to the next one, if there is one. */
  async disconnect(containerId: string, ref: string): Promise<Attachment> {
    const member = this.#member(containerId);
    const network = this.#registry.find(ref);
    const joined = member.joined.find((one) => one.network === network);
    if (!joined || network.record.driver === 'host')
      throw new Failure(
        'denied',
        'NOT_CONNECTED',
        `container ${containerId} is not connected to network ${network.record.name}`,
      );
    await this.#quit(member, joined);
    await this.#serve(member);
    return attachmentOf(member);
  }

  /** A container is found under a new name from now on. */
  rename(containerId: string, name: string): Attachment | undefined {
    const member = this.#members.get(containerId);
    if (!member) return undefined;
    for (const { endpoint } of member.joined) endpoint.containerName = name;
    return attachmentOf(member);
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
    await this.#retired.finish();
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
    await this.#retired.finish();
    await this.cleanLeftovers();
  }

  #member(containerId: string): Member {
    const member = this.#members.get(containerId);
    if (member) return member;
    throw new Failure('conflict', 'NOT_ATTACHED', `container ${containerId} is not running`);
  }

  #shared(target: string): Attachment {
    const other = this.#members.get(target);
    if (other) return { ...attachmentOf(other), settings: networkSettings(undefined, {}, {}) };
    throw new Failure('conflict', 'NOT_ATTACHED', `cannot join network of a non running container: ${target}`);
  }

  async #enter(member: Member, signal: AbortSignal): Promise<void> {
    const { endpoints } = member.request;
    planPorts(member.request.ports); // what is wrong is told before anything is made
    for (const [ref, config] of Object.entries(endpoints)) {
      const network = this.#registry.find(ref);
      checkJoin(network, member.joined);
      await this.#reserve(member, network, config, signal);
    }
    this.#checkLinks(member);
    if (onHost(member)) return;
    const plans = member.joined.flatMap((joined) => planOf(member, joined) ?? []);
    member.namespace = await this.#namespaces.open(plans);
    await this.#serve(member);
  }

  /** Links on the default bridge are written into a file when the container starts: what they name must run then. */
  #checkLinks({ joined, request }: Member): void {
    if (joined.some(({ network }) => hasNames(network))) return;
    const missing = request.links.find(({ container }) => !this.#members.has(container));
    if (!missing) return;
    const { container, alias } = missing;
    const message = `Cannot link to a non running container: ${container} AS /${request.name}/${alias}`;
    throw new Failure('conflict', 'LINK_NOT_RUNNING', message);
  }

  /** Takes a place on a network: on a bridge, an address. */
  async #reserve(
    member: Member,
    network: Network,
    config: EndpointConfig | null,
    signal: AbortSignal,
  ): Promise<Joined> {
    const wanted = wantedAddress(network, config);
    const taken = new Set(member.joined.map(({ slot }) => slot));
    const slot = [...taken, taken.size].sort((a, b) => a - b).findIndex((used, index) => used !== index);
    const mac = config?.MacAddress || (member.joined.length === 0 ? member.request.mac : undefined);
    const checked = mac ? checkedMac(mac) : undefined;
    let place: Endpoint['place'];
    if (network.record.driver === 'bridge') {
      this.#markUse();
      const bridge = await this.#registry.bridgeOf(network, signal);
      if (wanted !== undefined) await this.#retired.finish(); // it may be the address that is just being freed
      const address = bridge.addresses.take(wanted);
      place = { bridge, address, mac: checked ?? macOf(address) };
    }
    const endpoint: Endpoint = {
      id: randomId(),
      network: network.record,
      containerName: member.request.name,
      hostname: member.request.hostname,
      aliases: config?.Aliases ?? [],
      links: config?.Links ?? [],
      wanted,
      place,
    };
    const joined = { network, endpoint, slot: slot < 0 ? taken.size : slot };
    member.joined.push(joined);
    network.endpoints.set(member.id, endpoint);
    return joined;
  }

  /** What hangs on the networks that the container is on: its ports, and its name server. */
  async #serve(member: Member): Promise<void> {
    await Promise.all([this.#publish(member), this.#serveNames(member)]);
  }

  async #publish(member: Member): Promise<void> {
    const router = routerOf(member);
    const { requests } = planPorts(member.request.ports);
    if (member.ports || !router?.endpoint.place || requests.length === 0) return;
    const { bridge, address } = router.endpoint.place;
    let ports: PublishedPorts | undefined;
    try {
      ports = await this.#ports.publish(requests, { bridge: bridge.name, address });
      if (ports.forwards.length > 0) await this.#firewall.add({ forwards: ports.forwards });
      member.ports = Object.assign(ports, { on: router });
    } catch (error) {
      await ports?.[Symbol.asyncDispose]();
      if (!isFailure(error, 'conflict', 'invalid')) throw error;
      const where = `on endpoint ${member.request.name} (${router.endpoint.id})`;
      const message = `driver failed programming external connectivity ${where}: ${error.message}`;
      throw new Failure(error.kind, error.code, message, error.hint === undefined ? {} : { hint: error.hint });
    }
  }

  async #unpublish(member: Member): Promise<void> {
    const { ports } = member;
    member.ports = undefined;
    if (!ports) return;
    await ports[Symbol.asyncDispose]();
    if (ports.forwards.length > 0) await this.#firewall.remove({ forwards: ports.forwards });
  }

  async #serveNames(member: Member): Promise<void> {
    const { namespace, request } = member;
    if (member.names || !namespace || !member.joined.some(({ network }) => hasNames(network))) return;
    const servers = statedOrHost(member.host, request.dns).servers;
    const { sockets, udpPort, tcpPort } = await this.#namespaces.openNameSockets(namespace);
    const source = nameSource({
      networks: () => member.joined.map(({ network }) => network),
      links: request.links,
      upstream: () => (routerOf(member) ? servers : []),
    });
    member.names = await serveNames(sockets, source);
    await this.#firewall.redirectNames(namespace.path, { udp: udpPort, tcp: tcpPort });
  }

  /** Leaves one network; the interface is gone and its address free when this resolves. */
  async #quit(member: Member, joined: Joined): Promise<void> {
    const { endpoint, network } = joined;
    member.joined.splice(member.joined.indexOf(joined), 1);
    network.endpoints.delete(member.id);
    if (member.ports?.on === joined) await this.#unpublish(member);
    if (!endpoint.place || !member.namespace) return;
    const router = routerOf(member);
    const next = router && planOf(member, router);
    await this.#namespaces.unplug(member.namespace, linkOf(endpoint.id), next);
    endpoint.place.bridge.addresses.giveBack(endpoint.place.address);
  }

  async #leave(member: Member): Promise<void> {
    const { namespace, joined, names } = member;
    for (const { network } of joined) network.endpoints.delete(member.id);
    this.#retired.add(async () => {
      if (namespace) await this.#namespaces.close(namespace);
      for (const { endpoint } of joined) endpoint.place?.bridge.addresses.giveBack(endpoint.place.address);
    });
    await Promise.all([this.#unpublish(member), names?.[Symbol.asyncDispose]()]);
  }

  #markUse(): void {
    writeFileSync(this.#mark, '');
  }
}

function randomId(): string {
  return randomBytes(32).toString('hex');
}
