import { MANIFEST_LIMIT } from '../../oci/manifest.ts';
import { fixedTag, Refusal } from '../codes.ts';
import { algorithmOf, type ContentDigest, parseContentDigest } from '../content-digest.ts';
import { ARTIFACT_MANIFEST, readManifest, tooLarge } from '../manifest-document.ts';
import { parseTag, type RepositoryName, type Tag } from '../names.ts';
import type { Registry } from '../registry.ts';
import { answer, type Headers, type RepositoryExchange } from './exchange.ts';
import { readBounded } from './request-body.ts';

const AT_ONCE = 64;

/** GET and HEAD of a manifest. https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests */
export async function getManifest(registry: Registry, exchange: RepositoryExchange): Promise<void> {
  const { repository, request, response } = exchange;
  const reference = parseReference(exchange.reference);
  const manifest = await (registry.mirror ?? registry.metadata).findManifest(repository, reference);
  if (!manifest) throw new Refusal('MANIFEST_UNKNOWN', { detail: { name: repository, reference } });
  const { digest, mediaType, bytes } = manifest;
  const etag = `"${digest}"`;
  if (request.headers['if-none-match'] === etag) return answer(response, 304, { ETag: etag });
  answer(
    response,
    200,
    { 'Content-Type': mediaType, 'Content-Length': bytes.length, 'Docker-Content-Digest': digest, ETag: etag },
    request.method === 'HEAD' ? undefined : bytes,
  );
}

/** PUT under a tag, under its digest, or under its digest with tags (`?tag=`, any number). */
export async function putManifest(registry: Registry, exchange: RepositoryExchange): Promise<void> {
  const { repository, request, response, query, grant } = exchange;
  const reference = parseReference(exchange.reference);
  const wanted = isDigestReference(reference) ? reference : undefined;
  const tags = wanted === undefined ? [parseTag(reference)] : query.getAll('tag').map(parseTag);
  const bytes = await readBounded(request, response, MANIFEST_LIMIT);
  if (!bytes) throw tooLarge();
  const manifest = readManifest(bytes, request.headers['content-type'], wanted ? algorithmOf(wanted) : 'sha256');
  if (wanted !== undefined && wanted !== manifest.digest)
    throw new Refusal('DIGEST_INVALID', { detail: { digest: wanted, computed: manifest.digest } });
  await registry.metadata.putManifest(repository, manifest, tags, { isFixed: fixedIn(registry, repository) });
  const { digest, mediaType } = manifest;
  registry.tell?.({ action: 'push', repository, digest, mediaType, size: bytes.length, tags, user: grant.user });
  response.setHeader('Location', `/v2/${repository}/manifests/${manifest.digest}`);
  if (wanted !== undefined && tags.length > 0) response.setHeader('OCI-Tag', tags);
  if (manifest.mediaType === ARTIFACT_MANIFEST)
    response.setHeader(
      'warning',
      `299 - "${ARTIFACT_MANIFEST} was withdrawn: use an image manifest with artifactType"`,
    );
  const subject: Headers = manifest.subject === undefined ? {} : { 'OCI-Subject': manifest.subject };
  answer(response, 201, { 'Docker-Content-Digest': manifest.digest, ...subject });
}

/** DELETE of a tag alone, or of a manifest with all its tags. */
export async function deleteManifest(registry: Registry, exchange: RepositoryExchange): Promise<void> {
  const { repository, response } = exchange;
  const { metadata, policy } = registry;
  const reference = parseReference(exchange.reference);
  const leaseEnd = Date.now() + policy.grace;
  const isFixed = fixedIn(registry, repository);
  if (!isDigestReference(reference) && isFixed(reference)) throw fixedTag(reference);
  const deleted = isDigestReference(reference)
    ? await metadata.deleteManifest(repository, reference, leaseEnd, isFixed)
    : await metadata.deleteTag(repository, reference, leaseEnd);
  if (!deleted) throw new Refusal('MANIFEST_UNKNOWN', { detail: { name: repository, reference } });
  tellDeleted(registry, exchange, reference);
  answer(response, 202, {});
}

function tellDeleted(
  registry: Registry,
  { repository, grant }: RepositoryExchange,
  reference: Tag | ContentDigest,
): void {
  const what = isDigestReference(reference)
    ? { digest: reference, tags: [] }
    : { digest: undefined, tags: [reference] };
  registry.tell?.({ action: 'delete', repository, ...what, mediaType: undefined, size: undefined, user: grant.user });
}

/** DELETE of everything in a repository. Nothing goes when one of its tags must not. */
export async function deleteRepository(registry: Registry, exchange: RepositoryExchange): Promise<void> {
  const { repository, response } = exchange;
  const { metadata, policy } = registry;
  const isFixed = fixedIn(registry, repository);
  const holdings = await metadata.listHoldings(repository);
  if (holdings.length === 0) throw new Refusal('NAME_UNKNOWN', { detail: { name: repository } });
  const fixed = holdings.flatMap(({ tags }) => tags).find(({ name }) => isFixed(name));
  if (fixed) throw fixedTag(fixed.name);
  const leaseEnd = Date.now() + policy.grace;
  // Some at once, which wait for the same sync of the disk.
  for (let from = 0; from < holdings.length; from += AT_ONCE)
    await Promise.all(
      holdings.slice(from, from + AT_ONCE).map(async ({ digest }) => {
        if (await metadata.deleteManifest(repository, digest, leaseEnd, isFixed))
          tellDeleted(registry, exchange, digest);
      }),
    );
  answer(response, 202, {});
}

const fixedIn =
  ({ policy }: Registry, repository: RepositoryName) =>
  (tag: string) =>
    policy.isFixed(repository, tag);

function parseReference(text: string): Tag | ContentDigest {
  return text.includes(':') ? parseContentDigest(text) : parseTag(text);
}

const isDigestReference = (reference: Tag | ContentDigest): reference is ContentDigest => reference.includes(':');
