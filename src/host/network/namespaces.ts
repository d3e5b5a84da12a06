import { closeSync, openSync } from 'node:fs';
import { systemCode } from '../../lib/error.ts';
import type { NamePorts, NameSockets } from './name-server.ts';
import { type EndpointPlan, type NetworkTaskRunner, runNetworkTask } from './network-tasks.ts';

/** A container's network namespace. */
export interface NetworkNamespace {
  readonly descriptor: number;
  /** For programs that join it. */
  readonly path: string;
  /** Host ends of its interfaces. */
  readonly links: string[];
}

/** Opens, changes and closes network namespaces, whose interfaces carry `group`. Closing uses the group after it too. */
export class Namespaces {
  readonly #tasks: NetworkTaskRunner;
  readonly #group: number;
  /** Namespaces that are closed in the same step. */
  #closing: { readonly namespaces: NetworkNamespace[]; readonly done: Promise<void> } | undefined;

  constructor(tasks: NetworkTaskRunner, group: number) {
    this.#tasks = tasks;
    this.#group = group;
  }

  async open(endpoints: readonly EndpointPlan[]): Promise<NetworkNamespace> {
    const descriptor = await runNetworkTask(this.#tasks, 'network.openNamespace', { group: this.#group, endpoints });
    const links = endpoints.map(({ link }) => link);
    return { descriptor, path: `/proc/${process.pid}/fd/${descriptor}`, links };
  }

  /** Adds an interface. */
  async plug({ descriptor, links }: NetworkNamespace, endpoint: EndpointPlan): Promise<void> {
    const plan = { group: this.#group, namespace: descriptor, endpoint };
    await runNetworkTask(this.#tasks, 'network.plug', plan);
    links.push(endpoint.link);
  }

  /** Takes an interface away; `next` are those where the default routes go then, when they went through that one. */
  async unplug(
    { descriptor, links }: NetworkNamespace,
    link: string,
    next: readonly Pick<EndpointPlan, 'name' | 'gateways'>[],
  ): Promise<void> {
    await runNetworkTask(this.#tasks, 'network.unplug', { namespace: descriptor, link, next });
    const at = links.indexOf(link);
    if (at >= 0) links.splice(at, 1); // it may never have come up
  }

  /** The namespace of a process that runs already; `links` are the host ends of its interfaces. Undefined: it has just ended. */
  takeOver(pid: number, links: string[]): NetworkNamespace | undefined {
    try {
      const descriptor = openSync(`/proc/${pid}/ns/net`, 'r');
      return { descriptor, path: `/proc/${process.pid}/fd/${descriptor}`, links };
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ESRCH') return undefined;
      throw error;
    }
  }

  /** Lets go of a namespace that goes on with its processes. */
  leave({ descriptor }: NetworkNamespace): void {
    closeSync(descriptor);
  }

  /** Sockets for a name server inside, and the ports that they have there: those that are wanted, else any. */
  openNameSockets(
    { descriptor }: NetworkNamespace,
    wanted?: NamePorts,
  ): Promise<{ sockets: NameSockets; ports: NamePorts }> {
    return runNetworkTask(this.#tasks, 'network.openNameSockets', { namespace: descriptor, wanted });
  }

  /** Closes a namespace, in one step with all others that are closed in the same turn of the event loop. */
  close(namespace: NetworkNamespace): Promise<void> {
    if (!this.#closing) {
      const namespaces: NetworkNamespace[] = [];
      const plan = { group: this.#group + 1, namespaces };
      const done = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        this.#closing = undefined;
        return runNetworkTask(this.#tasks, 'network.closeNamespaces', plan);
      });
      this.#closing = { namespaces, done };
    }
    this.#closing.namespaces.push(namespace);
    return this.#closing.done;
  }
}
