import type { NetworkState } from '../host/network/network-state.ts';
import type { ImageId } from '../oci/digest.ts';
import type { ContainerConfig, EndpointConfig, HostConfig } from '../wire/container.ts';
import type { HealthState } from './health.ts';
import type { MadeTargets } from './mount-targets.ts';
import type { PlannedMount } from './mounts.ts';

/** What the next host needs to go on with a running container. */
export interface KeptState {
  readonly network: NetworkState;
  readonly health?: HealthState;
}

/** Where a container is in its life. Times are RFC 3339. */
export type ContainerPhase =
  /** Never ran; `error` and `exitCode` tell of a start that failed. */
  | { readonly status: 'created'; readonly error: string; readonly exitCode: number }
  | {
      readonly status: 'running' | 'paused';
      readonly pid: number;
      readonly startedAt: string;
      readonly targets: MadeTargets;
      /** Of a container that survives the host. */
      readonly kept?: KeptState;
    }
  | {
      /** `restarting` waits for its next start by the restart policy. */
      readonly status: 'exited' | 'restarting';
      readonly startedAt: string;
      readonly finishedAt: string;
      readonly exitCode: number;
      readonly oomKilled: boolean;
      readonly error: string;
      /** What the checks of its last run found. */
      readonly health?: HealthState;
    };

/** The document of a container in the store. */
export interface ContainerRecord {
  readonly created: string;
  readonly image: ImageId | undefined;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly endpoints: Readonly<Record<string, EndpointConfig | null>>;
  readonly mounts: readonly PlannedMount[];
  readonly phase: ContainerPhase;
  readonly restarts: number;
  /** Stopped by the user: `unless-stopped` does not start it again. */
  readonly stoppedByUser: boolean;
}

/** True for running and paused. */
export function isAlive(phase: ContainerPhase): phase is Extract<ContainerPhase, { pid: number }> {
  return phase.status === 'running' || phase.status === 'paused';
}

/** Exit code of the last run, 0 when there is none. */
export function exitCodeOf(phase: ContainerPhase): number {
  return isAlive(phase) ? 0 : phase.exitCode;
}
