import { randomBytes } from 'node:crypto';
import { Failure } from '../../../lib/error.ts';
import { withoutLogin } from '../../../lib/url-password.ts';
import { hexOf } from '../../../oci/digest.ts';
import type { Attestation } from '../../../oci/image-form.ts';
import { formatPlatform, hostPlatform, parsePlatform } from '../../../oci/platform.ts';
import { parseReference, withDefaultTag } from '../../../oci/reference.ts';
import { packageUrl } from '../../../oci/write-image.ts';
import type { BuildInputs } from '../../backend/build.ts';
import type { ReadDockerfile } from '../trace/place.ts';

/** What a client wants stated about its result. https://docs.docker.com/build/metadata/attestations/slsa-provenance/ */
export interface ProvenanceWish {
  /** Whether arguments, secrets' IDs and the Dockerfile are told. */
  readonly mode: 'min' | 'max';
  readonly builder: string;
  readonly isReproducible: boolean;
}

/** A build for one platform, as it was. Times are milliseconds since the epoch. */
export interface ProvenBuild {
  readonly platform: string;
  /** Of the frontend. */
  readonly attrs: ReadonlyMap<string, string>;
  /** Folders of the client. */
  readonly folders: readonly string[];
  readonly inputs: BuildInputs;
  readonly dockerfile: ReadDockerfile | undefined;
  readonly started: number;
  readonly ended: number;
}

const BUILD_TYPE = 'https://mobyproject.org/buildkit@v1';
/** What only says how this host was to go about it. */
const HOST_ATTRIBUTES = new Set(['cgroup-parent', 'image-resolve-mode', 'platform', 'cache-imports', 'requestid']);
const ATTEST = 'attest:';
const ATTEST_ARGUMENT = 'build-arg:BUILDKIT_ATTEST_';

/**
 * What the attributes of a frontend ask to be stated. Clients ask for a small provenance (`inline-only`) of every image on
 * their own; that is not what a person wants to have in a registry, and left out. Throws Failure for what cannot be stated.
 */
export function readProvenanceWish(attrs: ReadonlyMap<string, string>): ProvenanceWish | undefined {
  const asked = new Map<string, ReadonlyMap<string, string>>();
  for (const [name, value] of attrs) {
    if (name.startsWith(ATTEST_ARGUMENT)) asked.set(name.slice(ATTEST_ARGUMENT.length).toLowerCase(), fieldsOf(value));
    if (name.startsWith(ATTEST)) asked.set(name.slice(ATTEST.length).toLowerCase(), fieldsOf(value));
  }
  for (const [type, fields] of asked) if (isDisabled(fields)) asked.delete(type);
  for (const type of asked.keys()) {
    if (type === 'sbom')
      throw new Failure('unsupported', 'ATTEST_SBOM', 'sbom attestations are not supported by this host', {
        hint: 'build without --sbom, and let a scanner read the image',
      });
    if (type !== 'provenance')
      throw new Failure('invalid', 'ATTEST_TYPE', `unknown attestation type "${type.slice(0, 100)}"`);
  }
  const fields = asked.get('provenance');
  if (!fields || isTrue(fields.get('inline-only'))) return undefined;
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

/**
 * Where an image comes from, in the words of SLSA 0.2 and BuildKit. A Dockerfile is not compiled to a graph here, so `max` has
 * none: it has the Dockerfile. https://slsa.dev/spec/v0.2/provenance
 */
export function provenanceOf(wish: ProvenanceWish, build: ProvenBuild): Attestation {
  const { inputs, started, ended, platform } = build;
  const isMax = wish.mode === 'max';
  const { configSource, args, vcs } = invocationOf(build);
  const isPersonal = ([name]: [string, string]) => name.startsWith('build-arg:') || name.startsWith('label:');
  const told = isMax ? args : args.filter((arg) => !isPersonal(arg));
  const idOf = ({ id, isRequired }: { readonly id: string; readonly isRequired: boolean }) => ({
    id,
    ...(isRequired ? {} : { optional: true }),
  });
  const metadata = {
    ...(Object.keys(vcs).length > 0 ? { vcs } : {}),
    ...(isMax && build.dockerfile ? { source: sourceOf(build.dockerfile) } : {}),
  };
  const predicate = {
    builder: { id: wish.builder },
    buildType: BUILD_TYPE,
    materials: materialsOf(inputs),
    invocation: {
      configSource,
      parameters: {
        frontend: 'dockerfile.v0',
        ...(told.length > 0 ? { args: Object.fromEntries(told) } : {}),
        ...(isMax && inputs.secrets.length > 0 ? { secrets: inputs.secrets.map(idOf) } : {}),
        ...(isMax && inputs.agents.length > 0 ? { ssh: inputs.agents.map(idOf) } : {}),
        ...(build.folders.length > 0 ? { locals: build.folders.map((name) => ({ name })) } : {}),
      },
      environment: { platform: formatPlatform(hostPlatform()) },
    },
    metadata: {
      buildInvocationID: randomBytes(16).toString('hex'),
      buildStartedOn: new Date(started).toISOString(),
      buildFinishedOn: new Date(ended).toISOString(),
      completeness: {
        parameters: isMax || told.length === args.length,
        environment: true,
        materials: inputs.isComplete,
      },
      reproducible: wish.isReproducible,
      [`${BUILD_TYPE}#metadata`]: metadata,
      ...(inputs.isComplete && !inputs.hasNetwork ? { [`${BUILD_TYPE}#hermetic`]: true } : {}),
    },
  };
  return { platform, predicateType: 'https://slsa.dev/provenance/v0.2', predicate };
}

function invocationOf({ attrs, inputs }: ProvenBuild) {
  const contextName = attrs.get('contextkey') ?? 'context';
  const vcs: Record<string, string> = {};
  const args: [string, string][] = [];
  const configSource: { uri?: string; digest?: { sha1: string }; entryPoint?: string } = {};
  for (const [name, value] of [...attrs].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (HOST_ATTRIBUTES.has(name) || name.startsWith(ATTEST) || name.startsWith(ATTEST_ARGUMENT)) continue;
    const isPlace = name === contextName || name.startsWith('context:') || name === 'vcs:source';
    const shown = isPlace ? withoutLogin(value) : value;
    if (name === contextName && value !== '') {
      const cloned = inputs.commits.find(({ url }) => withoutLogin(url) === shown);
      configSource.uri = shown;
      if (cloned) configSource.digest = { sha1: cloned.commit };
    } else if (name === 'filename') configSource.entryPoint = value;
    else if (!name.startsWith('vcs:')) args.push([name, shown]);
    else if (value !== '') vcs[name.slice('vcs:'.length)] = shown;
  }
  return { configSource, args, vcs };
}

function materialsOf({ images, commits }: BuildInputs) {
  return [
    ...images.map(({ name, platform, digest }) => ({
      uri: packageUrl(withDefaultTag(parseReference(name)), parsePlatform(platform)),
      digest: { sha256: hexOf(digest) },
    })),
    ...commits.map(({ url, commit }) => ({ uri: withoutLogin(url), digest: { sha1: commit } })),
  ];
}

function sourceOf({ name, content }: ReadDockerfile) {
  return { infos: [{ filename: name, language: 'Dockerfile', data: Buffer.from(content).toString('base64') }] };
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

const isDisabled = (fields: ReadonlyMap<string, string>) => isTrue(fields.get('disabled')) || fields.has('false');

const isTrue = (text: string | undefined) => /^(1|t|true)$/i.test(text ?? '');

function invalid(field: string, value: string): Failure {
  return new Failure('invalid', 'ATTEST_PROVENANCE', `invalid ${field} "${value.slice(0, 100)}" of provenance`);
}
