import { messageOf } from '../lib/error.ts';
import type { Container } from './container.ts';
import type { LifecycleNeeds } from './lifecycle.ts';

const START_LIMIT_MS = 60_000;

export interface RestartNeeds extends Pick<LifecycleNeeds, 'save' | 'log'> {
  /** Called in turn. */
  readonly start: (container: Container, options: { readonly signal: AbortSignal }) => Promise<void>;
  /** Called when the start failed. */
  readonly failed: (container: Container) => void;
}

/** Starts a container that has exited again after `delay` milliseconds, unless it is stopped or removed meanwhile. */
export function restartLater(container: Container, delay: number, needs: RestartNeeds): void {
  const { phase } = container.record;
  if (phase.status !== 'exited') return;
  container.record = {
    ...container.record,
    phase: { ...phase, status: 'restarting' },
    restarts: container.record.restarts + 1,
  };
  needs.save(container);
  container.restartTimer = setTimeout(() => {
    const start = container.inTurn(async () => {
      if (container.record.phase.status === 'restarting')
        await needs.start(container, { signal: AbortSignal.timeout(START_LIMIT_MS) });
    });
    start.catch((error: unknown) => {
      needs.log.warn('cannot restart a container', { container: container.id, why: messageOf(error) });
      needs.failed(container);
    });
  }, delay);
}
