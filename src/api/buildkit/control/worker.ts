import type { ValueOf } from '../../../lib/protobuf.ts';
import { hostPlatform } from '../../../oci/platform.ts';
import type { CallOptions } from '../../backend/call.ts';
import type { NetworkBackend } from '../../backend/networks.ts';
import type { SystemBackend } from '../../backend/system.ts';
import type { buildKitVersion, workerRecord } from '../shapes/worker.ts';

/** The host as BuildKit's clients see it, which call who builds a worker. */
export interface WorkerParts {
  readonly system: SystemBackend;
  readonly networks?: NetworkBackend | undefined;
}

type WorkerRecord = ValueOf<typeof workerRecord>;

/** Names of labels in which clients look for what a host can do. */
const LABEL = 'org.mobyproject.buildkit.worker.';

/** The one worker that a host is. */
export async function worker({ system }: WorkerParts): Promise<WorkerRecord> {
  const [info, version] = await Promise.all([system.info(), workerVersion({ system })]);
  const { os, architecture } = hostPlatform();
  return {
    id: info.ID,
    labels: new Map([
      [`${LABEL}executor`, info.DefaultRuntime],
      [`${LABEL}hostname`, info.Name],
      // By this one clients know that results leave as OCI layouts too, and caches to registries.
      [`${LABEL}snapshotter`, 'overlayfs'],
    ]),
    platforms: [{ os, architecture, variant: '' }],
    buildKitVersion: version,
  };
}

/** The same with what clients put in the place of `host-gateway`, if this host can have a bridge at all. */
export async function workerWithGateway(parts: WorkerParts, { signal }: CallOptions): Promise<WorkerRecord> {
  const [record, gateway] = await Promise.all([
    worker(parts),
    parts.networks?.hostGateway({ signal }).catch(() => undefined),
  ]);
  if (gateway === undefined) return record;
  return { ...record, labels: new Map([...record.labels, [`${LABEL}moby.host-gateway-ip`, gateway]]) };
}

export async function workerVersion({ system }: Pick<WorkerParts, 'system'>): Promise<ValueOf<typeof buildKitVersion>> {
  const { Version, GitCommit } = await system.version();
  return { package: 'strake', version: `v${Version}`, revision: GitCommit };
}
