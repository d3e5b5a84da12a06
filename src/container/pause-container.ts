import { Failure } from '../lib/error.ts';
import type { Container } from './container.ts';
import { orNotRunning } from './ended-meanwhile.ts';
import type { LifecycleNeeds } from './lifecycle.ts';
import { isAlive } from './record.ts';

type PauseNeeds = Pick<LifecycleNeeds, 'runtime' | 'save' | 'emit'>;

/** Freezes a running container; call it in turn. */
export async function pauseContainer(
  container: Container,
  needs: PauseNeeds,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  if (!container.run && container.record.phase.status === 'restarting') {
    const message = `Container ${container.id} is restarting, wait until the container is running`;
    throw new Failure('conflict', 'CONTAINER_RESTARTING', message);
  }
  const run = container.running();
  if (container.record.phase.status === 'paused')
    throw new Failure('conflict', 'CONTAINER_PAUSED', `Container ${container.id} is already paused`);
  try {
    await needs.runtime.pause(container.id, options);
  } catch (error) {
    throw await orNotRunning(container, run, error);
  }
  setPaused(container, true, needs);
}

/** Lets a paused container go on; call it in turn. */
export async function unpauseContainer(
  container: Container,
  needs: PauseNeeds,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  if (container.record.phase.status !== 'paused')
    throw new Failure('conflict', 'NOT_PAUSED', `Container ${container.id} is not paused`);
  const run = container.running();
  try {
    await needs.runtime.resume(container.id, options);
  } catch (error) {
    throw await orNotRunning(container, run, error);
  }
  setPaused(container, false, needs);
}

function setPaused(container: Container, paused: boolean, needs: PauseNeeds): void {
  const { phase } = container.record;
  if (!isAlive(phase)) return; // it has ended meanwhile
  container.record = { ...container.record, phase: { ...phase, status: paused ? 'paused' : 'running' } };
  needs.save(container);
  needs.emit(container, paused ? 'pause' : 'unpause');
}
