/**
 * What the Engine API door needs from the host, one small interface per router. Values arrive parsed; documents have
 * the newest wire shape, and the door turns them into the shape of the version that the client speaks.
 *
 * In all of them: `ref` is what a client typed (full ID, unique ID prefix or name). A thrown Failure becomes the HTTP
 * status of its kind, its message goes to the client word for word. `signal` aborts when the client has gone or the
 * host closes; what was begun is then undone or left whole.
 */
import type {
  BuildBackend,
  BuildHistoryBackend,
  CacheMountBackend,
  CacheTransferBackend,
  ClientCacheBackend,
} from './backend/build.ts';
import type {
  ExecBackend,
  ExportBackend,
  FileBackend,
  LogBackend,
  MonitorBackend,
} from './backend/container-details.ts';
import type { CommitBackend, ContainerBackend, PauseBackend } from './backend/containers.ts';
import type { ImageArchiveBackend, ImageBackend, InsightBackend } from './backend/images.ts';
import type { NetworkBackend, VolumeBackend } from './backend/networks.ts';
import type { RegistryBackend } from './backend/registry.ts';
import type { DiskUsageBackend, StoreCheckBackend, SystemBackend } from './backend/system.ts';

/** The parts of a host. A part that is absent is a capability that this host does not have: its routes answer 501. */
export interface Backends {
  readonly system: SystemBackend;
  readonly diskUsage?: DiskUsageBackend;
  readonly storeCheck?: StoreCheckBackend;
  readonly images?: ImageBackend;
  readonly insight?: InsightBackend;
  readonly registry?: RegistryBackend;
  readonly archives?: ImageArchiveBackend;
  readonly cacheTransfer?: CacheTransferBackend;
  readonly clientCaches?: ClientCacheBackend;
  readonly build?: BuildBackend;
  readonly buildHistory?: BuildHistoryBackend;
  readonly cacheMounts?: CacheMountBackend;
  readonly containers?: ContainerBackend;
  readonly commit?: CommitBackend;
  readonly pause?: PauseBackend;
  readonly logs?: LogBackend;
  readonly monitor?: MonitorBackend;
  readonly exports?: ExportBackend;
  readonly files?: FileBackend;
  readonly exec?: ExecBackend;
  readonly networks?: NetworkBackend;
  readonly volumes?: VolumeBackend;
}
