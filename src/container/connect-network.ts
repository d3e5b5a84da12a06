import { Failure } from '../lib/error.ts';
import type { EndpointConfig } from '../wire/container.ts';
import { type Container, sharedNetworkOf } from './container.ts';
import { hostnameOf } from './container-spec.ts';
import { updateNetworkFiles } from './files.ts';
import { type LifecycleNeeds, noteKept } from './lifecycle.ts';
import { refuseRemoved } from './remove-container.ts';

type ConnectNeeds = Pick<LifecycleNeeds, 'networks' | 'save' | 'emitNetwork'>;

/** Puts a container on one more network: at once when it runs, else with its next start. Call it in turn. */
export async function connectNetwork(
  container: Container,
  wanted: { readonly network: string; readonly config: EndpointConfig | null },
  needs: ConnectNeeds,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  refuseRemoved(container);
  const { Name, Id, Driver } = needs.networks.inspect(wanted.network);
  refuseShared(container);
  needs.networks.checkEndpoint(Name, wanted.config);
  const others = Object.keys(container.record.endpoints).filter((name) => name !== Name);
  if (others.length > 0 && (Driver === 'host' || others.includes('host')))
    throw refusal('container cannot be disconnected from host network or connected to host network');
  if (others.length > 0 && (Driver === 'null' || others.includes('none')))
    throw refusal('container cannot be connected to multiple networks with one of the networks in private (none) mode');
  if (container.run) {
    if (Name in container.run.attachment.settings.Networks)
      throw refusal(`endpoint with name ${container.name} already exists in network ${Name}`);
    const attachment = await needs.networks.connect(container.id, Name, wanted.config, options);
    updateNetworkFiles(container.folder, container.run.attachment, attachment, hostnameOf(container));
    container.run = { ...container.run, attachment };
    needs.emitNetwork(container, 'connect', [{ name: Name, id: Id }]);
  }
  const endpoints = { ...container.record.endpoints, [Name]: wanted.config };
  container.record = { ...container.record, endpoints };
  noteKept(container, needs);
  needs.save(container);
}

/** Takes a container off a network. Call it in turn. */
export async function disconnectNetwork(container: Container, network: string, needs: ConnectNeeds): Promise<void> {
  const { Name, Id } = needs.networks.inspect(network);
  refuseShared(container);
  if (Name === 'host') throw refusal('container cannot be disconnected from host network or connected to host network');
  const { [Name]: config, ...endpoints } = container.record.endpoints;
  if (config === undefined)
    throw new Failure('denied', 'NOT_CONNECTED', `container ${container.id} is not connected to network ${Name}`);
  if (container.run) {
    const attachment = await needs.networks.disconnect(container.id, Name);
    updateNetworkFiles(container.folder, container.run.attachment, attachment, hostnameOf(container));
    container.run = { ...container.run, attachment };
    needs.emitNetwork(container, 'disconnect', [{ name: Name, id: Id }]);
  }
  container.record = { ...container.record, endpoints };
  noteKept(container, needs);
  needs.save(container);
}

function refuseShared(container: Container): void {
  if (sharedNetworkOf(container) === undefined) return;
  throw refusal(
    'container sharing network namespace with another container or host cannot be connected to any other network',
  );
}

function refusal(message: string): Failure {
  return new Failure('denied', 'NETWORK_MODES', message);
}
