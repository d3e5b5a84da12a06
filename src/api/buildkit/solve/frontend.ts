import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { cancelled } from '../../../lib/error.ts';
import type { NamedContext } from '../../../wire/build-input.ts';
import type {
  BuildBackend,
  BuildContextSource,
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
import { type FrontendOptions, type NamedSource, readAttributes } from './attributes.ts';
import { type CacheOption, parseCacheImports, readCacheImports, refuseCacheExports } from './cache-options.ts';
import { importCaches } from './import-caches.ts';
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

export interface FrontendBackend {
  readonly build: BuildBackend;
  readonly clientCaches: Pick<ClientCacheBackend, 'takeFrom'>;
}

export interface FrontendResult {
  readonly ref: string;
  /** The ID under which the host remembers the build. */
  readonly build: string;
  /** Undefined when the client asked for something else than a build. */
  readonly image: string | undefined;
  /** What it asked for. */
  readonly metadata: ReadonlyMap<string, Uint8Array>;
}

/**
 * The frontend `dockerfile.v0`: builds what its attributes say with the client's folders. The image has no name yet and is
 * the build cache's until `exportResult`. What it throws carries the place in the Dockerfile.
 */
export async function runFrontend(backend: FrontendBackend, request: FrontendRequest): Promise<FrontendResult> {
  const { ref, attrs, cacheExports, entitlements, session, show } = request;
  const vertexes = new Vertexes({ show, ref });
  const signal = AbortSignal.any([request.signal, session.closed]);
  let dockerfile: ReadDockerfile | undefined;
  let remote: OpenVertex | undefined;
  const trace = new StatusTrace({ vertexes, dockerfile: () => dockerfile, signal });
  try {
    refuseCacheExports(cacheExports);
    const imports = readCacheImports([
      ...request.cacheImports,
      ...parseCacheImports(attrs.get('cache-imports') ?? '[]'),
    ]);
    const frontend = readAttributes({
      attrs,
      cacheFrom: imports.flatMap((cache) => (cache.kind === 'registry' ? cache.ref : [])),
      inlineCache: cacheExports.some(({ type }) => type === 'inline'),
      entitlements,
    });
    const { options } = frontend;
    remote = options.remote === undefined ? undefined : remoteVertex(vertexes, options.remote);
    await remote?.begin();
    const id = randomBytes(6).toString('hex');
    const build: BuildRequest = {
      id,
      options,
      ...foldersOf(frontend, { ...request, signal }, vertexes),
      packed: undefined,
      lent: lentBy(session),
      registryAuth: credentialsOf(session),
      sawDockerfile: (content) => {
        dockerfile = { name: options.dockerfile, content };
        void remote?.end();
      },
      emit: (event) =>
        event.type === 'context'
          ? (remote?.progress('transferring context:', event.current) ?? Promise.resolve())
          : trace.event(event),
      signal,
    };
    for (const warning of frontend.warnings) await vertexes.warn({ short: Buffer.from(warning) });
    if (frontend.request !== undefined) {
      const metadata = await answerRequest(backend.build, frontend.request, build, () => dockerfile);
      return { ref, build: id, image: undefined, metadata };
    }
    if (!options.noCache) await importCaches(backend.clientCaches, imports, { session, vertexes, signal });
    const { image } = await backend.build.build(build);
    return { ref, build: id, image, metadata: new Map() };
  } catch (error) {
    await trace.cancel();
    throw signal.aborted ? cancelled(signal) : buildFailure(error, { dockerfile, words: trace.failure });
  }
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
