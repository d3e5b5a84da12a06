import type { ValueOf } from '../../../lib/protobuf.ts';
import { hostPlatform } from '../../../oci/platform.ts';
import type { NetworkBackend } from '../../backend/networks.ts';
import type { SystemBackend } from '../../backend/system.ts';
import type { buildKitVersion, workerRecord } from '../shapes/worker.ts';

/** The host as BuildKit's clients see it, which call who builds a worker. */
export interface WorkerParts {
  readonly system: SystemBackend;
  readonly networks?: NetworkBackend | undefined;
}

/** Names of labels in which clients look for what a host can do. */
const LABEL = 'org.mobyproject.buildkit.worker.';

/** The one worker that a host is. */
export async function worker(parts: WorkerParts, signal: AbortSignal): Promise<ValueOf<typeof workerRecord>> {
  const [info, version, gateway] = await Promise.all([
    parts.system.info(),
    workerVersion(parts),
    hostGateway(parts.networks, signal),
  ]);
  const { os, architecture } = hostPlatform();
  return {
    id: info.ID,
    labels: new Map([
      [`${LABEL}executor`, info.DefaultRuntime],
      [`${LABEL}hostname`, info.Name],
      // By this one clients know that results leave as OCI layouts too, and caches to registries.
      [`${LABEL}snapshotter`, 'overlayfs'],
      ...(gateway === undefined ? [] : [[`${LABEL}moby.host-gateway-ip`, gateway] as const]),
    ]),
    platforms: [{ os, architecture, variant: '' }],
    buildKitVersion: version,
  };
}

export async function workerVersion({ system }: WorkerParts): Promise<ValueOf<typeof buildKitVersion>> {
  const { Version, GitCommit } = await system.version();
  return { package: 'strake', version: `v${Version}`, revision: GitCommit };
}

/** What `--add-host name:host-gateway` means. */
async function hostGateway(networks: NetworkBackend | undefined, signal: AbortSignal): Promise<string | undefined> {
  const bridge = await networks?.inspect('bridge', { signal });
  return bridge?.IPAM.Config?.[0]?.Gateway;
}
