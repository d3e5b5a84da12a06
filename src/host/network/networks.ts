import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cancelled, Failure } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';
import type { Reserve } from '../../lib/reserve.ts';
import type { EndpointConfig, EndpointSettings } from '../../wire/container.ts';
import type { NetworkCreateBody, NetworkInspect } from '../../wire/network.ts';
import type { Attachment, AttachRequest } from './attachment.ts';
import { hasNames, namesOf, type RestingMember } from './endpoint-names.ts';
import { Firewall } from './firewall.ts';
import { formatIpv4 } from './ipv4.ts';
import { checkedMac, checkJoin, linkLocalAddresses, wantedAddresses } from './join-rules.ts';
import { attachmentOf, defaultBridgeOf, freeSlot, type Joined, linkOf, type Member, onHost, planOf } from './member.ts';
import { MemberServices } from './member-services.ts';
import { Namespaces } from './namespaces.ts';
import { groupOf, holdTag, sweep } from './neighbours.ts';
import { type Network, NetworkRegistry } from './network-registry.ts';
import { type KeptNetwork, linksOf, type NetworkState, stateOf } from './network-state.ts';
import { type NetworkTaskRunner, runNetworkTask } from './network-tasks.ts';
import { type Endpoint, inspectNetwork, networkSettings } from './network-views.ts';
import { giveBack, takePlace } from './place.ts';
import { planPorts } from './port-plan.ts';
import { rejoin } from './rejoin.ts';
import { hostResolver } from './resolv.ts';
import { Retirement } from './retirement.ts';

export interface NetworksOptions {
  /** Folder of our own below the data root. Its path also tells our kernel objects from another host's. */
  readonly stateFolder: string;
  /** A worker pool that serves `networkTasks`; one of its own, so that no long task delays a container. */
  readonly tasks: NetworkTaskRunner;
  /** Space of the folder's disk. */
  readonly reserve: Reserve;
  readonly log: Log;
}

/**
 * The networks of this host and the containers on them. Bridges are made when a container first needs them and removed
 * with this object, together with every interface and packet rule. Call `cleanLeftovers` first: it removes what a killed
 * process left. Changes of one container come one after the other.
 */
export class Networks implements AsyncDisposable {
  readonly #options: NetworksOptions;
  /** Tells our kernel objects from another host's. */
  readonly #tag: string;
  readonly #group: number;
  readonly #firewall: Firewall;
  /** Held while kernel objects of ours may exist. */
  #claim: Promise<AsyncDisposable> | undefined;
  /** What dead hosts left is away. */
  #swept: Promise<void> | undefined;
  readonly #services: MemberServices;
  readonly #registry: NetworkRegistry;
  readonly #namespaces: Namespaces;
  /** Interfaces of ended containers that are still up. */
  readonly #retired: Retirement;
  readonly #members = new Map<string, Member>();
  /** A file that exists while kernel objects of ours may exist. */
  readonly #mark: string;
  /** Containers were left to the next host. */
  #hasLeft = false;

  constructor(options: NetworksOptions) {
    mkdirSync(options.stateFolder, { recursive: true, mode: 0o700 });
    const tag = createHash('sha256').update(realpathSync(options.stateFolder)).digest('hex').slice(0, 8);
    this.#options = options;
    this.#tag = tag;
    this.#group = groupOf(tag);
    this.#firewall = new Firewall(tag);
    this.#mark = join(options.stateFolder, 'in-use');
    this.#namespaces = new Namespaces(options.tasks, this.#group);
    this.#services = new MemberServices(this.#firewall, this.#namespaces, options.log);
    this.#retired = new Retirement(options.log);
    const site = { tasks: options.tasks, log: options.log, firewall: this.#firewall, group: this.#group };
    this.#registry = new NetworkRegistry(options.stateFolder, { tag, site, reserve: options.reserve });
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
      host: hostResolver(),
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
      await this.#services.start(member);
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
    await this.#services.start(member);
    return attachmentOf(member);
  }

  /** What a container has now; undefined when it is on no network. */
  attachmentOf(containerId: string): Attachment | undefined {
    const member = this.#members.get(containerId);
    return member && attachmentOf(member);
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

  /** The host's address on the default network, whose bridge is made when it is not there yet. */
  async hostGateway({ signal }: { readonly signal: AbortSignal }): Promise<string> {
    await this.#use();
    const { gateway } = await this.#registry.bridgeOf(this.#registry.find('bridge'), signal);
    return formatIpv4(gateway);
  }

  /** Refuses what a container cannot have on a network. One that is not there is refused when the container starts. */
  checkEndpoint(network: string, config: EndpointConfig | null): void {
    const found = this.#registry.named(network);
    if (found) wantedAddresses(found, config);
  }

  /** What is known of a container on a network while it does not run; nothing when the network is gone. */
  resting(
    network: string,
    { id, name, ...member }: RestingMember,
  ): Partial<Pick<EndpointSettings, 'NetworkID' | 'DNSNames'>> {
    const found = this.#registry.named(network);
    if (!found) return {};
    const names = hasNames(found) ? namesOf(id, { ...member, containerName: name }) : null;
    return { NetworkID: found.record.id, DNSNames: names };
  }

  /** Makes a bridge network and returns its id. */
  async create(body: NetworkCreateBody, options: { signal: AbortSignal }): Promise<string> {
    await this.#use();
    return this.#registry.create(body, options.signal);
  }

  /** Removes a network that no container is on. */
  async remove(ref: string): Promise<void> {
    const bridge = await this.#registry.take(ref);
    await this.#retired.finish();
    await bridge?.[Symbol.asyncDispose]();
  }

  /** For `restore` by the next host, as things are now. */
  stateOf(containerId: string): NetworkState {
    return stateOf(this.#member(containerId));
  }

  /**
   * Takes over the networks of containers that the host before has left running, and removes all other interfaces and packet
   * rules that it left, killed or not. What of a network is not there any more is logged and left out. Call before any attach.
   */
  async restore(kept: readonly KeptNetwork[]): Promise<ReadonlyMap<string, Attachment>> {
    const links = linksOf(kept);
    if (links.length === 0) await this.cleanLeftovers();
    else await this.#hold();
    const found =
      links.length === 0
        ? new Map<string, number>()
        : await runNetworkTask(this.#options.tasks, 'network.keepOnly', { group: this.#group, keep: links });
    const site = { registry: this.#registry, namespaces: this.#namespaces, services: this.#services };
    const { members, rules } = await rejoin(kept, found, site);
    for (const member of members) this.#members.set(member.id, member);
    if (links.length > 0) await this.#firewall.replace(rules);
    return new Map(members.map((member) => [member.id, attachmentOf(member)]));
  }

  /** Leaves a running container to the next host: nothing of its network is taken down, and nothing here serves it any more. */
  async leave(containerId: string): Promise<void> {
    const member = this.#members.get(containerId);
    if (!member) return;
    this.#members.delete(containerId);
    this.#hasLeft = true;
    await this.#services.leave(member);
    if (member.namespace) this.#namespaces.leave(member.namespace);
  }

  /** Removes the interfaces and packet rules that a killed process of this state folder left. Call before any attach. */
  async cleanLeftovers(): Promise<void> {
    if (!existsSync(this.#mark)) return;
    await this.#hold();
    for (const group of [this.#group, this.#group + 1])
      await runNetworkTask(this.#options.tasks, 'network.removeGroup', { group });
    await this.#firewall.clear();
    rmSync(this.#mark);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#members.keys()].map((id) => this.release(id)));
    await this.#retired.finish();
    if (!this.#hasLeft) await this.cleanLeftovers();
    else for (const bridge of this.#registry.idleBridges()) await bridge[Symbol.asyncDispose]();
    await (await this.#claim)?.[Symbol.asyncDispose]();
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
    await this.#services.start(member);
  }

  /** Links on the default bridge are written into a file when the container starts: what they name must run then. */
  #checkLinks({ joined, request }: Member): void {
    const bridge = defaultBridgeOf(joined);
    if (!bridge) return;
    for (const { container, alias, name } of request.links) {
      if (!this.#members.has(container)) {
        const message = `Cannot link to a non running container: /${name} AS /${request.name}/${alias}`;
        throw new Failure('conflict', 'LINK_NOT_RUNNING', message);
      }
      if (bridge.network.endpoints.has(container)) continue;
      const message = `Cannot link to /${name}, as it does not belong to the default network`;
      throw new Failure('conflict', 'LINK_ELSEWHERE', message);
    }
  }

  /** Takes a place on a network: on a bridge, its addresses. */
  async #reserve(
    member: Member,
    network: Network,
    config: EndpointConfig | null,
    signal: AbortSignal,
  ): Promise<Joined> {
    const wanted = wantedAddresses(network, config);
    const slot = freeSlot(member, config?.DriverOpts ?? null);
    const mac = config?.MacAddress || (member.joined.length === 0 ? member.request.mac : undefined);
    const checked = mac ? checkedMac(mac) : undefined;
    linkLocalAddresses(wanted.linkLocal);
    let place: Endpoint['place'];
    if (network.record.driver === 'bridge') {
      await this.#use();
      const bridge = await this.#registry.bridgeOf(network, signal);
      // it may be the address that is just being freed
      if (wanted.ipv4 !== undefined || wanted.ipv6 !== undefined) await this.#retired.finish();
      place = takePlace(bridge, wanted, checked);
    }
    const endpoint: Endpoint = {
      id: randomId(),
      network: network.record,
      containerName: member.request.name,
      hostname: member.request.hostname,
      aliases: config?.Aliases ?? [],
      links: config?.Links ?? [],
      wanted,
      driverOptions: config?.DriverOpts ?? null,
      gatewayPriority: config?.GwPriority ?? 0,
      place,
    };
    const joined = { network, endpoint, slot };
    member.joined.push(joined);
    network.endpoints.set(member.id, endpoint);
    return joined;
  }

  /** Leaves one network; the interface is gone and its address free when this resolves. */
  async #quit(member: Member, joined: Joined): Promise<void> {
    const { endpoint, network } = joined;
    member.joined.splice(member.joined.indexOf(joined), 1);
    network.endpoints.delete(member.id);
    if (member.ports?.on === joined) await this.#services.unpublish(member);
    if (!endpoint.place || !member.namespace) return;
    const next = member.joined.flatMap((other) => planOf(member, other) ?? []);
    await this.#namespaces.unplug(member.namespace, linkOf(endpoint.id), next);
    giveBack(endpoint.place);
  }

  async #leave(member: Member): Promise<void> {
    const { namespace, joined } = member;
    for (const { network } of joined) network.endpoints.delete(member.id);
    this.#retired.add(async () => {
      if (namespace) await this.#namespaces.close(namespace);
      for (const { endpoint } of joined) if (endpoint.place) giveBack(endpoint.place);
    });
    await this.#services.stop(member);
  }

  /** Before anything is made in the kernel. */
  async #use(): Promise<void> {
    writeFileSync(this.#mark, '');
    await this.#hold();
    this.#swept ??= sweep(this.#firewall, this.#options);
    await this.#swept;
  }

  /** Tells other hosts that what carries our tag is not to be swept away. */
  async #hold(): Promise<void> {
    this.#claim ??= holdTag(this.#tag, this.#options.log);
    await this.#claim;
  }
}

function randomId(): string {
  return randomBytes(32).toString('hex');
}
