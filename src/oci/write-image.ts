import { Failure } from '../lib/error.ts';
import type { Descriptor } from './descriptor.ts';
import { type Digest, digestOf, hexOf } from './digest.ts';
import type { Annotation, Attestation, ImageForm } from './image-form.ts';
import {
  type Annotations,
  encodeIndex,
  encodeManifest,
  type ImageIndex,
  type ImageManifest,
  type IndexEntry,
  type LayerDescriptor,
} from './manifest.ts';
import { formatPlatform, type Platform } from './platform.ts';
import { familiarName, type Reference } from './reference.ts';

/** An image for a platform, with its layers as they are to be named. */
export interface ImagePart {
  readonly platform: Platform;
  readonly config: { readonly digest: Digest; readonly bytes: Uint8Array };
  readonly layers: readonly LayerDescriptor[];
}

export interface SmallBlob extends Pick<Descriptor, 'digest' | 'size'> {
  readonly bytes: Uint8Array;
}

/** An image written down. */
export interface WrittenImage {
  /** What a name stands for. */
  readonly top: ImageManifest | ImageIndex;
  /** Of the descriptor of `top`. */
  readonly annotations: Annotations | undefined;
  /** What an index names, in its order. */
  readonly manifests: readonly ImageManifest[];
  /** What the manifests name besides layers of images. */
  readonly blobs: readonly SmallBlob[];
}

/** Written so that it can be told apart from images: https://docs.docker.com/build/metadata/attestations/attestation-storage/ */
const ATTESTATION_PLATFORM = { architecture: 'unknown', os: 'unknown' };
const STATEMENT_MEDIA_TYPE = 'application/vnd.in-toto+json';

/**
 * Writes an image down under `names`: a manifest, or an index when there are several parts or something is stated about
 * them. Throws `invalid` for annotations that have no place in it.
 */
export function writeImage(parts: readonly ImagePart[], form: ImageForm, names: readonly Reference[]): WrittenImage {
  checkForm(
    parts.map(({ platform }) => platform),
    form,
  );
  const isIndex = isIndexed(parts, form);
  const oci = form.oci || form.attestations.length > 0 || form.annotations.some(({ on }) => on !== 'manifest');
  const blobs: SmallBlob[] = parts.map(({ config: { digest, bytes } }) => ({ digest, size: bytes.length, bytes }));
  const written = parts.map((part) => {
    const platform = formatPlatform(part.platform);
    const { digest, bytes } = part.config;
    const style = { oci, annotations: annotationsOf(form, 'manifest', platform) };
    const manifest = encodeManifest({ digest, size: bytes.length }, part.layers, style);
    return { part, manifest, remarks: annotationsOf(form, 'manifest-descriptor', platform) };
  });
  const [only] = written;
  if (!only) throw new Failure('internal', 'NO_IMAGE', 'no image is to be written');
  if (!isIndex) return { top: only.manifest, annotations: only.remarks, manifests: [], blobs };

  const images = written.map(({ part, manifest, remarks }) => entryOf(manifest, part.platform, remarks));
  const statements = written.flatMap(({ part, manifest }) => {
    const stated = form.attestations.filter(({ platform }) => platform === formatPlatform(part.platform));
    if (stated.length === 0) return [];
    const attested = writeStatements(stated, subjectsOf(part.platform, manifest.digest, names));
    blobs.push(...attested.blobs);
    const remarks = {
      'vnd.docker.reference.digest': manifest.digest,
      'vnd.docker.reference.type': 'attestation-manifest',
    };
    return { manifest: attested.manifest, entry: entryOf(attested.manifest, ATTESTATION_PLATFORM, remarks) };
  });
  const entries = [...images, ...statements.map(({ entry }) => entry)];
  return {
    top: encodeIndex(entries, { oci, annotations: annotationsOf(form, 'index') }),
    annotations: annotationsOf(form, 'index-descriptor'),
    manifests: [...written, ...statements].map(({ manifest }) => manifest),
    blobs,
  };
}

/** Whether an image in this form is an index. */
export const isIndexed = (parts: readonly unknown[], { attestations }: ImageForm): boolean =>
  parts.length > 1 || attestations.length > 0;

/** Throws `invalid` ANNOTATION for one that has no place in an image for these platforms. */
export function checkForm(platforms: readonly Platform[], form: ImageForm): void {
  const names = platforms.map(formatPlatform);
  for (const { on, platform } of form.annotations) {
    if (platform !== undefined && !names.includes(platform))
      throw new Failure('invalid', 'ANNOTATION', `invalid annotation: no platform ${platform} found in source`);
    if (!isIndexed(platforms, form) && (on === 'index' || on === 'index-descriptor'))
      throw new Failure('invalid', 'ANNOTATION', 'index annotations not supported for single platform export');
  }
}

/** A package URL as BuildKit names images. https://github.com/package-url/purl-spec */
export function packageUrl(reference: Reference, platform: Platform): string {
  const parts = familiarName(reference).split('/').map(encodeURIComponent);
  const version = reference.tag === undefined ? '' : `@${encodeURIComponent(reference.tag)}`;
  const digest = reference.digest === undefined ? '' : `digest=${reference.digest}&`;
  return `pkg:docker/${parts.join('/')}${version}?${digest}platform=${encodeURIComponent(formatPlatform(platform))}`;
}

function entryOf(
  { mediaType, digest, size }: ImageManifest,
  platform: Platform,
  annotations: Annotations | undefined,
): IndexEntry {
  return { mediaType, digest, size, platform, annotations };
}

function subjectsOf(platform: Platform, digest: Digest, names: readonly Reference[]) {
  return names.map((name) => ({ name: packageUrl(name, platform), digest: { sha256: hexOf(digest) } }));
}

/** A manifest whose layers are statements. */
function writeStatements(
  attestations: readonly Attestation[],
  subject: readonly unknown[],
): { readonly manifest: ImageManifest; readonly blobs: readonly SmallBlob[] } {
  const statements = attestations.map(({ predicateType, predicate }) => {
    const statement = { _type: 'https://in-toto.io/Statement/v0.1', predicateType, subject, predicate };
    return { ...blobOf(statement), predicateType };
  });
  const diffIds = statements.map(({ digest }) => digest);
  const config = blobOf({ ...ATTESTATION_PLATFORM, config: {}, rootfs: { type: 'layers', diff_ids: diffIds } });
  const layers = statements.map(({ digest, size, predicateType }) => ({
    mediaType: STATEMENT_MEDIA_TYPE,
    digest,
    size,
    annotations: { 'in-toto.io/predicate-type': predicateType },
  }));
  return { manifest: encodeManifest(config, layers, { oci: true }), blobs: [config, ...statements] };
}

function blobOf(document: unknown): SmallBlob {
  const bytes = Buffer.from(JSON.stringify(document));
  return { digest: digestOf(bytes), size: bytes.length, bytes };
}

/** In the order of their keys; those for one platform stand before those for all. */
function annotationsOf({ annotations }: ImageForm, on: Annotation['on'], platform?: string): Annotations | undefined {
  const fitting = annotations.filter(
    (one) => one.on === on && (one.platform === undefined || platform === undefined || one.platform === platform),
  );
  if (fitting.length === 0) return undefined;
  const sorted = fitting.toSorted(
    (a, b) => a.key.localeCompare(b.key, 'en') || Number(a.platform !== undefined) - Number(b.platform !== undefined),
  );
  return Object.fromEntries(sorted.map(({ key, value }) => [key, value]));
}
