import { Failure } from '../../lib/error.ts';
import type { ContainerCreateBody, EndpointConfig, HostConfig, MountRequest } from '../../wire/container.ts';

/**
 * A request for a container as a client of API 1.`version` means it: what that version does not know has no effect, and
 * what it leaves out has the default of then. https://docs.docker.com/reference/api/engine/version-history/
 */
export function createBodyOf(body: ContainerCreateBody, version: number): ContainerCreateBody {
  const { HostConfig = {}, Healthcheck, NetworkingConfig, ...rest } = body;
  const { StartInterval, ...healthcheck } = Healthcheck ?? {};
  const check = version < 44 || StartInterval === undefined ? healthcheck : { ...healthcheck, StartInterval };
  const EndpointsConfig = Object.entries(NetworkingConfig?.EndpointsConfig ?? {}).map(
    ([name, endpoint]) => [name, endpoint && endpointOf(endpoint, version)] as const,
  );
  return {
    ...rest,
    ...(Healthcheck ? { Healthcheck: check } : {}),
    ...(NetworkingConfig ? { NetworkingConfig: { EndpointsConfig: Object.fromEntries(EndpointsConfig) } } : {}),
    HostConfig: hostConfigOf(HostConfig, version),
  };
}

/** The same for settings of a container in one network. */
export function endpointOf(
  { GwPriority = 0, MacAddress = '', ...rest }: EndpointConfig,
  version: number,
): EndpointConfig {
  return {
    ...rest,
    ...(MacAddress !== '' && version >= 44 ? { MacAddress } : {}),
    ...(GwPriority !== 0 && version >= 48 ? { GwPriority } : {}),
  };
}

function hostConfigOf(host: HostConfig, version: number): HostConfig {
  const { ConsoleSize, Annotations, Mounts, ...rest } = host;
  return {
    ...rest,
    ...(ConsoleSize && version >= 42 ? { ConsoleSize } : {}),
    ...(Annotations && version >= 43 ? { Annotations } : {}),
    ...(version < 40 && !host.IpcMode ? { IpcMode: 'shareable' } : {}),
    ...(version < 25 ? { AutoRemove: false } : {}), // clients removed it by themselves
    ...(Mounts ? { Mounts: Mounts.map((mount) => mountOf(mount, version)) } : {}),
  };
}

function mountOf(mount: MountRequest, version: number): MountRequest {
  const { BindOptions, VolumeOptions, TmpfsOptions } = mount;
  if (mount.Type === 'image' && version < 48)
    throw new Failure('invalid', 'API_TOO_OLD', 'Mount type "Image" needs API v1.48 or newer');
  return {
    ...mount,
    ...(BindOptions ? { BindOptions: bindOptionsOf(BindOptions, version) } : {}),
    ...(VolumeOptions && version < 45 ? { VolumeOptions: { ...VolumeOptions, Subpath: '' } } : {}),
    ...(TmpfsOptions && version < 46 ? { TmpfsOptions: withoutOptions(TmpfsOptions) } : {}),
  };
}

function withoutOptions({ Options: _, ...rest }: NonNullable<MountRequest['TmpfsOptions']>) {
  return rest;
}

function bindOptionsOf(options: NonNullable<MountRequest['BindOptions']>, version: number) {
  const { NonRecursive = false } = options;
  return {
    ...options,
    ...(version < 40 ? { NonRecursive: false } : {}),
    ...(version < 42 ? { CreateMountpoint: false } : {}),
    // What lies below a mount was never read-only then.
    ...(version < 44 ? { ReadOnlyNonRecursive: NonRecursive, ReadOnlyForceRecursive: false } : {}),
  };
}
