import { availableParallelism } from 'node:os';
import type { Readable } from 'node:stream';
import { runBuild } from '../../build/build.ts';
import { type ContextPaths, neededPaths } from '../../build/context/needed-paths.ts';
import type { BuildTrace } from '../../build/explain/build-trace.ts';
import type { ImageSource, LentToBuild, RunExecutor, StepCache } from '../../build/needs.ts';
import type { BuildSession } from '../../build/session.ts';
import { refuseUnlike } from '../../build/solve-vertex.ts';
import { sourceDateOf } from '../../build/source-date.ts';
import type { Vertices } from '../../build/vertex.ts';
import type { Rule } from '../../dockerfile/lint/rule.ts';
import { BUILDKIT_RULES, RULES } from '../../dockerfile/lint/rules.ts';
import { describedBy, type Outline, outlineOf } from '../../dockerfile/outline.ts';
import { parseDockerfile } from '../../dockerfile/parse.ts';
import { excerpt } from '../../dockerfile/position.ts';
import { planStages } from '../../dockerfile/stages.ts';
import { Failure, isFailure } from '../../lib/error.ts';
import { limiter } from '../../lib/limiter.ts';
import { Scope } from '../../lib/scope.ts';
import type { WorkerPool } from '../../lib/worker-pool.ts';
import type { ImageId } from '../../oci/digest.ts';
import { hostPlatform, parsePlatform } from '../../oci/platform.ts';
import { familiarReference, parseReference, type Reference, withDefaultTag } from '../../oci/reference.ts';
import type { Snapshots } from '../../snapshot/snapshots.ts';
import type { Store } from '../../store/open-store.ts';
import type { BuildEvent, BuildOptions, BuildTarget } from '../../wire/build.ts';
import { type CacheSourceParts, takeCaches, withInlineCache } from '../cache-transfer/inline-cache.ts';
import type { TakeImageRequest } from '../transfer/take-image.ts';
import type { BuildCache } from './build-cache.ts';
import { type ContextSource, openContext, unpack } from './build-context.ts';
import { type BuildInputs, InputNotes } from './build-inputs.ts';
import type { ClientFolder } from './client/client-folder.ts';
import type { AskRegistryAuth } from './image-source.ts';
import { lintBuild, refuseLintErrors } from './lint-build.ts';
import { type NamedSource, namedContexts } from './named-contexts.ts';
import { stepImages } from './step-images.ts';

export interface BuildImageRequest {
  /** The name under which the build is remembered: 12 hex digits. */
  readonly id: string;
  /** It is part of another build, and not remembered as one. */
  readonly isPart?: boolean;
  readonly options: BuildOptions;
  readonly context: ContextSource;
  readonly dockerfileFolder?: ClientFolder | undefined;
  readonly named: ReadonlyMap<string, NamedSource>;
  readonly packed: Readable | undefined;
  readonly lent: LentToBuild;
  /** What the client has for a registry host. */
  readonly registryAuth: AskRegistryAuth;
  readonly emit: (event: BuildEvent) => Promise<void>;
  readonly sawDockerfile?: (content: Uint8Array) => void;
  readonly sawInputs?: (inputs: BuildInputs) => void;
  readonly signal: AbortSignal;
}

export interface BuildParts {
  readonly store: Store;
  readonly workers: WorkerPool;
  readonly snapshots: Snapshots;
  readonly vertices: Vertices;
  readonly cache: BuildCache;
  readonly steps: StepCache;
  readonly takeCache: CacheSourceParts['takeCache'];
  readonly takeImage: (request: TakeImageRequest) => Promise<ImageId>;
  /** Folder for what must not get to a disk. */
  readonly memory: string;
  /** RUN steps may be privileged, when the client of a build allows it too. */
  readonly insecureBuilds: boolean;
  readonly images: (auth: AskRegistryAuth) => ImageSource;
  readonly runner: RunExecutor;
  /** One layer in place of all that a build put on its base. */
  readonly squash: (
    built: ImageId,
    base: ImageId | undefined,
    options: { readonly signal: AbortSignal },
  ) => Promise<ImageId>;
  readonly tag: (image: ImageId, name: Reference) => void;
}

/** Steps of one build that work at the same time, or as many as there are processors. */
const PARALLEL_STEPS = 4;

/** Builds an image from a Dockerfile and its context, and gives it its names. */
export async function buildImage(
  parts: BuildParts,
  request: BuildImageRequest & { readonly trace: BuildTrace },
): Promise<{ image: string }> {
  const { options, emit, signal } = request;
  const names = options.tags.map((tag) => withDefaultTag(parseReference(tag)));
  const scratchName = names.find((name) => familiarReference(name).startsWith('scratch:'));
  if (scratchName) throw new Failure('invalid', 'NAME_RESERVED', "'scratch' is a reserved name");
  await using scope = new Scope();
  using kept = parts.store.leases.begin();
  const notes = new InputNotes(parts.store);
  const prepared = await prepare(parts, request, scope, { rules: BUILDKIT_RULES, notes });
  const { plan, platform, context, contexts, findings, locate } = prepared;
  try {
    refuseLintErrors(findings);
    const session: BuildSession = {
      options,
      plan,
      platform,
      sourceDate: sourceDateOf(options.buildArgs),
      context: context(),
      contexts,
      lent: request.lent,
      memory: parts.memory,
      insecure: { host: parts.insecureBuilds, client: options.allow.includes('security.insecure') },
      store: parts.store,
      snapshots: parts.snapshots,
      workers: parts.workers,
      images: notes.images(parts.images(request.registryAuth), kept),
      stepImages: stepImages(parts.store, kept),
      vertices: parts.vertices,
      runner: parts.runner,
      unlike: [],
      trace: request.trace,
      cacheMountEnded: (name) => parts.cache.mountEnded(name),
      work: limiter(Math.max(PARALLEL_STEPS, availableParallelism())),
      emit,
      signal,
    };
    if (!options.noCache) await takeCaches(parts, session, request.registryAuth);
    const built = await runBuild(session);
    refuseUnlike(session.unlike);
    const result = options.squash ? await parts.squash(built.image, built.base, { signal }) : built.image;
    const image = options.inlineCache ? withInlineCache(parts, request.trace.record, result) : result;
    if (options.keepImage) parts.store.cacheSpace.keepResult(image);
    await emit({ type: 'built', image });
    for (const name of names) {
      parts.tag(image, name);
      await emit({ type: 'tagged', name: familiarReference(name) });
    }
    if (options.lint) for (const finding of findings) await emit(finding);
    request.sawInputs?.(notes.all(request.trace, plan, request));
    return { image };
  } catch (error) {
    throw locate(error);
  }
}

/** Says what rules find in the Dockerfile of a build, and gives its stages and what its target takes. */
export async function checkBuild(
  parts: BuildParts,
  request: BuildImageRequest,
): Promise<{ readonly targets: readonly BuildTarget[]; readonly outline: Outline }> {
  await using scope = new Scope();
  const notes = new InputNotes(parts.store);
  const { findings, plan } = await prepare(parts, request, scope, { rules: RULES, notes });
  for (const finding of findings) await request.emit(finding);
  const targets = plan.stages.map(({ name, base, platform, from }, index) => ({
    name,
    description: name === undefined ? undefined : describedBy(from, name),
    base:
      base.kind === 'scratch' ? 'scratch' : base.kind === 'stage' ? (plan.stages[base.index]?.title ?? '') : base.name,
    platform,
    isDefault: index === plan.stages.length - 1,
    line: from.source.line,
    endLine: from.source.endLine,
  }));
  return { targets, outline: outlineOf(plan) };
}

/** What is known before a build's first step. What is fetched and unpacked for it goes with `scope`. */
async function prepare(
  parts: BuildParts,
  { options, emit, signal, ...request }: BuildImageRequest,
  scope: Scope,
  { rules, notes }: { readonly rules: readonly Rule[]; readonly notes: InputNotes },
) {
  const keepGitDir = /^(1|true)$/i.test(options.buildArgs['BUILDKIT_CONTEXT_KEEP_GIT_DIR'] ?? '');
  const { dockerfileFolder } = request;
  const fetched = notes.fetched.bind(notes);
  const sources = { ...parts, dockerfile: options.dockerfile, dockerfileFolder, keepGitDir, fetched, emit, signal };
  const packed = request.packed && (await unpack(request.packed, scope, sources));
  let taken: ReadonlyMap<string | undefined, ContextPaths> = new Map();
  const needed = (name: string | undefined) => (taken.has(name) ? taken.get(name) : []);
  const contexts = namedContexts(request.named, scope, { ...sources, packed, needed });
  const opened = await openContext(request.context, scope, { ...sources, packed });
  const { dockerfile } = opened;
  request.sawDockerfile?.(dockerfile);
  const locate = (error: unknown) => withExcerpt(error, options.dockerfile, dockerfile);
  try {
    const platform = options.platform ? parsePlatform(options.platform) : hostPlatform();
    const parsed = parseDockerfile(dockerfile, { file: options.dockerfile });
    const plan = planStages(parsed, {
      target: options.target,
      buildArgs: options.buildArgs,
      buildPlatform: hostPlatform(),
      targetPlatform: platform,
      contexts: contexts.names,
    });
    const findings = lintBuild(parsed, plan, opened.lint, rules);
    taken = neededPaths(plan);
    return { plan, platform, context: () => opened.files(needed(undefined)), contexts, findings, locate };
  } catch (error) {
    throw locate(error);
  }
}

/** A failure at a place of the Dockerfile, with the lines of that place. */
function withExcerpt(error: unknown, file: string, dockerfile: Uint8Array): unknown {
  if (!isFailure(error) || error.source?.file !== file) return error;
  return error.at({ ...error.source, excerpt: excerpt(new TextDecoder().decode(dockerfile), error.source) });
}
