import type { ImageId } from '../../oci/digest.ts';
import { familiarReference } from '../../oci/reference.ts';
import type { ImageRecord } from '../../store/images.ts';
import { usage } from '../../store/usage.ts';
import type { Filters } from '../../wire/filters.ts';
import type { ImageSummary } from '../../wire/image.ts';
import { danglingFilter, matchesLabels, referenceFilter, untilFilter } from './image-filters.ts';
import type { ImageNeeds } from './image-needs.ts';
import { referencesOf } from './references.ts';
import { unixSeconds } from './times.ts';

export interface ListQuery {
  /** With images that only are the base of others, or the build cache's. */
  readonly all: boolean;
  /** dangling, label, label!, before, since, until, reference. */
  readonly filters: Filters;
  /** Computes SharedSize, which is -1 otherwise. */
  readonly sharedSize: boolean;
}

/** GET /images/json: newest first. */
export function listImages(needs: ImageNeeds, query: ListQuery): ImageSummary[] {
  const { store } = needs;
  const dangling = danglingFilter(query.filters);
  const isWanted = referenceFilter(query.filters);
  const matches = makeMatcher(needs, query.filters);
  const shared = query.sharedSize ? sharedSizes(needs) : undefined;
  const cached = query.all ? undefined : new Set(store.cacheSpace.stepImages(undefined));

  return store.images.list().flatMap((image): ImageSummary[] => {
    if (cached?.has(image.id) || !matches(image)) return [];
    const isParent = store.images.isParent(image.id);
    if (dangling === true && isParent) return [];
    const references = referencesOf(store, image.id).filter((reference) => isWanted?.(reference) ?? true);
    const tags = references.filter((reference) => reference.digest === undefined);
    if (references.length === 0) {
      if (store.images.platforms.has(image.id) && (!query.all || dangling === true)) return [];
      if (isWanted || dangling === false || (isParent && !query.all)) return [];
    } else if (dangling === true && tags.length > 0) return [];
    return [
      {
        Id: image.id,
        ParentId: image.parent ?? '',
        RepoTags: tags.map(familiarReference),
        RepoDigests: references.filter((reference) => reference.digest !== undefined).map(familiarReference),
        Created: unixSeconds(image.config.created),
        Size: image.size,
        SharedSize: shared?.get(image.id) ?? -1,
        Labels: image.config.config?.Labels ?? null,
        Containers: needs.containersOf(image.id).length,
      },
    ];
  });
}

function makeMatcher(needs: ImageNeeds, filters: Filters): (image: ImageRecord) => boolean {
  const createdOf = (name: string) => needs.store.images.resolve(name).created;
  const before = [...(filters['before'] ?? []).map(createdOf), ...[untilFilter(filters) ?? []].flat()];
  const since = (filters['since'] ?? []).map(createdOf);
  return (image) =>
    before.every((time) => image.created < time) &&
    since.every((time) => image.created > time) &&
    matchesLabels(filters, image.config.config?.Labels ?? {});
}

/** What is left of an image's size without the bytes that would go with it. */
function sharedSizes(needs: ImageNeeds): Map<ImageId, number> {
  return new Map(usage(needs.store).images.map(({ id, size, unique }) => [id, size - unique]));
}
