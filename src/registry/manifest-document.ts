import { MANIFEST_LIMIT } from '../oci/manifest.ts';
import { MediaType } from '../oci/media-type.ts';
import { Refusal } from './codes.ts';
import { type Algorithm, type ContentDigest, contentDigestOf, isContentDigest } from './content-digest.ts';

/** A manifest as the registry needs it: its exact bytes, and what they name. */
export interface ManifestDocument {
  readonly digest: ContentDigest;
  readonly mediaType: string;
  readonly bytes: Buffer;
  /** Config and layers, each once. */
  readonly blobs: readonly NamedBlob[];
  /** Entries of an index, each once. */
  readonly manifests: readonly ContentDigest[];
  readonly subject: ContentDigest | undefined;
  /** What a list of referrers says of it. */
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

export interface NamedBlob {
  readonly digest: ContentDigest;
  /** Bytes. */
  readonly size: number;
  /** Whether it may be missing: a layer that is kept elsewhere. */
  readonly isElsewhere: boolean;
}

/** Withdrawn before the image specification 1.1; some clients have pushed it. */
export const ARTIFACT_MANIFEST = 'application/vnd.oci.artifact.manifest.v1+json';
const ENTRY_LIMIT = 10_000;

/**
 * Reads the bytes of a PUT. `contentType` is what the request calls them. Throws MANIFEST_INVALID that says why.
 * https://github.com/opencontainers/image-spec/blob/main/manifest.md
 */
export function readManifest(bytes: Buffer, contentType: string | undefined, algorithm: Algorithm): ManifestDocument {
  if (bytes.length > MANIFEST_LIMIT) throw tooLarge();
  const document = parse(bytes);
  const mediaType = mediaTypeOf(document, contentType?.replace(/;.*/s, '').trim());
  const isIndex = mediaType === MediaType.ociIndex || mediaType === MediaType.dockerList;
  if (mediaType !== ARTIFACT_MANIFEST && document['schemaVersion'] !== 2) throw invalid('schemaVersion is not 2');
  // A document that reads differently as the one and as the other has two meanings under one digest.
  if (isIndex && ('layers' in document || 'config' in document)) throw invalid('an index with "config" or "layers"');
  if (!isIndex && 'manifests' in document) throw invalid('an image manifest with "manifests"');
  const artifactType = optionalText(document['artifactType'], 'artifactType');
  const config = !isIndex && mediaType !== ARTIFACT_MANIFEST ? descriptor(document['config'], 'config') : undefined;
  return {
    digest: contentDigestOf(bytes, algorithm),
    mediaType,
    bytes,
    blobs: blobsOf(document, mediaType, config),
    manifests: isIndex ? entriesOf(document) : [],
    subject: document['subject'] === undefined ? undefined : descriptor(document['subject'], 'subject').digest,
    // https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
    artifactType: artifactType || config?.mediaType,
    annotations: annotationsOf(document['annotations']),
  };
}

export function tooLarge(): Refusal {
  return new Refusal('MANIFEST_INVALID', {
    message: `the manifest is over the limit of ${MANIFEST_LIMIT} bytes`,
    status: 413,
  });
}

type Document = Readonly<Record<string, unknown>>;

const KNOWN: ReadonlySet<string> = new Set([
  MediaType.ociManifest,
  MediaType.ociIndex,
  MediaType.dockerManifest,
  MediaType.dockerList,
  ARTIFACT_MANIFEST,
]);

function mediaTypeOf(document: Document, contentType: string | undefined): string {
  const stated = optionalText(document['mediaType'], 'mediaType');
  if (document['schemaVersion'] === 1 || contentType?.startsWith('application/vnd.docker.distribution.manifest.v1+'))
    throw invalid('manifests of the old schema 1 are not taken: push with a current client');
  const told = contentType !== undefined && KNOWN.has(contentType) ? contentType : undefined;
  if (told !== undefined && stated !== undefined && told !== stated)
    throw invalid(`the request calls the manifest ${told}, the manifest itself says ${stated}`);
  const mediaType = told ?? stated ?? contentType;
  if (mediaType === undefined || !KNOWN.has(mediaType)) throw invalid(`unsupported media type "${mediaType ?? ''}"`);
  return mediaType;
}

function blobsOf(document: Document, mediaType: string, config: Descriptor | undefined): NamedBlob[] {
  if (mediaType === MediaType.ociIndex || mediaType === MediaType.dockerList) return [];
  const isArtifact = mediaType === ARTIFACT_MANIFEST;
  const layers = isArtifact ? list(document['blobs'] ?? [], 'blobs') : list(document['layers'], 'layers');
  const blobs = new Map<ContentDigest, NamedBlob>();
  for (const blob of [...(config ? [config] : []), ...layers.map((entry) => descriptor(entry, 'a layer'))]) {
    const known = blobs.get(blob.digest);
    if (known && known.size !== blob.size) throw invalid(`it gives two sizes for ${blob.digest}`);
    if (!known || known.isElsewhere) blobs.set(blob.digest, blob);
  }
  return [...blobs.values()];
}

interface Descriptor extends NamedBlob {
  readonly mediaType: string;
}

function descriptor(value: unknown, what: string): Descriptor {
  const { digest, mediaType, size, urls } = object(value, what);
  if (typeof digest !== 'string' || !isContentDigest(digest)) throw invalid(`${what} has no valid digest`);
  if (typeof mediaType !== 'string' || mediaType === '') throw invalid(`${what} has no mediaType`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalid(`${what} has no valid size`);
  const isElsewhere = (Array.isArray(urls) && urls.length > 0) || /\.(foreign|nondistributable)\./.test(mediaType);
  return { digest, mediaType, size, isElsewhere };
}

function annotationsOf(value: unknown): Readonly<Record<string, string>> | undefined {
  if (value === undefined) return undefined;
  const annotations = object(value, 'annotations');
  for (const [name, text] of Object.entries(annotations))
    if (typeof text !== 'string') throw invalid(`annotation "${name.slice(0, 100)}" is not text`);
  return annotations as Readonly<Record<string, string>>; // every value was just looked at
}

function parse(bytes: Buffer): Document {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw invalid('it is not JSON in UTF-8');
  }
  return object(value, 'the manifest');
}

function object(value: unknown, what: string): Document {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${what} is no JSON object`);
  return value as Document; // checked in the line above
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`it has no list "${what}"`);
  if (value.length > ENTRY_LIMIT) throw invalid(`it has ${value.length} ${what}, at most ${ENTRY_LIMIT} are taken`);
  return value;
}

function optionalText(value: unknown, what: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw invalid(`${what} is not text`);
}

function entriesOf(document: Document): ContentDigest[] {
  const entries = list(document['manifests'], 'manifests').map((entry) => descriptor(entry, 'an entry of the index'));
  return [...new Set(entries.filter(({ isElsewhere }) => !isElsewhere).map(({ digest }) => digest))];
}

function invalid(why: string): Refusal {
  return new Refusal('MANIFEST_INVALID', { message: `manifest invalid: ${why}` });
}
