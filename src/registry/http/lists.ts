import { MediaType } from '../../oci/media-type.ts';
import { Refusal } from '../codes.ts';
import { type ContentDigest, parseContentDigest } from '../content-digest.ts';
import type { Referrer } from '../metadata-store.ts';
import { parseTag } from '../names.ts';
import type { Registry } from '../registry.ts';
import { answerJson, cutPage, type Exchange, pageOf, type RepositoryExchange } from './exchange.ts';

const MOST_NAMES = 10_000;
const MOST_FOUND = 100;
const MOST_REFERRERS = 1_000;

/** Tags in the order of their bytes. https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags */
export async function listTags(registry: Registry, { repository, query, response }: RepositoryExchange): Promise<void> {
  const page = pageOf(query, MOST_NAMES);
  const tags = await registry.metadata.listTags(repository, { ...page, limit: page.limit + 1 });
  if (!tags) throw new Refusal('NAME_UNKNOWN', { detail: { name: repository } });
  const { shown, headers } = cutPage(`/v2/${repository}/tags/list`, page, tags, (tag) => tag);
  answerJson(response, 200, { name: repository, tags: shown }, headers);
}

/** Repositories in the order of their bytes, as Docker's registry lists them. */
export async function listRepositories(registry: Registry, { query, response, grant }: Exchange): Promise<void> {
  const page = pageOf(query, MOST_NAMES);
  const names = await registry.metadata.listRepositories({ ...page, limit: page.limit + 1 });
  const { shown, headers } = cutPage('/v2/_catalog', page, names, (name) => name);
  answerJson(response, 200, { repositories: shown.filter((name) => grant.mayPull(name)) }, headers);
}

/** Repositories whose names contain a word, in the form that `docker search` asks for. */
export async function searchRepositories(registry: Registry, { query, response, grant }: Exchange): Promise<void> {
  const term = (query.get('q') ?? '').toLowerCase().slice(0, 255);
  const { limit } = pageOf(query, MOST_FOUND);
  const names = await registry.metadata.listRepositories({ last: '', limit: MOST_NAMES }, term);
  const found = names.filter((name) => grant.mayPull(name)).slice(0, limit);
  const results = found.map((name) => ({
    name,
    description: '',
    star_count: 0,
    is_official: false,
    is_automated: false,
  }));
  answerJson(response, 200, { num_results: results.length, query: term, results });
}

/** What refers to a digest. https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers */
export async function listReferrers(registry: Registry, exchange: RepositoryExchange): Promise<void> {
  const { repository, query, response } = exchange;
  const digest = parseContentDigest(exchange.reference);
  const artifactType = query.get('artifactType') ?? undefined;
  const page = pageOf(query, MOST_REFERRERS);
  const stored = await registry.metadata.listReferrers(repository, digest, artifactType, {
    ...page,
    limit: page.limit + 1,
  });
  const filter = artifactType === undefined ? {} : { artifactType };
  const path = `/v2/${repository}/referrers/${digest}`;
  const { shown, headers } = cutPage(path, page, stored, (entry) => entry.digest, filter);
  const isFirst = page.last === '';
  const manifests = isFirst ? [...shown, ...(await fallbackEntries(registry, exchange, digest, shown))] : shown;
  const wanted = manifests.filter((entry) => artifactType === undefined || entry.artifactType === artifactType);
  answerJson(
    response,
    200,
    { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: wanted },
    {
      ...headers,
      'Content-Type': MediaType.ociIndex,
      ...(artifactType !== undefined && { 'OCI-Filters-Applied': 'artifactType' }),
    },
  );
}

/**
 * Entries of the index that clients of registries without this list keep under a tag: after an import some may have no
 * `subject` that would have listed them.
 */
async function fallbackEntries(
  { metadata }: Registry,
  { repository }: RepositoryExchange,
  digest: ContentDigest,
  known: readonly Referrer[],
): Promise<Referrer[]> {
  const tag = parseTag(digest.replace(':', '-').slice(0, 128));
  const index = await metadata.findManifest(repository, tag);
  if (index?.mediaType !== MediaType.ociIndex) return [];
  // Read and checked when it was pushed: an index has a list of descriptors.
  const { manifests } = JSON.parse(Buffer.from(index.bytes).toString()) as { readonly manifests: readonly Referrer[] };
  const listed = new Set<string>(known.map((entry) => entry.digest));
  return manifests.filter((entry) => !listed.has(entry.digest));
}
