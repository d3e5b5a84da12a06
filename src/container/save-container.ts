import { isFailure, messageOf } from '../lib/error.ts';
import type { Log } from '../lib/log.ts';
import type { Store } from '../store/open-store.ts';
import type { Container } from './container.ts';

/**
 * Writes down a lasting container as it is now. On a full disk what has happened stays unwritten until the next change of the
 * container: it happened all the same.
 */
export function saveContainer(
  container: Container,
  { store, log }: { readonly store: Pick<Store, 'containers'>; readonly log: Log },
): void {
  if (!container.recorded) return;
  try {
    store.containers.update(container.id, container.record);
  } catch (error) {
    if (!isFailure(error, 'exhausted')) throw error;
    log.error('cannot write down a container', { container: container.id, why: messageOf(error) });
  }
}
