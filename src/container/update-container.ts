import type { HostConfig } from '../wire/container.ts';
import type { Container } from './container.ts';
import type { LifecycleNeeds } from './lifecycle.ts';
import { normaliseHostConfig, resourcesOf } from './options.ts';
import { isAlive } from './record.ts';

/** Changes limits and the restart policy; unset values stay; call it in turn. Returns warnings. */
export async function updateContainer(
  container: Container,
  changes: HostConfig,
  needs: Pick<LifecycleNeeds, 'runtime' | 'cgroups' | 'save' | 'emit'>,
  options: { readonly signal: AbortSignal },
): Promise<string[]> {
  const stated = Object.fromEntries(Object.entries(changes).filter(([, value]) => value)) as HostConfig; // a subset
  const { hostConfig, warnings } = normaliseHostConfig({ ...container.record.hostConfig, ...stated }, needs.cgroups);
  if (isAlive(container.record.phase))
    await needs.runtime.update(container.id, resourcesOf(hostConfig, needs.cgroups), options);
  container.record = { ...container.record, hostConfig };
  needs.save(container);
  needs.emit(container, 'update');
  return warnings;
}
