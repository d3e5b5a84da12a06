import { Failure } from '../../lib/error.ts';
import { type ImageId, shortId } from '../../oci/digest.ts';
import type { ImageNeeds } from './image-needs.ts';
import { referencesOf } from './references.ts';

/** Why an image cannot be removed, in Docker's words. */
export interface RemoveConflict {
  readonly failure: Failure;
  /** A container or running work is the reason. */
  readonly isUsed: boolean;
}

/**
 * The first reason not to remove an image. Children, running containers and running builds always are one; names and stopped
 * containers only without `force`, names only when `names` asks.
 */
export function conflictOf(
  needs: ImageNeeds,
  id: ImageId,
  options: { readonly force: boolean; readonly names: boolean },
): RemoveConflict | undefined {
  const reason = (force: 'cannot be forced' | 'must be forced', why: string, isUsed = false) => ({
    failure: conflict(`unable to delete ${shortId(id)} (${force}) - ${why}`),
    isUsed,
  });
  const using = (state: string, user: string) => `image is being used by ${state} container ${user.slice(0, 12)}`;
  if (needs.store.images.isParent(id)) return reason('cannot be forced', 'image has dependent child images');
  const users = needs.containersOf(id);
  const running = users.find((user) => user.running);
  if (running) return reason('cannot be forced', using('running', running.id), true);
  if (needs.store.leases.isImageHeld(id))
    return reason('cannot be forced', 'image is being used by a running build or pull', true);
  if (options.force) return undefined;
  if (options.names && referencesOf(needs.store, id).length > 0)
    return reason('must be forced', 'image is referenced in multiple repositories');
  const stopped = users[0];
  return stopped && reason('must be forced', using('stopped', stopped.id), true);
}

export function conflict(text: string): Failure {
  return new Failure('conflict', 'IMAGE_IN_USE', `conflict: ${text}`);
}
