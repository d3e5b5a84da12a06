import type { NameSource } from './name-server.ts';
import type { Network } from './network-registry.ts';
import type { Endpoint } from './network-views.ts';
import { type DnsWishes, NAME_SERVER, type Resolver, statedOrHost } from './resolv.ts';

/** Another name that one container gives to another one. */
export interface ContainerLink {
  /** Its ID. */
  readonly container: string;
  readonly alias: string;
  /** The other one's name, for messages. */
  readonly name: string;
}

/** Whether containers on the network find each other by name: on networks of the user, as with Docker. */
export function hasNames(network: Network): boolean {
  return network.record.driver === 'bridge' && network.record.name !== 'bridge';
}

/** A container of a network that does not run. */
export interface RestingMember {
  readonly id: string;
  readonly name: string;
  readonly hostname: string;
  readonly aliases: readonly string[];
}

/** The names of a container on a network of the user. */
export function namesOf(
  containerId: string,
  endpoint: Pick<Endpoint, 'containerName' | 'aliases' | 'hostname'>,
): string[] {
  const names = [endpoint.containerName, ...endpoint.aliases, containerId.slice(0, 12), endpoint.hostname];
  return [...new Set(names.filter((name) => name !== ''))];
}

/** What a container finds by name: those on its networks, in the order of its interfaces, and those it links to. */
export function nameSource(of: {
  readonly networks: () => readonly Network[];
  readonly links: readonly ContainerLink[];
  readonly upstream: () => readonly string[];
}): NameSource {
  const search = (network: Network, name: string) => {
    const linked = of.links.filter(({ alias }) => alias.toLowerCase() === name).map(({ container }) => container);
    return [...network.endpoints].filter(
      ([id, endpoint]) =>
        linked.includes(id) || namesOf(id, endpoint).some((candidate) => candidate.toLowerCase() === name),
    );
  };
  return {
    upstream: of.upstream,
    addressesOf(name) {
      for (const network of of.networks().filter(hasNames)) {
        const suffix = `.${network.record.name.toLowerCase()}`;
        const found = search(network, name);
        if (found.length === 0 && name.endsWith(suffix)) found.push(...search(network, name.slice(0, -suffix.length)));
        const places = turned(found.flatMap(([, { place }]) => place ?? []));
        const ipv6 = places.flatMap(({ v6 }) => (v6 ? [v6.address] : []));
        if (places.length > 0) return { ipv4: places.map(({ address }) => address), ipv6 };
      }
      return undefined;
    },
    nameOf(address) {
      for (const { record, endpoints } of of.networks().filter(hasNames)) {
        const found = [...endpoints.values()].find(
          ({ place }) => place?.address === address || place?.v6?.address === address,
        );
        if (found) return `${found.containerName}.${record.name}`;
      }
      return undefined;
    },
  };
}

/** Settings that send a container's questions to the name server in its namespace. */
export function namedResolver(host: Resolver, wishes: DnsWishes): Resolver {
  const { search, options } = statedOrHost(host, wishes);
  const isSet = options.some((option) => option.startsWith('ndots:'));
  return { servers: [NAME_SERVER], search, options: isSet ? options : [...options, 'ndots:0'] };
}

/** The list from a random place on: several containers of one name share the work. */
function turned<T>(list: readonly T[]): T[] {
  const from = Math.floor(Math.random() * list.length);
  return [...list.slice(from), ...list.slice(0, from)];
}
