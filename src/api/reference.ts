import { Failure } from '../lib/error.ts';
import { parseDigest } from '../oci/digest.ts';
import { isTag, parseReference, type Reference, withDefaultTag } from '../oci/reference.ts';

/** An image name from a `repo` and a `tag` parameter. `repo` may hold a tag itself, `tag` may be a digest. */
export function joinReference(repo: string, tag: string): Reference {
  const reference = parseReference(repo);
  if (tag === '') return reference;
  if (tag.includes(':')) return { ...reference, tag: undefined, digest: parseDigest(tag) };
  if (!isTag(tag)) throw new Failure('invalid', 'REFERENCE_INVALID', `invalid tag format "${tag}"`);
  return { ...reference, tag };
}

/** A name to give to an image: complete with tag, and without a digest. */
export function targetReference(repo: string, tag: string): Reference {
  const reference = withDefaultTag(joinReference(repo, tag));
  if (reference.digest !== undefined)
    throw new Failure('invalid', 'REFERENCE_INVALID', 'refusing to create a tag with a digest reference');
  return reference;
}

/** The same, when a name is optional. */
export function optionalTarget(repo: string, tag: string): Reference | undefined {
  return repo === '' ? undefined : targetReference(repo, tag);
}
