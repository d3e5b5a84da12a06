import { join } from 'node:path';
import type { AddInstruction, CopyInstruction } from '../dockerfile/instruction.ts';
import type { StageScope } from '../dockerfile/stage-scope.ts';
import { Failure } from '../lib/error.ts';
import { digestOf, hexOf } from '../oci/digest.ts';
import { type CacheKey, cacheKey, FILES } from './cache-key.ts';
import { nop } from './config-change.ts';
import type { BuildContext } from './context/build-context.ts';
import type { CopyInputs } from './context/copy-inputs.ts';
import { type CopyJob, type CopyRequest, type CopySource, PLAIN_COPY, type SourcePlace } from './copy/copy-request.ts';
import { prepareCopy } from './copy/prepare-copy.ts';
import { isGitUrl, parseGitUrl } from './git/git-source.ts';
import type { BuildSession } from './session.ts';
import { solveVertex } from './solve-vertex.ts';
import { sourceDateComponent } from './source-date.ts';
import { findSource } from './source-place.ts';
import type { StageState, StepPlace, StepResult } from './stage-state.ts';
import type { Execution, SolvedVertex } from './vertex.ts';

/** COPY and ADD: files of the context, of another stage or image, or from a URL become a layer. No container is made. */
export async function copyStep(place: StepPlace, instruction: CopyInstruction | AddInstruction): Promise<StepResult> {
  const { session, state, scope, step } = place;
  const named = instruction.kind === 'COPY' ? instruction.from : undefined;
  const sources = sourcesOf(scope, instruction);
  const paths = sources.flatMap((source) => (source.kind === 'path' ? source.path : []));
  const from = await findSource(place, named, paths);
  const request = requestOf(place, instruction, { sources, from });
  // Names of owners are looked up in the image below: such a copy cannot stand alone.
  const isLinked = instruction.link && /^(\d+(:\d+)?)?$/.test(request.chown ?? '');
  return copy(session, state, isLinked ? { ...request, base: [] } : request, {
    step,
    site: instruction.original,
    isLinked,
  });
}

/** What FROM of a named context does: all its files. */
export async function copyContext(
  session: BuildSession,
  state: StageState,
  context: BuildContext,
  place: CopyPlace,
): Promise<StepResult> {
  const from = { kind: 'context', context } as const;
  const everything = { instruction: 'COPY', sources: [{ kind: 'path', path: '.' }], destination: '/', from } as const;
  return copy(session, state, { ...PLAIN_COPY, ...everything }, place);
}

interface CopyPlace {
  readonly step: number;
  /** See CacheKey. */
  readonly site: string;
  /** `--link`: the layer is the same on every base, so that a change below copies nothing again. */
  readonly isLinked?: boolean;
}

async function copy(
  session: BuildSession,
  state: StageState,
  request: CopyRequest,
  { step, site, isLinked = false }: CopyPlace,
): Promise<StepResult> {
  await using job = await prepareCopy(request, {
    pool: session.workers,
    scratch: session.store.scratch,
    signal: session.signal,
  });
  const keyOf = (inputs: CopyInputs | undefined): CacheKey =>
    cacheKey(site, {
      base: isLinked ? undefined : state.result,
      link: isLinked ? 'yes' : undefined,
      instruction: request.instruction,
      destination: join(request.workdir, request.destination) + (request.destination.endsWith('/') ? '/' : ''),
      chown: request.chown,
      chmod: request.chmod,
      parents: request.parents ? 'yes' : undefined,
      unpack: unpacking(request),
      ...sourceDateComponent(session.sourceDate),
      [FILES]: inputs?.digest,
    });
  const solved = await solveCopy(session, job, step, keyOf);
  const vertex = isLinked ? { ...solved, result: digestOf(`${state.result} ${solved.result}`) } : solved;
  session.trace.solved(step, keyOf(solved.inputs), vertex);
  const flags = request.chown === undefined ? '' : `--chown=${request.chown} `;
  const what = `${vertex.inputs.kind}:${hexOf(vertex.inputs.digest)}`;
  return { createdBy: nop(`${request.instruction} ${flags}${what} in ${request.destination} `, state.config), vertex };
}

/** Which archives are unpacked, as a component of the key. */
function unpacking({ unpack, sources }: CopyRequest): string | undefined {
  if (!unpack) return undefined;
  return sources.some((source) => source.kind === 'url' && source.unpack) ? 'downloads too' : 'yes';
}

/**
 * Finds the result in the cache or copies. When no COPY like this one was ever remembered, the files are not read for the
 * key first: the copy reads each once and its key comes out of that.
 */
async function solveCopy(
  session: BuildSession,
  job: CopyJob,
  step: number,
  keyOf: (inputs: CopyInputs | undefined) => CacheKey,
): Promise<SolvedVertex & { readonly inputs: CopyInputs }> {
  const { vertices, signal } = session;
  const partial = keyOf(undefined);
  const announced = !session.options.noCache && vertices.mayBeKnown(partial) ? await job.inputs({ signal }) : undefined;
  let inputs = announced;
  const execute = async ({ emit, trace }: BuildSession): Promise<Execution> => {
    const layer = await session.snapshots.write(async ({ folder }) => {
      const copied = await job.copy(
        { folder, time: Math.floor(Date.now() / 1000), newest: session.sourceDate },
        {
          signal,
          onProgress: ({ bytes }) => void emit({ type: 'step-progress', step, what: 'copying', current: bytes }),
        },
      );
      inputs = copied.inputs;
      trace.listed(inputs);
      return copied.facts;
    });
    const key = keyOf(inputs);
    await trace.missed(step, key, session.options);
    return { layer, key, partialKey: partial, result: key.digest };
  };
  const asked = announced ? keyOf(announced) : partial;
  const vertex = await solveVertex(session, step, asked, { useCache: announced !== undefined, execute });
  if (!inputs) throw new Failure('internal', 'COPY_INPUTS', 'a copy ended without saying what it copied');
  if (vertex.cached) session.trace.listed(inputs);
  return { ...vertex, inputs };
}

function requestOf(
  { session, state, scope }: StepPlace,
  instruction: CopyInstruction | AddInstruction,
  { sources, from }: { readonly sources: readonly CopySource[]; readonly from: SourcePlace },
): CopyRequest {
  const text = (word: string) => scope.expand(word, instruction.source).text;
  return {
    instruction: instruction.kind,
    sources,
    destination: text(instruction.destination),
    workdir: state.config.WorkingDir ?? '/',
    from,
    chown: instruction.chown === undefined ? undefined : text(instruction.chown),
    chmod: instruction.chmod === undefined ? undefined : text(instruction.chmod),
    excludes: instruction.excludes.map(text),
    parents: instruction.kind === 'COPY' && instruction.parents,
    unpack: instruction.kind === 'ADD' && instruction.unpack !== false,
    base: state.layers.map(({ id }) => session.store.layers.folder(id)),
  };
}

/** In the order written, files of the Dockerfile last. */
function sourcesOf(scope: StageScope, instruction: CopyInstruction | AddInstruction): CopySource[] {
  const { source } = instruction;
  const text = (word: string) => scope.expand(word, source).text;
  const paths = instruction.sources
    .map(text)
    .map(
      (path): CopySource => (instruction.kind === 'ADD' ? addSource(path, instruction, text) : { kind: 'path', path }),
    );
  const inline = instruction.inlineSources.map(
    ({ name, content, expand }): CopySource => ({
      kind: 'inline',
      name,
      content: expand ? scope.expand(content, source, { plainQuotes: true, escape: '\\' }).text : content,
    }),
  );
  return [...paths, ...inline];
}

/** What ADD makes of a source: a repository, a download or a path. */
function addSource(written: string, instruction: AddInstruction, text: (word: string) => string): CopySource {
  const { keepGitDir = false, unpack = false, sources, source } = instruction;
  const checksum = instruction.checksum && text(instruction.checksum);
  const refuse = (message: string) => new Failure('invalid', 'ADD_CHECKSUM', message, { source });
  if (checksum !== undefined && sources.length > 1) throw refuse("checksum can't be specified for multiple sources");
  if (isGitUrl(written)) {
    const git = parseGitUrl(written);
    const wanted = checksum ?? git.checksum;
    return { kind: 'git', source: { ...git, checksum: wanted }, keepGitDir: git.keepGitDir ?? keepGitDir };
  }
  if (/^https?:\/\//.test(written)) return { kind: 'url', url: written, checksum, unpack };
  if (checksum !== undefined) throw refuse("checksum can't be specified for non-HTTP(S) sources");
  return { kind: 'path', path: written };
}
