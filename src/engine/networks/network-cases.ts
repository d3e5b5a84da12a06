import type { Containers } from '../../container/containers.ts';
import type { Networks } from '../../host/network/networks.ts';
import { Failure, isFailure } from '../../lib/error.ts';
import { diskFailure } from '../../store/disk.ts';
import type { Filters } from '../../wire/filters.ts';
import type { NetworkConnectBody, NetworkCreateBody, NetworkInspect, NetworksPruned } from '../../wire/network.ts';
import type { EventSubject } from '../event-log.ts';
import { danglingFilter, matchesLabels, pruneUntilFilter } from '../images/image-filters.ts';

interface CallOptions {
  readonly signal: AbortSignal;
}

const PREDEFINED = ['bridge', 'host', 'none'];

/** The network use cases, as the Engine API's door asks for them. */
export class NetworkCases {
  readonly #networks: Networks;
  readonly #containers: Containers;
  readonly #emit: (subject: EventSubject) => void;

  constructor(networks: Networks, containers: Containers, emit: (subject: EventSubject) => void) {
    this.#networks = networks;
    this.#containers = containers;
    this.#emit = emit;
  }

  async list({ filters }: { readonly filters: Filters }): Promise<NetworkInspect[]> {
    const dangling = danglingFilter(filters);
    const types = filters['type'] ?? [];
    const wrong = types.find((type) => type !== 'builtin' && type !== 'custom');
    if (wrong !== undefined) throw new Failure('invalid', 'FILTER_INVALID', `invalid filter: 'type'='${wrong}'`);
    const oneOf = (key: string, matches: (value: string) => boolean) => {
      const values = filters[key] ?? [];
      return values.length === 0 || values.some(matches);
    };
    return this.#networks.list().filter((network) => {
      const custom = !PREDEFINED.includes(network.Name);
      return (
        oneOf('driver', (driver) => network.Driver === driver) &&
        oneOf('id', (id) => network.Id.startsWith(id)) &&
        oneOf('name', (name) => network.Name.includes(name)) &&
        oneOf('scope', (scope) => network.Scope === scope) &&
        oneOf('type', (type) => custom === (type === 'custom')) &&
        matchesLabels(filters, network.Labels) &&
        (dangling === undefined || dangling === (custom && isUnused(network)))
      );
    });
  }

  async inspect(ref: string): Promise<NetworkInspect> {
    return this.#networks.inspect(ref);
  }

  hostGateway(options: CallOptions): Promise<string> {
    return this.#networks.hostGateway(options);
  }

  async create(body: NetworkCreateBody, options: CallOptions): Promise<{ Id: string; Warning: string }> {
    const Id = await this.#networks.create(body, options).catch((error: unknown) => {
      throw diskFailure(error, 'the folder of the networks');
    });
    this.#tell('create', this.#networks.inspect(Id));
    return { Id, Warning: '' };
  }

  connect(ref: string, body: NetworkConnectBody, options: CallOptions): Promise<void> {
    return this.#containers.connect(body.Container, ref, body.EndpointConfig ?? null, options);
  }

  /** `force` is for what is left of a container that is no more, which here is nothing. */
  async disconnect(ref: string, container: string, options: { readonly force: boolean }): Promise<void> {
    try {
      await this.#containers.disconnect(container, ref);
    } catch (error) {
      if (!options.force || !isFailure(error) || error.code !== 'CONTAINER_NOT_FOUND') throw error;
      this.#networks.inspect(ref);
      throw new Failure('not-found', 'ENDPOINT_NOT_FOUND', `endpoint ${container} not found`);
    }
  }

  async remove(ref: string): Promise<void> {
    const network = this.#networks.inspect(ref);
    await this.#networks.remove(network.Id);
    this.#tell('destroy', network);
  }

  /** Removes the networks of the user that no running container is on. */
  async prune({ filters }: { readonly filters: Filters }): Promise<NetworksPruned> {
    const before = pruneUntilFilter(filters);
    const deleted: string[] = [];
    for (const network of this.#networks.list()) {
      if (PREDEFINED.includes(network.Name) || !isUnused(network) || !matchesLabels(filters, network.Labels)) continue;
      if (before !== undefined && Date.parse(network.Created) >= before) continue;
      try {
        await this.remove(network.Id);
        deleted.push(network.Name);
      } catch (error) {
        if (!isFailure(error, 'denied', 'not-found')) throw error; // somebody was faster
      }
    }
    this.#emit({ type: 'network', action: 'prune', id: '', attributes: { reclaimed: '0' } });
    return { NetworksDeleted: deleted.length === 0 ? null : deleted };
  }

  #tell(action: string, { Id, Name, Driver }: NetworkInspect): void {
    this.#emit({ type: 'network', action, id: Id, attributes: { name: Name, type: Driver } });
  }
}

function isUnused(network: NetworkInspect): boolean {
  return Object.keys(network.Containers).length === 0;
}
