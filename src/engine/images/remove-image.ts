import { type ImageId, shortId } from '../../oci/digest.ts';
import {
  familiarReference,
  parseReference,
  type Reference,
  repositoryName,
  withDefaultTag,
} from '../../oci/reference.ts';
import { collect } from '../../store/collect.ts';
import type { DeletedRow } from '../../wire/image.ts';
import type { EventSubject } from '../event-log.ts';
import type { ImageNeeds } from './image-needs.ts';
import { eventAttributes, isDangling, referencesOf } from './references.ts';
import { conflict, conflictOf } from './remove-conflict.ts';

export interface RemoveOptions {
  /** Removes also what stopped containers use, and an image with several names. */
  readonly force: boolean;
  /** Removes also nameless parents that nothing else needs. */
  readonly prune: boolean;
}

/**
 * DELETE /images/{name}, by Docker's rules. A name is taken away; with the last one the image goes, unless others need
 * it. An ID removes the image with its name, or with all of them when `force` is given. A refusal is a `conflict`
 * IMAGE_IN_USE and changes nothing. Layers that nothing needs any more leave the disk, and with them the build cache of
 * the steps that made them.
 */
export function removeImage(needs: ImageNeeds, name: string, options: RemoveOptions): DeletedRow[] {
  const rows = removeRecords(needs, name, options);
  collect(needs.store);
  return rows;
}

/** The same without the collection of layers. */
export function removeRecords(needs: ImageNeeds, name: string, options: RemoveOptions): DeletedRow[] {
  const { id } = needs.store.images.resolve(name);
  const { rows, events } = needs.store.freeing(() => {
    const rows: DeletedRow[] = [];
    const events: EventSubject[] = [];
    const quiet = { ...needs, emit: (event: EventSubject) => void events.push(event) };
    if (isIdPrefix(id, name)) {
      takeOnlyName(quiet, id, options, rows);
      removeUp(quiet, id, { ...options, isQuiet: false }, rows);
    } else if (takeName(quiet, id, name, options, rows)) {
      removeUp(quiet, id, { ...options, isQuiet: true }, rows);
    }
    return { rows, events };
  });
  for (const event of events) needs.emit(event);
  return rows;
}

/** Takes one name away. True when it was the last. */
function takeName(needs: ImageNeeds, id: ImageId, name: string, options: RemoveOptions, rows: DeletedRow[]): boolean {
  const { store } = needs;
  const [user] = needs.containersOf(id);
  if (!options.force && user && isSingle(referencesOf(store, id)))
    throw conflict(
      `unable to remove repository reference "${name}" (must force) - container ${user.id.slice(0, 12)} is using its referenced image ${shortId(id)}`,
    );
  if (!options.force && store.leases.isImageHeld(id) && isSingle(referencesOf(store, id)))
    throw conflict(
      `unable to remove repository reference "${name}" (must force) - a running build or pull is using its referenced image ${shortId(id)}`,
    );
  const reference = withDefaultTag(parseReference(name));
  untag(needs, reference, rows);
  emitUntag(needs, id);
  // Digests of a repository are known by its tags: they go with the last of them.
  const rest = referencesOf(store, id).filter((other) => repositoryName(other) === repositoryName(reference));
  if (reference.digest === undefined && rest.every((other) => other.digest !== undefined))
    for (const lone of rest) untag(needs, lone, rows);
  return referencesOf(store, id).length === 0;
}

/** Takes the names of an image away when they are one name: a tag and its digests. */
function takeOnlyName(needs: ImageNeeds, id: ImageId, options: RemoveOptions, rows: DeletedRow[]): void {
  const references = referencesOf(needs.store, id);
  if (!isSingle(references)) return;
  const found = conflictOf(needs, id, { force: options.force, names: false });
  if (found) throw found.failure;
  for (const reference of references) {
    untag(needs, reference, rows);
    emitUntag(needs, id);
  }
}

/** Removes an image, then its parents up to one that something needs. */
function removeUp(
  needs: ImageNeeds,
  id: ImageId,
  options: RemoveOptions & { readonly isQuiet: boolean },
  rows: DeletedRow[],
): void {
  const { store } = needs;
  for (let next: ImageId | undefined = id, walk = options; next; walk = { force: false, prune: true, isQuiet: true }) {
    const found = conflictOf(needs, next, { force: walk.force, names: true });
    if (found && walk.isQuiet && (found.isUsed || !isDangling(store, next))) return;
    if (found) throw found.failure;

    for (const reference of referencesOf(store, next)) {
      untag(needs, reference, rows);
      emitUntag(needs, next);
    }
    const image = store.images.demand(next);
    const chainIds = store.images.delete(next);
    for (const diffId of image.config.rootfs.diff_ids) {
      const use = store.layers.use(diffId);
      if (use.images + use.containers === 0) store.cache.forgetLayer(diffId);
    }
    needs.emit({ type: 'image', action: 'delete', id: next, attributes: { name: next } });
    for (const gone of [next, ...chainIds]) rows.push({ Deleted: gone });
    next = options.prune ? image.parent : undefined;
    if (!next && image.parent) store.cacheSpace.keepResult(image.parent); // wanted, though no build was for it
  }
}

function untag({ store }: ImageNeeds, reference: Reference, rows: DeletedRow[]): void {
  store.images.names.untag(reference);
  rows.push({ Untagged: familiarReference(reference) });
}

function emitUntag({ store, emit }: ImageNeeds, id: ImageId): void {
  emit({ type: 'image', action: 'untag', id, attributes: eventAttributes(store.images.demand(id), id) });
}

/** At most one tag, and no digest of another repository. */
function isSingle(references: readonly Reference[]): boolean {
  if (references.length <= 1) return true;
  const tags = references.filter((reference) => reference.digest === undefined);
  return tags.length <= 1 && new Set(references.map(repositoryName)).size === 1;
}

/** Whether the text was understood as an ID: Docker looks at nothing but this. */
function isIdPrefix(id: ImageId, text: string): boolean {
  return id.startsWith(text) || id.slice('sha256:'.length).startsWith(text);
}
