import { Failure } from '../lib/error.ts';
import type { Descriptor } from './descriptor.ts';
import { type Digest, digestOf, parseDigest } from './digest.ts';
import { MediaType } from './media-type.ts';
import type { Platform } from './platform.ts';

/** A layer as a manifest names it. `urls`: where else it can be had, for layers that registries do not keep. */
export interface LayerDescriptor extends Descriptor {
  readonly urls?: readonly string[];
  /** Not read back. */
  readonly annotations?: Annotations | undefined;
}

/** An image manifest: its exact bytes, which alone decide the digest, and a view of them. */
export interface ImageManifest extends Descriptor {
  readonly kind: 'manifest';
  readonly bytes: Buffer;
  readonly config: Descriptor;
  /** Bottom first. */
  readonly layers: readonly LayerDescriptor[];
}

export interface IndexEntry extends Descriptor {
  readonly platform: Platform | undefined;
  /** What is said of the entry; not read back. */
  readonly annotations?: Annotations | undefined;
}

export type Annotations = Readonly<Record<string, string>>;

/** How a manifest or an index is written. */
export interface ManifestStyle {
  /** OCI's media types, also where Docker's would do. */
  readonly oci?: boolean;
  readonly annotations?: Annotations | undefined;
}

/** An OCI index or a Docker manifest list: the same image for several platforms. */
export interface ImageIndex extends Descriptor {
  readonly kind: 'index';
  readonly bytes: Buffer;
  readonly manifests: readonly IndexEntry[];
}

/** What registries bound manifests to. https://github.com/opencontainers/distribution-spec/blob/main/spec.md */
export const MANIFEST_LIMIT = 4 << 20;
const ENTRY_LIMIT = 10_000;

/**
 * Reads a manifest or an index from its exact bytes. `contentType` is what the registry called it, or undefined; it must
 * not contradict the document. Schema 1 is `unsupported` MANIFEST_SCHEMA1, everything else that is no image manifest
 * `invalid` MANIFEST_INVALID.
 */
export function decodeManifest(bytes: Buffer, contentType: string | undefined): ImageManifest | ImageIndex {
  if (bytes.length > MANIFEST_LIMIT)
    throw invalid(`a manifest of ${bytes.length} bytes is over the limit of ${MANIFEST_LIMIT}`);
  const document = parseObject(bytes);
  const mediaType = mediaTypeOf(document, contentType?.replace(/;.*/, '').trim());
  const own: Descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  if (mediaType === MediaType.ociIndex || mediaType === MediaType.dockerList) {
    // A document that reads differently as the one and as the other has two meanings under one digest.
    if ('layers' in document || 'config' in document) throw invalid('an index must not have "config" or "layers"');
    return { ...own, kind: 'index', bytes, manifests: list(document['manifests'], 'manifests').map(indexEntry) };
  }
  if ('manifests' in document) throw invalid('an image manifest must not have "manifests"');
  const layers = list(document['layers'], 'layers').map(layerDescriptor);
  return { ...own, kind: 'manifest', bytes, config: descriptor(document['config'], 'config'), layers };
}

/** Writes a new manifest: Docker's schema 2, or OCI's when a layer has a compression that schema 2 does not know. */
export function encodeManifest(
  config: Omit<Descriptor, 'mediaType'>,
  layers: readonly LayerDescriptor[],
  style: ManifestStyle = {},
): ImageManifest {
  const oci = style.oci === true || layers.some((layer) => isZstdLayer(layer.mediaType));
  const mediaType = oci ? MediaType.ociManifest : MediaType.dockerManifest;
  const configMediaType = oci ? MediaType.ociConfig : MediaType.dockerConfig;
  const document = {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: configMediaType, size: config.size, digest: config.digest },
    layers: layers.map(({ mediaType: type, size, digest, urls, annotations }) => ({
      mediaType: oci ? ociLayerType(type) : dockerLayerType(type),
      size,
      digest,
      ...(urls && { urls }),
      ...(annotations && { annotations }),
    })),
    ...(style.annotations && { annotations: style.annotations }),
  };
  const bytes = Buffer.from(JSON.stringify(document, undefined, 3));
  return {
    kind: 'manifest',
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
    bytes,
    config: document.config,
    layers: document.layers,
  };
}

/** Writes a new index: Docker's manifest list when all that it names is Docker's schema 2, else OCI's. */
export function encodeIndex(entries: readonly IndexEntry[], { oci, annotations }: ManifestStyle = {}): ImageIndex {
  const isDocker = oci !== true && entries.every(({ mediaType }) => mediaType === MediaType.dockerManifest);
  const mediaType = isDocker ? MediaType.dockerList : MediaType.ociIndex;
  const manifests = entries.map(({ platform, ...descriptor }) => ({ ...descriptor, ...(platform && { platform }) }));
  const document = { schemaVersion: 2, mediaType, manifests, ...(annotations && { annotations }) };
  const bytes = Buffer.from(JSON.stringify(document, undefined, 3));
  return { kind: 'index', mediaType, digest: digestOf(bytes), size: bytes.length, bytes, manifests: entries };
}

/** The entry of an index for a platform: an exact match, else the same processor in its most general variant. */
export function chooseEntry(index: ImageIndex, wanted: Platform): IndexEntry | undefined {
  const fitting = index.manifests.filter(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  const variant = variantOf(wanted);
  return (
    fitting.find(({ platform }) => platform && variantOf(platform) === variant) ??
    (wanted.variant === undefined ? fitting[0] : fitting.find(({ platform }) => platform?.variant === undefined))
  );
}

export const isZstdLayer = (mediaType: string): boolean => mediaType.endsWith('+zstd') || mediaType.endsWith('.zstd');

/** Whether registries keep the layer elsewhere: it is had from its `urls` and not pushed. */
export const isForeignLayer = (mediaType: string): boolean =>
  /^application\/vnd\.(docker\.image\.rootfs\.foreign|oci\.image\.layer\.nondistributable)\./.test(mediaType);

/** Whether a config of this media type is that of an image; other artifacts use the same manifests. */
export const isImageConfig = (mediaType: string): boolean =>
  mediaType === MediaType.ociConfig || mediaType === MediaType.dockerConfig;

function variantOf({ architecture, variant }: Platform): string {
  return variant ?? (architecture === 'arm64' ? 'v8' : architecture === 'arm' ? 'v7' : '');
}

function ociLayerType(mediaType: string): string {
  if (mediaType === MediaType.dockerLayerGzip) return MediaType.ociLayerGzip;
  return mediaType === MediaType.dockerLayer ? MediaType.ociLayer : mediaType;
}

function dockerLayerType(mediaType: string): string {
  if (mediaType === MediaType.ociLayerGzip) return MediaType.dockerLayerGzip;
  return mediaType === MediaType.ociLayer ? MediaType.dockerLayer : mediaType;
}

function mediaTypeOf(document: Document, contentType: string | undefined): string {
  const stated = typeof document['mediaType'] === 'string' ? document['mediaType'] : undefined;
  if (document['schemaVersion'] === 1 || contentType?.startsWith('application/vnd.docker.distribution.manifest.v1+'))
    throw new Failure('unsupported', 'MANIFEST_SCHEMA1', 'the image has a manifest of the old schema 1', {
      hint: 'nothing writes that format since 2017: ask for the image to be pushed again by a current client',
    });
  const told = contentType !== undefined && KNOWN.has(contentType) ? contentType : undefined;
  if (stated !== undefined && told !== undefined && stated !== told)
    throw invalid(`the registry calls the manifest ${told}, the manifest itself says ${stated}`);
  const mediaType = told ?? stated ?? ('manifests' in document ? MediaType.ociIndex : MediaType.ociManifest);
  if (!KNOWN.has(mediaType))
    throw new Failure('unsupported', 'MANIFEST_UNSUPPORTED', `unsupported manifest media type "${mediaType}"`);
  if (document['schemaVersion'] !== 2) throw invalid('the manifest has no schemaVersion 2');
  return mediaType;
}

const KNOWN: ReadonlySet<string> = new Set([
  MediaType.ociManifest,
  MediaType.ociIndex,
  MediaType.dockerManifest,
  MediaType.dockerList,
]);

type Document = Readonly<Record<string, unknown>>;

function parseObject(bytes: Buffer): Document {
  try {
    return object(JSON.parse(bytes.toString('utf8')), 'the manifest');
  } catch (error) {
    throw error instanceof Failure ? error : invalid('the manifest is not JSON', error);
  }
}

function object(value: unknown, what: string): Document {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${what} is not a JSON object`);
  return value as Document; // checked in the line above
}

function list(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw invalid(`the manifest has no list "${what}"`);
  if (value.length > ENTRY_LIMIT) throw invalid(`the manifest has ${value.length} ${what}, at most ${ENTRY_LIMIT}`);
  return value;
}

function descriptor(value: unknown, what: string): Descriptor {
  const { mediaType, digest, size } = object(value, what);
  if (typeof mediaType !== 'string' || mediaType === '') throw invalid(`${what} has no mediaType`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalid(`${what} has no valid size`);
  return { mediaType, digest: parseEntryDigest(digest), size };
}

function parseEntryDigest(digest: unknown): Digest {
  return parseDigest(typeof digest === 'string' ? digest.slice(0, 200) : '');
}

function layerDescriptor(value: unknown): LayerDescriptor {
  const urls = object(value, 'a layer')['urls'];
  const texts = Array.isArray(urls) ? urls.filter((url) => typeof url === 'string') : [];
  return { ...descriptor(value, 'a layer'), ...(texts.length > 0 && { urls: texts }) };
}

function indexEntry(value: unknown): IndexEntry {
  const { platform } = object(value, 'an entry of the index');
  return { ...descriptor(value, 'an entry of the index'), platform: readPlatform(platform) };
}

function readPlatform(value: unknown): Platform | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { os, architecture, variant } = object(value, 'a platform');
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return { os, architecture, ...(typeof variant === 'string' && variant !== '' && { variant }) };
}

function invalid(message: string, cause?: unknown): Failure {
  return new Failure('invalid', 'MANIFEST_INVALID', message, cause === undefined ? {} : { cause });
}
