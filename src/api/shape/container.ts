/** Containers as older API versions show and take them. https://docs.docker.com/reference/api/engine/version-history/ */
import { Failure } from '../../lib/error.ts';
import type {
  ContainerCreateBody,
  ContainerInspect,
  ContainerSummary,
  EndpointConfig,
  EndpointSettings,
} from '../../wire/container.ts';

type EndpointShape = Omit<EndpointSettings, 'DNSNames' | 'GwPriority'> &
  Partial<Pick<EndpointSettings, 'DNSNames' | 'GwPriority'>>;

export type ContainerInspectShape = Omit<ContainerInspect, 'NetworkSettings'> & {
  NetworkSettings: Omit<ContainerInspect['NetworkSettings'], 'Networks'> & { Networks: Record<string, EndpointShape> };
};

export type ContainerSummaryShape = Omit<ContainerSummary, 'NetworkSettings'> & {
  NetworkSettings: { Networks: Record<string, EndpointShape> };
};

/** An inspected container for a client of API 1.`version`. */
export function shapeContainerInspect(container: ContainerInspect, version: number): ContainerInspectShape {
  const { Networks } = container.NetworkSettings;
  const shaped = shapeNetworks(Networks, container.Id, version);
  return { ...container, NetworkSettings: { ...container.NetworkSettings, Networks: shaped } };
}

/** A row of the container list for a client of API 1.`version`. */
export function shapeContainerSummary(row: ContainerSummary, version: number): ContainerSummaryShape {
  return { ...row, NetworkSettings: { Networks: shapeNetworks(row.NetworkSettings.Networks, row.Id, version) } };
}

/** Before 1.44 a container was made on one network at most. */
export function checkEndpoints({ NetworkingConfig }: ContainerCreateBody, version: number): void {
  const names = Object.keys(NetworkingConfig?.EndpointsConfig ?? {});
  if (version >= 44 || names.length <= 1) return;
  const message = `Container cannot be connected to network endpoints: ${names.sort().join(', ')}`;
  throw new Failure('invalid', 'ENDPOINTS', message);
}

const PREDEFINED = ['bridge', 'host', 'none'];

/** The short ID was one of the aliases before 1.45; clients look for it there. */
function shapeNetworks(
  networks: Readonly<Record<string, EndpointSettings>>,
  id: string,
  version: number,
): Record<string, EndpointShape> {
  const shape = (name: string, { DNSNames, GwPriority, ...endpoint }: EndpointSettings): EndpointShape => ({
    ...endpoint,
    ...(version < 45 && !PREDEFINED.includes(name) ? { Aliases: withShortId(endpoint, id) } : {}),
    ...(version < 44 ? {} : { DNSNames }),
    ...(version < 48 ? {} : { GwPriority }),
  });
  return Object.fromEntries(Object.entries(networks).map(([name, endpoint]) => [name, shape(name, endpoint)]));
}

function withShortId({ Aliases }: EndpointConfig, id: string): string[] {
  const short = id.slice(0, 12);
  return (Aliases ?? []).includes(short) ? [...(Aliases ?? [])] : [...(Aliases ?? []), short];
}
