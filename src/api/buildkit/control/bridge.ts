/** moby.buildkit.v1.frontend.LLBBridge: what a client asks for while a build of its own is under way. */
import { randomBytes } from 'node:crypto';
import { Failure } from '../../../lib/error.ts';
import type { ValueOf } from '../../../lib/protobuf.ts';
import { parseImageId } from '../../../oci/digest.ts';
import { formatPlatform, hostPlatform, parsePlatform } from '../../../oci/platform.ts';
import type { GrpcCall } from '../grpc/server.ts';
import { failureOf } from '../grpc/status.ts';
import type {
  bridgeSolveRequest,
  bridgeSolveResponse,
  evaluateRequest,
  pongResponse,
  returnRequest,
} from '../shapes/gateway.ts';
import type { BuiltImage, FrontendResult } from '../solve/frontend.ts';
import { type Definition, definitionOf, imageOf } from './linked-result.ts';
import type { OpenBuild, OpenBuilds } from './open-builds.ts';
import { noGraphs, runOwnFrontend, type SolveParts } from './solve.ts';
import { type WorkerParts, worker } from './worker.ts';

/** What is understood of LLBBridge. https://github.com/moby/buildkit/blob/master/frontend/gateway/pb/caps.go */
const FRONTEND_CAPABILITIES = [
  'solve.base',
  'return',
  'returnmap',
  'importcaches',
  'proto.refarray',
  'reference.output',
  'gateway.solve.metadata',
  'gateway.solve.evaluate',
  'gateway.evaluate',
  'frontend.caps',
];

/**
 * What is understood of builds and of what clients write on every graph; no kind of step, so that they name what is missing.
 * https://github.com/moby/buildkit/blob/master/solver/pb/caps.go
 */
const GRAPH_CAPABILITIES = [
  'exporter.multiple',
  'exporter.image.attestations',
  'exporter.image.annotations',
  'gc.freespacefilter',
  'constraints',
  'platform',
  'meta.description',
];

/** The build that a call is about, which its metadata name. */
export function buildOf(builds: OpenBuilds, call: GrpcCall): Promise<OpenBuild> {
  const [ref = ''] = call.metadata.get('buildkit-controlapi-buildid') ?? [];
  return builds.find(ref, call);
}

export async function pong(parts: WorkerParts): Promise<ValueOf<typeof pongResponse>> {
  const enabled = (id: string) => ({ id, enabled: true });
  return {
    frontendCapabilities: FRONTEND_CAPABILITIES.map(enabled),
    graphCapabilities: GRAPH_CAPABILITIES.map(enabled),
    workers: [await worker(parts)],
  };
}

/** LLBBridge/Solve: a build by its frontend, or a result of an earlier one by its graph. */
export async function bridgeSolve(
  { solver }: SolveParts,
  build: OpenBuild,
  request: ValueOf<typeof bridgeSolveRequest>,
  call: GrpcCall,
): Promise<Partial<ValueOf<typeof bridgeSolveResponse>>> {
  const signal = AbortSignal.any([call.signal, build.signal]);
  if (request.frontend === '') return answerOf(build, graphResult(build.request.ref, request.definition));
  const solve = runOwnFrontend(solver, build, {
    frontend: request.frontend,
    attrs: withInputs(request.frontendAttrs, request.frontendInputs),
    cacheImports: [...request.cacheImports, ...(build.request.cache?.imports ?? [])],
    signal,
  });
  build.solves.add(solve);
  try {
    return answerOf(build, await solve);
  } catch (error) {
    build.failure = error;
    throw error;
  } finally {
    build.solves.delete(solve);
  }
}

/** LLBBridge/Evaluate: results are whole when they are given. */
export function evaluate(build: OpenBuild, { ref }: ValueOf<typeof evaluateRequest>): Record<string, never> {
  resultNamed(build, ref);
  return {};
}

/** LLBBridge/Return: what Control/Solve goes on with. */
export function giveBack(build: OpenBuild, { result, error }: ValueOf<typeof returnRequest>): Record<string, never> {
  if (error && error.code !== 0) {
    build.returned.resolve({ kind: 'failed', failure: build.failure ?? failureOf(error.code, error.message) });
    return {};
  }
  const named = [result?.ref?.id ?? '', ...[...(result?.refs?.refs ?? [])].map(([, { id }]) => id)];
  for (const id of named) if (id !== '') resultNamed(build, id);
  // In the order in which they were asked for: the client's map has none.
  const images = [...build.results].flatMap(([id, image]) => (named.includes(id) ? image : []));
  const given = images.length === 0 ? undefined : { ref: build.request.ref, images, metadata: new Map() };
  build.returned.resolve({ kind: 'result', result: given });
  return {};
}

function answerOf(
  { results }: OpenBuild,
  result: FrontendResult | undefined,
): Partial<ValueOf<typeof bridgeSolveResponse>> {
  if (!result) return {};
  const { images, metadata } = result;
  const refOf = (built: BuiltImage) => {
    const id = randomBytes(12).toString('hex');
    results.set(id, built);
    return { id, definition: definitionOf(built.image) };
  };
  const [first, ...others] = images;
  if (!first) return { result: { ref: undefined, refs: undefined, metadata } };
  if (others.length === 0) return { result: { ref: refOf(first), refs: undefined, metadata } };
  const refs = new Map(images.map((built) => [built.platform, refOf(built)]));
  const platforms = images.map(({ platform }) => ({ ID: platform, Platform: parsePlatform(platform) }));
  const list = Buffer.from(JSON.stringify({ Platforms: platforms }));
  return { result: { ref: undefined, refs: { refs }, metadata: new Map([...metadata, ['refs.platforms', list]]) } };
}

function resultNamed({ results }: OpenBuild, id: string): BuiltImage {
  const result = results.get(id);
  if (!result) throw new Failure('not-found', 'NO_RESULT', `no such ref: ${id.slice(0, 100)}`);
  return result;
}

function graphResult(ref: string, definition: Definition | undefined): FrontendResult | undefined {
  if (!definition || definition.operations.length === 0) return undefined;
  const image = {
    image: linkedImage(definition),
    build: '',
    platform: formatPlatform(hostPlatform()),
    attestations: [],
  };
  return { ref, images: [image], metadata: new Map() };
}

/** Contexts of other targets, by the images that they are. */
function withInputs(
  attrs: ReadonlyMap<string, string>,
  inputs: ReadonlyMap<string, Definition>,
): ReadonlyMap<string, string> {
  const changed = [...attrs].map(([name, value]): [string, string] => {
    const input = value.startsWith('input:') ? inputs.get(value.slice('input:'.length)) : undefined;
    return [name, input ? `docker-image://${linkedImage(input)}` : value];
  });
  return new Map(changed.filter(([name]) => !name.startsWith('input-metadata:')));
}

function linkedImage(definition: Definition): string {
  const image = imageOf(definition);
  if (image === undefined) throw noGraphs();
  return parseImageId(image);
}
