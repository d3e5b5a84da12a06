import type { HostConfig } from '../wire/container.ts';
import { type ContainerRecord, exitCodeOf } from './record.ts';

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 60_000;

/** After how many milliseconds a container that has exited starts again; undefined: it does not. */
export function restartDelay(record: ContainerRecord): number | undefined {
  const { Name = 'no', MaximumRetryCount = 0 }: NonNullable<HostConfig['RestartPolicy']> = record.hostConfig
    .RestartPolicy ?? { Name: 'no' };
  if (record.stoppedByUser || Name === 'no') return undefined;
  if (Name === 'on-failure') {
    if (exitCodeOf(record.phase) === 0) return undefined;
    if (MaximumRetryCount > 0 && record.restarts >= MaximumRetryCount) return undefined;
  }
  return Math.min(FIRST_DELAY_MS * 2 ** Math.min(record.restarts, 20), LONGEST_DELAY_MS);
}

/** Whether a container that is not running is to be started with the host; `on-failure` when it has failed. */
export function startsWithHost(record: ContainerRecord): boolean {
  const { Name = 'no' } = record.hostConfig.RestartPolicy ?? {};
  if (record.phase.status === 'created') return false;
  if (Name === 'on-failure') return restartDelay(record) !== undefined;
  return Name === 'always' || (Name === 'unless-stopped' && !record.stoppedByUser);
}
