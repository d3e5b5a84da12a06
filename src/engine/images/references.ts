import type { ImageId } from '../../oci/digest.ts';
import { familiarName, familiarReference, type Reference, repositoryName } from '../../oci/reference.ts';
import type { ImageRecord } from '../../store/images.ts';
import type { Store } from '../../store/open-store.ts';

/** All names of an image, `repository:tag` and `repository@digest`, in Docker's order. */
export function referencesOf(store: Store, id: ImageId): Reference[] {
  return [...store.images.names.of(id), ...store.images.names.digestsOf(id)].sort((a, b) =>
    sortKey(a) < sortKey(b) ? -1 : 1,
  );
}

/** Neither named nor the base of another image. */
export function isDangling(store: Store, id: ImageId): boolean {
  return referencesOf(store, id).length === 0 && !store.images.isParent(id) && !store.images.platforms.has(id);
}

export function labelsOf(image: ImageRecord): Readonly<Record<string, string>> {
  return image.config.config?.Labels ?? {};
}

/** What an event about an image tells beside its ID. */
export function eventAttributes(image: ImageRecord, name: string): Record<string, string> {
  return { ...labelsOf(image), name };
}

function sortKey(reference: Reference): string {
  return repositoryName(reference) + familiarReference(reference).slice(familiarName(reference).length);
}
