import { Failure, isFailure } from '../lib/error.ts';
import type { HostConfig } from '../wire/container.ts';
import type { Container } from './container.ts';
import type { LifecycleNeeds } from './lifecycle.ts';
import { checkCpus, normaliseHostConfig, resourcesOf } from './options.ts';
import { isAlive } from './record.ts';

/** As many as the kernel can have: not every runtime can take a limit away. */
const PIDS_UNLIMITED = 4_194_304;

/** Changes limits and the restart policy, those that are stated; call it in turn. Returns warnings. */
export async function updateContainer(
  container: Container,
  changes: HostConfig,
  needs: Pick<LifecycleNeeds, 'runtime' | 'cgroups' | 'save' | 'emit'>,
  options: { readonly signal: AbortSignal },
): Promise<string[]> {
  const before = container.record.hostConfig;
  checkCpus(changes);
  refuseConflicts(container, changes);
  const { hostConfig, warnings } = normaliseHostConfig({ ...before, ...changes }, needs.cgroups);
  const noLimit = (changes.PidsLimit ?? 0) < 0;
  if (noLimit) hostConfig.PidsLimit = 0;
  if (isAlive(container.record.phase)) {
    const resources = { ...resourcesOf(hostConfig, needs.cgroups), ...(noLimit ? { pids: PIDS_UNLIMITED } : {}) };
    try {
      await needs.runtime.update(container.id, resources, options);
    } catch (error) {
      throw isFailure(error) && error.kind !== 'cancelled' ? refusal(container, error.message) : error;
    }
  }
  container.record = { ...container.record, hostConfig };
  needs.save(container);
  needs.emit(container, 'update');
  return warnings;
}

/** Changes that do not go with what stays. */
function refuseConflicts(container: Container, changes: HostConfig): void {
  const { hostConfig } = container.record;
  const { NanoCpus: nano, MemorySwap: swap = 0 } = hostConfig;
  if (changes.RestartPolicy && changes.RestartPolicy.Name !== 'no' && hostConfig.AutoRemove)
    throw refusal(container, 'Restart policy cannot be updated because AutoRemove is enabled for the container');
  if (changes.Memory && swap > 0 && changes.Memory > swap && !changes.MemorySwap)
    throw refusal(
      container,
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    );
  for (const [field, what] of [
    ['CpuPeriod', 'CPU Period'],
    ['CpuQuota', 'CPU Quota'],
  ] as const) {
    if (changes[field] && nano)
      throw refusal(container, `Conflicting options: ${what} cannot be updated as NanoCPUs has already been set`);
    if (changes.NanoCpus && hostConfig[field])
      throw refusal(container, `Conflicting options: Nano CPUs cannot be updated as ${what} has already been set`);
  }
}

function refusal(container: Container, message: string): Failure {
  return new Failure('conflict', 'UPDATE_REFUSED', `Cannot update container ${container.id}: ${message}`);
}
