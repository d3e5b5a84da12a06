import { Failure } from '../../lib/error.ts';
import type { ImageId } from '../../oci/digest.ts';
import { familiarReference, type Reference, withDefaultTag } from '../../oci/reference.ts';
import type { ImageNeeds } from './image-needs.ts';
import { eventAttributes } from './references.ts';

/**
 * POST /images/{name}/tag: gives an image one more name; an image that had the name before loses it. What a tag is besides
 * its image, the new one is too: an index for several platforms, the form in which it is pushed.
 */
export function tagImage(needs: ImageNeeds, name: string, target: Reference): void {
  const { images } = needs.store;
  const { id } = images.resolve(name);
  const meaning = images.names.interpret(name);
  const reference = meaning.id === undefined ? meaning.reference : undefined;
  needs.store.transaction(() => {
    const isTag = reference !== undefined && reference.digest === undefined && images.names.find(reference) === id;
    const members = isTag ? images.platforms.indexOf(reference) : [];
    const form = isTag ? images.forms.of(reference) : undefined;
    giveName(needs, id, target);
    if (members.length > 0) images.platforms.setIndex(withDefaultTag(target), members);
    if (form) images.forms.set(withDefaultTag(target), form);
  });
}

/** Gives `target` (tag `latest` when it has none) to an image and tells the event log. */
export function giveName({ store, emit }: ImageNeeds, id: ImageId, target: Reference): void {
  checkTarget(target);
  const reference = withDefaultTag(target);
  store.images.names.tag(reference, id);
  emit({
    type: 'image',
    action: 'tag',
    id,
    attributes: eventAttributes(store.images.demand(id), familiarReference(reference)),
  });
}

/** Refuses a name that no image can have. */
export function checkTarget(target: Reference): void {
  if (target.digest !== undefined)
    throw new Failure('invalid', 'TAG_WITH_DIGEST', 'refusing to create a tag with a digest reference');
  if (target.path === 'library/sha256')
    throw new Failure('invalid', 'TAG_AMBIGUOUS', 'refusing to create an ambiguous tag using digest algorithm as name');
  if (target.registry === 'docker.io' && target.path === 'library/scratch')
    throw new Failure('invalid', 'SCRATCH_RESERVED', "'scratch' is a reserved name");
}
