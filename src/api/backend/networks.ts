import type { Filters } from '../../wire/filters.ts';
import type { NetworkConnectBody, NetworkCreateBody, NetworkInspect, NetworksPruned } from '../../wire/network.ts';
import type { VolumeCreateBody, VolumeInspect } from '../../wire/volume.ts';
import type { CallOptions } from './call.ts';

export interface NetworkBackend {
  list(options: CallOptions & { readonly filters: Filters }): Promise<NetworkInspect[]>;
  inspect(ref: string, options: CallOptions): Promise<NetworkInspect>;
  /** What `host-gateway` means in `--add-host`. */
  hostGateway(options: CallOptions): Promise<string>;
  create(body: NetworkCreateBody, options: CallOptions): Promise<{ Id: string; Warning: string }>;
  connect(ref: string, body: NetworkConnectBody, options: CallOptions): Promise<void>;
  disconnect(ref: string, container: string, options: CallOptions & { readonly force: boolean }): Promise<void>;
  remove(ref: string, options: CallOptions): Promise<void>;
  prune(options: CallOptions & { readonly filters: Filters }): Promise<NetworksPruned>;
}

export interface VolumeBackend {
  list(
    options: CallOptions & { readonly filters: Filters },
  ): Promise<{ Volumes: VolumeInspect[]; Warnings: string[] | null }>;
  inspect(name: string, options: CallOptions): Promise<VolumeInspect>;
  create(body: VolumeCreateBody, options: CallOptions): Promise<VolumeInspect>;
  remove(name: string, options: CallOptions & { readonly force: boolean }): Promise<void>;
  /** Anonymous ones only, unless `all`. */
  prune(
    options: CallOptions & { readonly filters: Filters; readonly all: boolean },
  ): Promise<{ VolumesDeleted: string[]; SpaceReclaimed: number }>;
}
