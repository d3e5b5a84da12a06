import { Failure, isFailure, messageOf } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';
import { bridgeOptions } from './bridge-options.ts';
import { hasNames, nameSource } from './endpoint-names.ts';
import type { Firewall } from './firewall.ts';
import { type Member, routerOf } from './member.ts';
import { type NamePorts, serveNames } from './name-server.ts';
import type { Namespaces } from './namespaces.ts';
import type { NetworkState } from './network-state.ts';
import { planPorts } from './port-plan.ts';
import { Ports, type PublishedPorts } from './ports.ts';
import { statedOrHost } from './resolv.ts';

/** What hangs on the networks that a container is on: its published ports, and its name server. */
export class MemberServices {
  readonly #firewall: Firewall;
  readonly #namespaces: Namespaces;
  readonly #log: Log;
  readonly #ports = new Ports();

  constructor(firewall: Firewall, namespaces: Namespaces, log: Log) {
    this.#firewall = firewall;
    this.#log = log;
    this.#namespaces = namespaces;
  }

  /** Starts what is wanted, possible and not there yet; ports go to the network of the default route. A port that is taken is a Failure of kind `conflict`. */
  async start(member: Member): Promise<void> {
    if (member.ports && member.ports.on !== routerOf(member)) await this.unpublish(member);
    const starts = await Promise.allSettled([this.#publish(member), this.#serveNames(member)]);
    for (const one of starts) if (one.status === 'rejected') throw one.reason; // with the other one there to be stopped
  }

  /** Frees the ports. */
  async unpublish(member: Member): Promise<void> {
    const { ports } = member;
    member.ports = undefined;
    if (!ports) return;
    await ports[Symbol.asyncDispose]();
    if (ports.forwards.length > 0) await this.#firewall.remove({ forwards: ports.forwards });
  }

  async stop(member: Member): Promise<void> {
    await Promise.all([this.unpublish(member), member.names?.[Symbol.asyncDispose]()]);
  }

  /** Starts what a running container had with the host before, where it was. Its forward rules are the caller's to load. */
  async restart(member: Member, { ports, names }: Pick<NetworkState, 'ports' | 'names'>): Promise<void> {
    const attempt = (what: string, work: Promise<unknown>) =>
      work.catch((error: unknown) => {
        this.#log.warn(`cannot take over the ${what} of a container`, { id: member.id, why: messageOf(error) });
      });
    if (ports) await attempt('published ports', this.#take(member, ports));
    if (names) await attempt('name server', this.#listenForNames(member, names));
  }

  /** Ends what is here for a container that goes on, and leaves what is in the kernel. */
  async leave({ ports, names }: Member): Promise<void> {
    await Promise.all([ports?.[Symbol.asyncDispose](), names?.[Symbol.asyncDispose]()]);
  }

  async #publish(member: Member): Promise<void> {
    const router = routerOf(member);
    if (member.ports || !router) return;
    let ports: PublishedPorts | undefined;
    try {
      ports = await this.#take(member);
      if (ports && ports.forwards.length > 0) await this.#firewall.add({ forwards: ports.forwards });
    } catch (error) {
      member.ports = undefined;
      await ports?.[Symbol.asyncDispose]();
      if (!isFailure(error, 'conflict', 'invalid')) throw error;
      const where = `on endpoint ${member.request.name} (${router.endpoint.id})`;
      const message = `driver failed programming external connectivity ${where}: ${error.message}`;
      throw new Failure(error.kind, error.code, message, error.hint === undefined ? {} : { hint: error.hint });
    }
  }

  /** Takes the host ports that a container asks for, or those of `numbers` in the same order. */
  async #take(member: Member, numbers?: readonly number[]): Promise<PublishedPorts | undefined> {
    const router = routerOf(member);
    const { requests } = planPorts(member.request.ports);
    if (!router?.endpoint.place || requests.length === 0) return undefined;
    const { bridge, address, v6 } = router.endpoint.place;
    const { hostAddress: binding = '' } = bridgeOptions(router.endpoint.network);
    const bound = requests.map((request, index) => {
      const number = numbers?.[index];
      const range = number === undefined ? {} : { first: number, last: number };
      return { ...request, hostAddress: request.hostAddress || binding, ...range };
    });
    const ports = await this.#ports.publish(bound, { bridge: bridge.name, address, address6: v6?.address });
    member.ports = Object.assign(ports, { on: router });
    return ports;
  }

  async #serveNames(member: Member): Promise<void> {
    const { namespace } = member;
    if (member.names || !namespace || !member.joined.some(({ network }) => hasNames(network))) return;
    const ports = await this.#listenForNames(member);
    if (ports) await this.#firewall.redirectNames(namespace.path, ports);
  }

  /** Opens the name server of a container, at the ports that are `wanted`, else at any. Returns them. */
  async #listenForNames(member: Member, wanted?: NamePorts): Promise<NamePorts | undefined> {
    const { namespace, request } = member;
    if (!namespace) return undefined;
    const servers = statedOrHost(member.host, request.dns).servers;
    const { sockets, ports } = await this.#namespaces.openNameSockets(namespace, wanted);
    const source = nameSource({
      networks: () => member.joined.map(({ network }) => network),
      links: request.links,
      upstream: () => (routerOf(member) ? servers : []),
    });
    member.names = Object.assign(await serveNames(sockets, source), { ports });
    return ports;
  }
}
