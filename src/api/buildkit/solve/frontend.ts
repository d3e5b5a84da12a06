import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { cancelled } from '../../../lib/error.ts';
import type { Attestation } from '../../../oci/image-form.ts';
import { formatPlatform, hostPlatform } from '../../../oci/platform.ts';
import type { NamedContext } from '../../../wire/build-input.ts';
import type {
  BuildBackend,
  BuildContextSource,
  BuildInputs,
  BuildRequest,
  ClientCacheBackend,
  ClientContext,
  ClientFolder,
} from '../../backend/build.ts';
import type { CallOptions } from '../../backend/call.ts';
import { SessionContent } from '../session/client-content.ts';
import { credentialsOf } from '../session/credentials.ts';
import { clientFiles } from '../session/file-sync.ts';
import { lentBy } from '../session/lent.ts';
import type { ClientSession } from '../session/sessions.ts';
import { isUpload, pullUpload } from '../session/upload.ts';
import { buildFailure } from '../trace/build-failure.ts';
import type { ReadDockerfile } from '../trace/place.ts';
import { StatusTrace } from '../trace/status-trace.ts';
import { type OpenVertex, type Show, Vertexes } from '../trace/vertexes.ts';
import { type AttestWishes, readAttestWishes } from './attest-wishes.ts';
import { type FrontendOptions, type NamedSource, platformsOf, readAttributes } from './attributes.ts';
import { type CacheOption, parseCacheImports, readCacheImports, refuseCacheExports } from './cache-options.ts';
import { importCaches } from './import-caches.ts';
import { type ProvenBuild, provenanceOf } from './provenance.ts';
import { type ScanBackend, scan } from './sbom.ts';
import { answerRequest } from './subrequest.ts';
import { type FolderUse, tracedFolder } from './traced-folder.ts';

export interface FrontendRequest extends CallOptions {
  /** What the client calls the build. */
  readonly ref: string;
  readonly attrs: ReadonlyMap<string, string>;
  /** A tar that stands for the context in place of the session's folder. */
  readonly context?: Readable;
  readonly cacheImports: readonly CacheOption[];
  readonly cacheExports: readonly CacheOption[];
  readonly entitlements: readonly string[];
  readonly session: ClientSession;
  readonly show: Show;
}

export interface FrontendBackend extends ScanBackend {
  readonly build: BuildBackend;
  readonly clientCaches: Pick<ClientCacheBackend, 'takeFrom'>;
}

export interface BuiltImage {
  readonly image: string;
  /** The ID under which the host remembers the build; '' for one that another build lent. */
  readonly build: string;
  /** `linux/arm64` */
  readonly platform: string;
  /** What is stated about it. */
  readonly attestations: readonly Attestation[];
}

export interface FrontendResult {
  readonly ref: string;
  /** One for each platform; none when the client asked for something else than a build. */
  readonly images: readonly BuiltImage[];
  /** What it asked for. */
  readonly metadata: ReadonlyMap<string, Uint8Array>;
}

/**
 * The frontend `dockerfile.v0`: builds what its attributes say with the client's folders, one platform after the other: what
 * they share is then cached. Images have no names yet and are the build cache's until `exportResult`. What it throws
 * carries the place in the Dockerfile.
 */
export async function runFrontend(backend: FrontendBackend, request: FrontendRequest): Promise<FrontendResult> {
  const { ref, attrs, cacheExports, entitlements, session, show } = request;
  const vertexes = new Vertexes({ show, ref });
  const signal = AbortSignal.any([request.signal, session.closed]);
  try {
    refuseCacheExports(cacheExports);
    const stated = parseCacheImports(attrs.get('cache-imports') ?? '[]');
    const imports = readCacheImports([...request.cacheImports, ...stated]);
    const platforms = platformsOf(attrs);
    const frontends = platforms.map((platform) =>
      readAttributes({
        attrs,
        platform,
        cacheFrom: imports.flatMap((cache) => (cache.kind === 'registry' ? cache.ref : [])),
        inlineCache: cacheExports.some(({ type }) => type === 'inline'),
        entitlements,
      }),
    );
    const [first] = frontends;
    const wishes = first?.request === undefined ? readAttestWishes(attrs) : {};
    if (first && first.request === undefined && !first.options.noCache)
      await importCaches(backend.clientCaches, imports, { session, vertexes, signal });
    const images: BuiltImage[] = [];
    for (const [index, frontend] of frontends.entries()) {
      const isOne = frontends.length === 1;
      const name = platforms[index] ?? formatPlatform(hostPlatform());
      const run = { vertexes, platform: isOne ? undefined : name, lint: index === 0 };
      const done = await runOne(backend.build, frontend, { ...request, signal }, run);
      if (done.metadata) return { ref, images: [], metadata: done.metadata };
      const attestations = await attest(backend, wishes, { ...request, signal }, { done, platform: name, vertexes });
      images.push({ image: done.image, build: done.build, platform: name, attestations });
    }
    return { ref, images, metadata: new Map() };
  } catch (error) {
    await vertexes.cancel();
    throw signal.aborted ? cancelled(signal) : buildFailure(error);
  }
}

interface Run {
  readonly vertexes: Vertexes;
  /** For the names of its steps, when there are several. */
  readonly platform: string | undefined;
  /** It is the one that says what rules find in the Dockerfile. */
  readonly lint: boolean;
}

interface Done {
  readonly image: string;
  readonly build: string;
  readonly options: BuildRequest['options'];
  readonly proven: Omit<ProvenBuild, 'attrs' | 'platform'> | undefined;
  readonly metadata?: undefined;
}

/** A build for one platform. */
async function runOne(
  backend: BuildBackend,
  frontend: FrontendOptions,
  request: FrontendRequest,
  { vertexes, platform, lint }: Run,
): Promise<Done | { readonly metadata: ReadonlyMap<string, Uint8Array> }> {
  const { session, signal } = request;
  const options = { ...frontend.options, lint };
  const started = Date.now();
  let dockerfile: ReadDockerfile | undefined;
  let inputs: BuildInputs | undefined;
  let remote: OpenVertex | undefined;
  const trace = new StatusTrace({ vertexes, platform, dockerfile: () => dockerfile, signal });
  try {
    remote = options.remote === undefined ? undefined : remoteVertex(vertexes, options.remote);
    await remote?.begin();
    const id = randomBytes(6).toString('hex');
    const build: BuildRequest = {
      id,
      options,
      ...foldersOf(frontend, request, vertexes),
      packed: undefined,
      lent: lentBy(session),
      registryAuth: credentialsOf(session),
      sawDockerfile: (content) => {
        dockerfile = { name: options.dockerfile, content };
        void remote?.end();
      },
      sawInputs: (saw) => {
        inputs = saw;
      },
      emit: (event) =>
        event.type === 'context'
          ? (remote?.progress('transferring context:', event.current) ?? Promise.resolve())
          : trace.event(event),
      signal,
    };
    if (frontend.request !== undefined)
      return { metadata: await answerRequest(backend, frontend.request, build, () => dockerfile) };
    const { image } = await backend.build(build);
    const proven = inputs && { inputs, dockerfile, folders: localsOf(build), started, ended: Date.now() };
    return { image, build: id, options, proven };
  } catch (error) {
    await trace.cancel();
    throw signal.aborted ? cancelled(signal) : buildFailure(error, { dockerfile, words: trace.failure });
  }
}

/** States what is wished about a result. */
async function attest(
  backend: ScanBackend,
  { sbom, provenance }: AttestWishes,
  { attrs, session, signal }: FrontendRequest,
  { done, platform, vertexes }: { readonly done: Done; readonly platform: string; readonly vertexes: Vertexes },
): Promise<Attestation[]> {
  const { image, options, proven } = done;
  const registryAuth = credentialsOf(session);
  const scanned = sbom && (await scan(backend, { ...sbom, image, platform, options, registryAuth, vertexes, signal }));
  return [
    ...(scanned ?? []),
    ...(provenance && proven ? [provenanceOf(provenance, { ...proven, attrs, platform })] : []),
  ];
}

/** The client's folders of a build. */
function localsOf({ context, dockerfileFolder, named }: BuildRequest): string[] {
  const names = [context, ...named.values()].flatMap((source) => (source.kind === 'client' ? source.folder.name : []));
  return [...new Set([...names, ...(dockerfileFolder ? [dockerfileFolder.name] : [])])].sort();
}

/** The transfer of a context that is not the client's folder; it has ended when the Dockerfile is there. */
function remoteVertex(vertexes: Vertexes, url: string): OpenVertex {
  const isGit = !/^https?:/.test(url) || /\.git(#|$)/.test(url);
  return vertexes.make(`[internal] load ${isGit ? `git source ${url}` : 'remote build context'}`);
}

function foldersOf(
  { options, contextName, dockerfileFolder, named }: FrontendOptions,
  { session, context, signal }: FrontendRequest,
  vertexes: Vertexes,
): Pick<BuildRequest, 'context' | 'dockerfileFolder' | 'named'> {
  const files = clientFiles(session);
  const folder = (name: string, sharedKey: string, use: FolderUse): ClientFolder =>
    tracedFolder({ files, name, sharedKey }, use, vertexes);
  const contextOf = (name: string, from: NamedSource): NamedContext | ClientContext => {
    if (from.kind === 'local')
      return { kind: 'client', folder: folder(from.name, from.sharedKey, { kind: 'named', name }) };
    if (from.kind !== 'layout') return from;
    return { ...from, content: new SessionContent(session, `oci:${from.store}`) };
  };
  const { remote } = options;
  const source = (): BuildContextSource => {
    if (context) return { kind: 'tar', body: context };
    if (remote === undefined)
      return { kind: 'client', folder: folder(contextName, session.sharedKey, { kind: 'context' }) };
    if (isUpload(remote)) return { kind: 'tar', body: pullUpload(session, remote, { signal }) };
    return { kind: 'remote', url: remote };
  };
  const hasFolder = dockerfileFolder.asked || (!context && remote === undefined);
  const use = { kind: 'dockerfile', filename: options.dockerfile } as const;
  return {
    context: source(),
    dockerfileFolder: hasFolder ? folder(dockerfileFolder.name, session.sharedKey, use) : undefined,
    named: new Map([...named].map(([name, from]) => [name, contextOf(name, from)])),
  };
}
