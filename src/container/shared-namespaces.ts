import { Failure, isFailure } from '../lib/error.ts';
import type { ContainerConfig, HostConfig } from '../wire/container.ts';

/**
 * Refuses options that have no meaning in a namespace that another container or the host owns, in Docker's words. `asked`
 * is what the user stated, without what comes from the image. Returns warnings.
 */
export function checkSharedNamespaces(asked: ContainerConfig, host: HostConfig): string[] {
  const { NetworkMode: network = '', UTSMode: uts = '' } = host;
  const hasLinks = (host.Links ?? []).length > 0;
  const hasPorts = Object.keys(host.PortBindings ?? {}).length > 0 || host.PublishAllPorts;
  if (network === 'container:') throw invalid('invalid network mode: invalid container format container:<name|id>');
  if (network.startsWith('container:')) {
    if (asked.Hostname) throw conflict('hostname and the network mode');
    if (hasLinks)
      throw conflict("container type network can't be used with links. This would result in undefined behavior");
    if ((host.Dns ?? []).length > 0) throw conflict('dns and the network mode');
    if ((host.ExtraHosts ?? []).length > 0) throw conflict('custom host-to-IP mapping and the network mode');
    if (asked.MacAddress) throw conflict('mac-address and the network mode');
    if (hasPorts) throw conflict('port publishing and the container type network mode');
    if (Object.keys(asked.ExposedPorts ?? {}).length > 0)
      throw conflict('port exposing and the container type network mode');
  }
  if (uts === 'host' && asked.Hostname) throw conflict('hostname and the UTS mode');
  if (network !== 'host') return [];
  if (asked.MacAddress) throw conflict('mac-address and the network mode');
  if (hasLinks)
    throw conflict("host type networking can't be used with links. This would result in undefined behavior");
  return hasPorts ? ['Published ports are discarded when using host network mode'] : [];
}

/**
 * Refuses other containers that are not there; `find` throws for them. Said as a wrong option: clients take "not found" for
 * a missing image.
 */
export function checkReferences(host: HostConfig, find: (ref: string) => unknown): void {
  const check = (ref: string, before = '') => {
    try {
      find(ref);
    } catch (error) {
      throw isFailure(error, 'not-found') ? invalid(`${before}${error.message}`) : error;
    }
  };
  for (const mode of [host.IpcMode ?? '', host.PidMode ?? ''])
    if (mode.startsWith('container:')) check(mode.slice('container:'.length));
  for (const link of host.Links ?? []) {
    const [target = ''] = link.split(':');
    check(target, `could not get container for ${target}: `);
  }
}

function conflict(what: string): Failure {
  return invalid(`conflicting options: ${what}`);
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'OPTIONS_INVALID', message);
}
