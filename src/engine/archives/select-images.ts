import type { ImageId } from '../../oci/digest.ts';
import type { Platform } from '../../oci/platform.ts';
import { familiarReference, parseReference, type Reference } from '../../oci/reference.ts';
import type { ImageRecord } from '../../store/images.ts';
import type { Store } from '../../store/open-store.ts';

export interface SelectedImage {
  readonly image: ImageRecord;
  /** The `repository:tag` names under which it was asked for. */
  readonly names: readonly Reference[];
  /** What it is for in an index. */
  readonly platform?: Platform;
}

/**
 * The images that the arguments of `save` mean, each once, in the order of the arguments: a repository means all its tags,
 * an ID or a digest an image without its names. Throws `not-found` IMAGE_NOT_FOUND for the first one that is unknown.
 */
export function selectImages(store: Store, texts: readonly string[]): SelectedImage[] {
  const chosen = new Map<ImageId, { image: ImageRecord; names: Map<string, Reference> }>();
  for (const text of texts)
    for (const { id, name } of meant(store, text)) {
      const one = chosen.get(id) ?? { image: store.images.demand(id), names: new Map() };
      if (name) one.names.set(familiarReference(name), name);
      chosen.set(id, one);
    }
  return [...chosen.values()].map(({ image, names }) => ({ image, names: [...names.values()] }));
}

function* meant(store: Store, text: string): Generator<{ id: ImageId; name?: Reference }> {
  const { names } = store.images;
  if (names.interpret(text).id === undefined) {
    const reference = parseReference(text);
    if (reference.tag === undefined && reference.digest === undefined) {
      const tags = names.inRepository(reference);
      if (tags.length > 0) return yield* tags.map(({ tag, image }) => ({ id: image, name: { ...reference, tag } }));
    } else if (reference.digest === undefined) {
      const id = names.find(reference);
      if (id !== undefined) return yield { id, name: reference };
    }
  }
  yield { id: store.images.resolve(text).id };
}
