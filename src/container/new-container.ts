import { mkdirSync } from 'node:fs';
import { hostname as machineName } from 'node:os';
import { join } from 'node:path';
import { Failure, isFailure } from '../lib/error.ts';
import type { DiffId, ImageId } from '../oci/digest.ts';
import type { RunConfig } from '../oci/image-config.ts';
import { newContainerId } from '../store/containers.ts';
import type { LayerId } from '../store/layers.ts';
import type { ContainerConfig, EndpointConfig, HostConfig } from '../wire/container.ts';
import { mergeConfig } from './config.ts';
import { Container } from './container.ts';
import type { ContainersNeeds } from './containers.ts';
import { type MountSources, planMounts } from './mounts.ts';
import { checkConfig, normaliseHostConfig } from './options.ts';
import { checkSharedNamespaces } from './shared-namespaces.ts';

export interface NewContainer {
  /** Without slash; one is chosen when undefined. */
  readonly name: string | undefined;
  readonly image: {
    readonly id: ImageId | undefined;
    readonly config: RunConfig;
    /** Bottom first. */
    readonly layers: readonly LayerId[];
    /**
     * The same layers by content, for the record. Undefined makes a container that only this host process knows: no record,
     * no log. `keep` records it later.
     */
    readonly diffIds: readonly DiffId[] | undefined;
  };
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly endpoints: Readonly<Record<string, EndpointConfig | null>>;
  /** `NAME=value` that its program gets and that stands in no record. */
  readonly secretEnv?: readonly string[];
}

/** Makes a container that nobody knows yet: its options checked, its mounts' volumes, its folder and writable layer made. */
export function makeContainer(
  request: NewContainer,
  name: string,
  needs: Pick<ContainersNeeds, 'store' | 'snapshots' | 'cgroups' | 'networks'> & {
    readonly sources: Omit<MountSources, 'place'>;
  },
): { readonly container: Container; readonly warnings: string[] } {
  const { store, snapshots } = needs;
  const merged = mergeConfig(request.image.config, request.config);
  checkConfig(merged);
  const { hostConfig, warnings } = normaliseHostConfig(request.hostConfig, needs.cgroups);
  warnings.push(...checkSharedNamespaces(request.config, hostConfig));
  const id = newContainerId();
  const config: ContainerConfig = { ...merged, Hostname: merged.Hostname || defaultHostname(id, hostConfig) };
  let places = 0;
  const place = () => join(store.activeFolder(id), 'mounts', String(places++), 'root');
  const mounts = planMounts(config, hostConfig, { ...needs.sources, place });
  const endpoints = endpointsOf(hostConfig.NetworkMode ?? 'bridge', request.endpoints, needs.networks);
  checkEndpoints(endpoints, needs.networks);
  const container = new Container({
    id,
    name,
    folder: store.containerFolder(id),
    record: {
      created: new Date().toISOString(),
      image: request.image.id,
      config,
      hostConfig,
      endpoints,
      mounts,
      phase: { status: 'created', error: '', exitCode: 0 },
      restarts: 0,
      stoppedByUser: false,
    },
    snapshot: snapshots.prepare(id, request.image.layers),
    recorded: false,
    secretEnv: request.secretEnv ?? [],
  });
  try {
    mkdirSync(container.folder, { mode: 0o710 });
  } catch (error) {
    container.snapshot.discard();
    throw error;
  }
  return { container, warnings };
}

function checkEndpoints(
  endpoints: Readonly<Record<string, EndpointConfig | null>>,
  networks: ContainersNeeds['networks'],
): void {
  for (const [network, settings] of Object.entries(endpoints))
    try {
      networks.checkEndpoint(network, settings);
    } catch (error) {
      if (!isFailure(error, 'invalid')) throw error;
      throw new Failure('invalid', error.code, `invalid config for network ${network}: ${error.message}`);
    }
}

function defaultHostname(id: string, hostConfig: HostConfig): string {
  return hostConfig.NetworkMode === 'host' ? machineName() : id.slice(0, 12);
}

/**
 * The networks of a container by name, first the one of its NetworkMode. One that does not exist keeps the name that the
 * user gave it: the start will say so.
 */
function endpointsOf(
  mode: string,
  asked: Readonly<Record<string, EndpointConfig | null>>,
  networks: ContainersNeeds['networks'],
): Record<string, EndpointConfig | null> {
  if (mode.startsWith('container:')) return {};
  const nameOf = (ref: string) => {
    try {
      return networks.inspect(ref).Name;
    } catch (error) {
      if (isFailure(error, 'not-found')) return ref;
      throw error;
    }
  };
  const endpoints: Record<string, EndpointConfig | null> = { [nameOf(mode)]: null };
  for (const [ref, config] of Object.entries(asked)) endpoints[nameOf(ref === 'default' ? mode : ref)] = config;
  return endpoints;
}
