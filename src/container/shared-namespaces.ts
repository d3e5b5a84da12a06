import { Failure, isFailure } from '../lib/error.ts';
import type { ContainerConfig, HostConfig } from '../wire/container.ts';
import { keptLink } from './links.ts';

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
  if (hasLinks) throw conflict(HOST_LINKS);
  return hasPorts ? ['Published ports are discarded when using host network mode'] : [];
}

/** A container that another one refers to. */
interface Other {
  readonly id: string;
  readonly record: { readonly hostConfig: Pick<HostConfig, 'NetworkMode'> };
}

/**
 * Names other containers by their IDs, which stay when they are renamed; `find` gives the container of a name or throws.
 * One that is not there is refused, as a wrong option: clients take "not found" for a missing image. Only the owner of a
 * network may come later, before the start.
 */
export function withContainerIds(host: HostConfig, find: (ref: string) => Other): HostConfig {
  const findOther = (ref: string, before = '') => {
    try {
      return find(ref);
    } catch (error) {
      throw isFailure(error, 'not-found') ? invalid(`${before}${error.message}`) : error;
    }
  };
  const modeOf = (mode: string) =>
    mode.startsWith(OTHER) ? `${OTHER}${findOther(mode.slice(OTHER.length)).id}` : mode;
  const networkOf = (mode: string) => {
    try {
      return modeOf(mode);
    } catch (error) {
      if (isFailure(error, 'invalid')) return mode;
      throw error;
    }
  };
  const linkedTo = (target: string) => {
    const { id, record } = findOther(target, `could not get container for ${target}: `);
    if (record.hostConfig.NetworkMode === 'host') throw conflict(HOST_LINKS);
    return id;
  };
  const { IpcMode, PidMode, NetworkMode, Links } = host;
  const links = Links?.map((link) => keptLink(link, linkedTo));
  return {
    ...host,
    ...(links === undefined ? {} : { Links: links }),
    ...(IpcMode === undefined ? {} : { IpcMode: modeOf(IpcMode) }),
    ...(PidMode === undefined ? {} : { PidMode: modeOf(PidMode) }),
    ...(NetworkMode === undefined ? {} : { NetworkMode: networkOf(NetworkMode) }),
  };
}

const HOST_LINKS = "host type networking can't be used with links. This would result in undefined behavior";

/** What a mode begins with that names another container. */
const OTHER = 'container:';

function conflict(what: string): Failure {
  return invalid(`conflicting options: ${what}`);
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'OPTIONS_INVALID', message);
}
