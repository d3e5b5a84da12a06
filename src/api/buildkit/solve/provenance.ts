import { randomBytes } from 'node:crypto';
import { withoutLogin } from '../../../lib/url-password.ts';
import { hexOf } from '../../../oci/digest.ts';
import type { Attestation } from '../../../oci/image-form.ts';
import { formatPlatform, hostPlatform, parsePlatform } from '../../../oci/platform.ts';
import { parseReference, withDefaultTag } from '../../../oci/reference.ts';
import { packageUrl } from '../../../oci/write-image.ts';
import type { BuildInputs } from '../../backend/build.ts';
import type { ReadDockerfile } from '../trace/place.ts';
import { isAttestAttribute, type ProvenanceWish } from './attest-wishes.ts';

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
    if (HOST_ATTRIBUTES.has(name) || isAttestAttribute(name)) continue;
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
