import { Failure } from '../../../lib/error.ts';

/** What a client wants stated about its result. https://docs.docker.com/build/metadata/attestations/ */
export interface AttestWishes {
  readonly provenance?: ProvenanceWish;
  /** What is in it; `generator` is the image that finds out. */
  readonly sbom?: { readonly generator: string };
}

export interface ProvenanceWish {
  /** Whether arguments, secrets' IDs and the Dockerfile are told. */
  readonly mode: 'min' | 'max';
  readonly builder: string;
  readonly isReproducible: boolean;
}

const ATTRIBUTE = /^(?:attest:|build-arg:BUILDKIT_ATTEST_)(.*)$/;
const DEFAULT_GENERATOR = 'docker.io/docker/buildkit-syft-scanner:stable-1';

export const isAttestAttribute = (name: string): boolean => ATTRIBUTE.test(name);

/**
 * What the attributes of a frontend ask to be stated. Clients ask for a small provenance (`inline-only`) of every image on
 * their own; that is not what a person wants to have in a registry, and left out. Throws Failure for what cannot be stated.
 */
export function readAttestWishes(attrs: ReadonlyMap<string, string>): AttestWishes {
  const asked = new Map<string, ReadonlyMap<string, string>>();
  for (const [name, value] of attrs) {
    const type = ATTRIBUTE.exec(name)?.[1];
    if (type !== undefined) asked.set(type.toLowerCase(), fieldsOf(value));
  }
  for (const [type, fields] of asked) if (isTrue(fields.get('disabled')) || fields.has('false')) asked.delete(type);
  for (const type of asked.keys())
    if (type !== 'sbom' && type !== 'provenance')
      throw new Failure('invalid', 'ATTEST_TYPE', `unknown attestation type "${type.slice(0, 100)}"`);
  const sbom = asked.get('sbom');
  const provenance = asked.get('provenance');
  return {
    ...(sbom && { sbom: { generator: sbom.get('generator') || DEFAULT_GENERATOR } }),
    ...(provenance && !isTrue(provenance.get('inline-only')) && { provenance: provenanceWish(provenance) }),
  };
}

function provenanceWish(fields: ReadonlyMap<string, string>): ProvenanceWish {
  const mode = fields.get('mode') ?? 'max';
  const version = fields.get('version') ?? 'v0.2';
  if (mode !== 'min' && mode !== 'max' && mode !== 'full') throw invalid('mode', mode);
  if (version !== 'v0.2') throw invalid('version', version);
  return {
    mode: mode === 'min' ? 'min' : 'max',
    builder: fields.get('builder-id') ?? '',
    isReproducible: isTrue(fields.get('reproducible')),
  };
}

/** `a=b,c` of a line of CSV. */
function fieldsOf(text: string): ReadonlyMap<string, string> {
  const fields = text.split(',').map((field) => field.trim().replace(/^"(.*)"$/, '$1'));
  return new Map(
    fields.map((field) => {
      const at = field.indexOf('=');
      return at < 0 ? [field, ''] : [field.slice(0, at), field.slice(at + 1)];
    }),
  );
}

const isTrue = (text: string | undefined) => /^(1|t|true)$/i.test(text ?? '');

function invalid(field: string, value: string): Failure {
  return new Failure('invalid', 'ATTEST_PROVENANCE', `invalid ${field} "${value.slice(0, 100)}" of provenance`);
}
