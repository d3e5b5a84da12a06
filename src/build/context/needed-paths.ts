import { posix } from 'node:path';
import { compileGlob } from '../../dockerfile/glob.ts';
import type { Instruction } from '../../dockerfile/instruction.ts';
import { resolveMount } from '../../dockerfile/mount.ts';
import { StageScope } from '../../dockerfile/stage-scope.ts';
import { resolveFrom, type Stage, type StagePlan } from '../../dockerfile/stages.ts';
import { expandWord, type WordOptions } from '../../dockerfile/word.ts';
import { isFailure } from '../../lib/error.ts';
import { isGitUrl } from '../git/git-source.ts';

/** Paths and wildcards of a context, relative to it; undefined is all of it. */
export type ContextPaths = readonly string[] | undefined;

/**
 * What the stages of a plan take of each context, as far as the file says it: what a variable of a base image stands for
 * is taken as any name, and triggers of base images are not known. The key is a named context's name, undefined for the build's own;
 * a context that is not a key is not used.
 */
export function neededPaths(plan: StagePlan): ReadonlyMap<string | undefined, ContextPaths> {
  const options = { escape: plan.dockerfile.escape };
  const found = new Map<string | undefined, Set<string>>();
  const scopes = new Map<number, StageScope>();
  const take = (stage: Stage, from: string | undefined, paths: readonly string[]): void => {
    const place = from === undefined ? undefined : resolveFrom(from, stage, plan.stages, plan.options.contexts ?? []);
    if (place && place.kind !== 'context') return;
    const list = found.get(place?.name) ?? new Set();
    for (const path of paths) list.add(relative(path));
    if (list.size > 0) found.set(place?.name, list);
  };
  for (const stage of plan.needed) {
    const parent = stage.base.kind === 'stage' ? scopes.get(stage.base.index) : undefined;
    const scope = new StageScope(plan, parent?.environment() ?? [], parent);
    scopes.set(stage.index, scope);
    if (stage.base.kind === 'context') found.set(stage.base.name, new Set(['']));
    for (const instruction of [...stage.triggers, ...stage.instructions])
      try {
        readInstruction(instruction, { scope, options }, (from, paths) => take(stage, from, paths));
      } catch (error) {
        if (!isFailure(error)) throw error; // its step will say it
      }
  }
  return new Map([...found].map(([name, paths]) => [name, paths.has('') ? undefined : [...paths].sort()]));
}

/** Whether everything that `path` may name is among what was needed. */
export function coversPath(needed: ContextPaths, path: string): boolean {
  if (!needed) return true;
  const wanted = relative(path);
  const names = wanted.split('/');
  return needed.some((pattern) => {
    if (pattern === wanted) return true;
    const parts = pattern.split('/');
    if (wanted === '' || parts.length > names.length) return false;
    return parts.every((part, level) => {
      const name = names[level] ?? '';
      return part === name || (!/[*?[\\]/.test(name) && compileGlob(part)?.matches(name) === true);
    });
  });
}

type Take = (from: string | undefined, paths: readonly string[]) => void;

function readInstruction(
  instruction: Instruction,
  { scope, options }: { readonly scope: StageScope; readonly options: WordOptions },
  take: Take,
): void {
  const expand = (word: string) => expandWord(word, (name) => scope.lookup(name) ?? '*', options).text;
  switch (instruction.kind) {
    case 'ARG':
      scope.declare(instruction);
      return;
    case 'ENV': {
      const values = instruction.pairs.map(({ name, value }) => [expand(name), expand(value)] as const);
      for (const [name, value] of values) scope.setEnv(name, value);
      return;
    }
    case 'COPY':
      take(instruction.from, instruction.sources.map(expand));
      return;
    case 'ADD':
      take(undefined, instruction.sources.map(expand).filter(isPath));
      return;
    case 'RUN':
      for (const flag of instruction.mounts) {
        const mount = resolveMount(flag, expand);
        if (mount.type === 'bind' || (mount.type === 'cache' && mount.from !== undefined))
          take(mount.from, [mount.source]);
      }
      return;
    default:
  }
}

/** Of an ADD. */
function isPath(source: string): boolean {
  return !/^https?:\/\//.test(source) && !isGitUrl(source);
}

/** `..` leads nowhere above the context. */
function relative(path: string): string {
  return posix.join('/', path).replace(/^\/|\/$/g, '');
}
