import { Failure, isFailure } from '../../lib/error.ts';
import { bridgeOptions } from './bridge-options.ts';
import { hasNames, nameSource } from './endpoint-names.ts';
import type { Firewall } from './firewall.ts';
import { type Member, routerOf } from './member.ts';
import { serveNames } from './name-server.ts';
import type { Namespaces } from './namespaces.ts';
import { planPorts } from './port-plan.ts';
import { Ports, type PublishedPorts } from './ports.ts';
import { statedOrHost } from './resolv.ts';

/** What hangs on the networks that a container is on: its published ports, and its name server. */
export class MemberServices {
  readonly #firewall: Firewall;
  readonly #namespaces: Namespaces;
  readonly #ports = new Ports();

  constructor(firewall: Firewall, namespaces: Namespaces) {
    this.#firewall = firewall;
    this.#namespaces = namespaces;
  }

  /** Starts what is wanted, possible and not there yet. A port that is taken is a Failure of kind `conflict`. */
  async start(member: Member): Promise<void> {
    await Promise.all([this.#publish(member), this.#serveNames(member)]);
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

  async #publish(member: Member): Promise<void> {
    const router = routerOf(member);
    const { requests } = planPorts(member.request.ports);
    if (member.ports || !router?.endpoint.place || requests.length === 0) return;
    const { bridge, address, v6 } = router.endpoint.place;
    const { hostAddress: binding = '' } = bridgeOptions(router.endpoint.network);
    const bound = requests.map((request) => ({ ...request, hostAddress: request.hostAddress || binding }));
    let ports: PublishedPorts | undefined;
    try {
      ports = await this.#ports.publish(bound, { bridge: bridge.name, address, address6: v6?.address });
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
}
