import { Failure } from '../../../lib/error.ts';
import type { Annotation, Attestation, ImageForm, LayerCompression } from '../../../oci/image-form.ts';
import { formatPlatform, parsePlatform } from '../../../oci/platform.ts';

type Attributes = ReadonlyMap<string, string>;

/** The highest level of each. */
const LEVELS = { gzip: 9, zstd: 22 } as const;

/**
 * How the attributes of an output want an image written down; undefined when they leave that to the host. `isOci`: whether
 * the output has OCI's media types unless it is told otherwise. Throws `invalid` for values that make no sense.
 * https://github.com/moby/buildkit/blob/master/README.md#imageregistry
 */
export function imageFormOf(
  attrs: Attributes,
  { attestations, isOci }: { readonly attestations: readonly Attestation[]; readonly isOci: boolean },
): ImageForm | undefined {
  const compression = compressionOf(attrs);
  const annotations = [...attrs].flatMap(([name, value]) => annotationOf(name, value) ?? []);
  const oci = flag(attrs, 'oci-mediatypes') ?? isOci;
  if (!compression && annotations.length === 0 && attestations.length === 0 && oci === isOci) return undefined;
  return { oci, annotations, attestations, ...(compression && { compression }) };
}

/** An attribute that is true when it has no value; undefined when it is not there. */
export function flag(attrs: Attributes, name: string): boolean | undefined {
  const value = attrs.get(name);
  if (value === undefined) return undefined;
  if (value === '' || /^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalid(`non-bool value specified for ${name}: "${value.slice(0, 100)}"`);
}

function compressionOf(attrs: Attributes): LayerCompression | undefined {
  const force = flag(attrs, 'force-compression') ?? false;
  const stated = attrs.get('compression-level');
  const type = attrs.get('compression') ?? (force || stated !== undefined ? 'gzip' : undefined);
  if (type === undefined) return undefined;
  if (type !== 'gzip' && type !== 'zstd' && type !== 'uncompressed')
    throw new Failure('unsupported', 'COMPRESSION', `unsupported layer compression type ${type.slice(0, 100)}`, {
      hint: 'this host knows gzip, zstd and uncompressed',
    });
  if (stated === undefined || type === 'uncompressed') return { type, force };
  if (!/^\d{1,9}$/.test(stated) || Number(stated) > LEVELS[type])
    throw invalid(`invalid compression-level "${stated.slice(0, 100)}": expected 0 to ${LEVELS[type]} for ${type}`);
  return { type, force, level: Number(stated) };
}

/** `annotation[-TYPE][[PLATFORM]].KEY`; undefined for another attribute. */
function annotationOf(name: string, value: string): Annotation | undefined {
  const [, type = 'manifest', platform, key] = /^annotation(?:-([a-z-]+))?(?:\[([\w/-]+)\])?\.(\S+)$/.exec(name) ?? [];
  if (key === undefined) return undefined;
  if (type !== 'manifest' && type !== 'manifest-descriptor' && type !== 'index' && type !== 'index-descriptor')
    throw invalid(`unrecognized annotation type ${type}`);
  return { on: type, key, value, ...(platform && { platform: formatPlatform(parsePlatform(platform)) }) };
}

const invalid = (message: string) => new Failure('invalid', 'OUTPUT_ATTRIBUTE', message);
