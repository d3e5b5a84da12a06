import { posix } from 'node:path';
import { compileGlob, hasWildcard } from '../../dockerfile/glob.ts';
import { compileIgnorePattern, IgnoreMatcher } from '../../dockerfile/ignore.ts';
import { Failure } from '../../lib/error.ts';
import { joinPath, type SourceFile, type SourceTree, type WalkOptions } from '../context/source-file.ts';
import type { ModeChange } from './file-mode.ts';
import type { Owner } from './owner.ts';

/** One source that a COPY names, wildcards and symlinks followed. */
export interface Selection {
  /** As found by name: what the destination's name comes from. A symlink that was followed may lead elsewhere. */
  readonly path: string;
  /** The file itself, or the folder whose content is meant. */
  readonly root: SourceFile;
  /** Visits what is copied: the file, or everything in the folder, sorted, each folder before its content. */
  walk(visit: (file: SourceFile) => void, options?: WalkOptions): void;
  /** Where to part the walk in two, when that is worth it. */
  middle?(): string | undefined;
  /** Found in the context, a stage or an image, or a download that is to be unpacked: ADD unpacks only such archives. */
  readonly isInTree: boolean;
  /** Folder below the destination, for `--parents`. */
  readonly into: string;
  readonly attributes: CopyAttributes;
}

/** How what is copied differs from its source. */
export interface CopyAttributes {
  /** Undefined to keep the source's. */
  readonly owner: Owner | undefined;
  /** Undefined to keep the source's permission bits. */
  readonly mode: ModeChange | undefined;
  /** The source is in the store and never changes: its files are linked where that makes no difference. */
  readonly isShared: boolean;
}

export interface SelectOptions {
  /** `COPY` or `ADD`, for messages. */
  readonly instruction: string;
  /** The tree is the build context: a path may not lead out of it. */
  readonly isContext: boolean;
  readonly excludes: readonly string[];
  readonly parents: boolean;
  readonly attributes: CopyAttributes;
}

const LINK_LIMIT = 255;

/** Finds the sources that a path or wildcard names. A wildcard may name none; a path that is not there is a Failure. */
export function selectSources(tree: SourceTree, written: string, options: SelectOptions): Selection[] {
  const { clean, pivot } = cleanSource(written, options);
  const selections: Selection[] = [];
  const select = (path: string, root: SourceFile) => {
    const isFolder = root.type === 'directory';
    const walk = isFolder ? contentOf(tree, root, options.excludes) : (visit: Visit) => visit(root);
    const below = options.parents ? path.slice(Math.min(pivot, path.length)) : '';
    const into = isFolder ? below : below.slice(0, Math.max(0, below.lastIndexOf('/')));
    const middle = () => (isFolder && options.excludes.length === 0 ? tree.middle?.(root.path) : undefined);
    selections.push({ path, root, walk, middle, into, attributes: options.attributes, isInTree: true });
  };
  if (!hasWildcard(clean)) {
    const root = resolveSource(tree, clean);
    if (!root) throw missing(clean, options);
    select(clean, root);
    return selections;
  }
  for (const path of expand(tree, clean)) {
    const root = resolveSource(tree, path);
    if (!root) throw missing(path, options);
    select(path, root);
  }
  return selections;
}

/** Follows every symlink on the way, the last name's too, as if the tree's root were that of the system. */
export function resolveSource(tree: SourceTree, path: string): SourceFile | undefined {
  const pending = path.split('/').reverse();
  let at = tree.find('');
  let links = 0;
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === '' || name === '.') continue;
    if (at?.type !== 'directory') return undefined;
    if (name === '..') {
      at = tree.find(at.path.includes('/') ? at.path.slice(0, at.path.lastIndexOf('/')) : '');
      continue;
    }
    const next = tree.find(joinPath(at.path, name));
    if (!next) return undefined;
    if (next.linkTarget === undefined) {
      at = next;
      continue;
    }
    if (++links > LINK_LIMIT) return undefined;
    if (next.linkTarget.startsWith('/')) at = tree.find('');
    pending.push(...next.linkTarget.split('/').reverse());
  }
  return at;
}

/** A path below the root, without `.` and `..`, and where the part starts that `--parents` keeps. */
function cleanSource(written: string, { instruction, isContext }: SelectOptions): { clean: string; pivot: number } {
  const relative = written.replace(/^\/+/, '');
  const normal = posix.normalize(relative).replace(/\/$/, '');
  if (isContext && (normal === '..' || normal.startsWith('../')))
    throw new Failure(
      'invalid',
      'COPY_OUTSIDE_CONTEXT',
      `${instruction} failed: forbidden path outside the build context: ${normal} ()`,
      { hint: 'files of the build context only can be copied; choose a folder further up as context' },
    );
  const clean = posix.normalize(`/${relative}`).replace(/^\/|\/$/g, '');
  const marker = relative.indexOf('/./');
  const before = marker < 0 ? '' : posix.normalize(`/${relative.slice(0, marker)}`).replace(/^\/|\/$/g, '');
  return { clean, pivot: before === '' ? 0 : before.length + 1 };
}

/** Paths that match, in order. Symlinks before the first wildcard are followed, later ones are not. */
function* expand(tree: SourceTree, pattern: string): Generator<string> {
  const names = pattern.split('/');
  const first = names.findIndex(hasWildcard);
  const start = resolveSource(tree, names.slice(0, first).join('/'));
  if (start?.type === 'directory') yield* match(names.slice(0, first).join('/'), start.path, names.slice(first));

  /** `shown` is the folder as the pattern names it, `real` as it is. */
  function* match(shown: string, real: string, rest: readonly string[]): Generator<string> {
    const [name = '', ...deeper] = rest;
    const glob = compileGlob(name);
    if (!glob) return; // a malformed pattern matches nothing, as in Docker
    for (const found of tree.names(real)) {
      if (!glob.matches(found)) continue;
      if (deeper.length === 0) yield joinPath(shown, found);
      else if (tree.find(joinPath(real, found))?.type === 'directory')
        yield* match(joinPath(shown, found), joinPath(real, found), deeper);
    }
  }
}

type Visit = (file: SourceFile) => void;
type Walk = Selection['walk'];

/** A walk of a folder. An excluded folder stays when an exception keeps something in it. */
function contentOf(tree: SourceTree, root: SourceFile, excludes: readonly string[]): Walk {
  if (excludes.length === 0) return (visit, options) => tree.walk(root.path, visit, options);
  const matcher = new IgnoreMatcher(excludes.map(compileIgnorePattern));
  const start = root.path === '' ? 0 : root.path.length + 1;
  return (visit, options) => {
    const pending: SourceFile[] = [];
    const choose = (file: SourceFile) => {
      while (pending.length > 0 && !file.path.startsWith(`${pending.at(-1)?.path}/`)) pending.pop();
      if (matcher.ignores(file.path.slice(start))) {
        if (file.type === 'directory') pending.push(file);
        return;
      }
      for (const folder of pending.splice(0)) visit(folder);
      visit(file);
    };
    tree.walk(root.path, choose, options);
  };
}

function missing(path: string, { instruction, isContext }: SelectOptions): Failure {
  const where = isContext ? 'file not found in build context or excluded by .dockerignore: ' : '';
  return new Failure('not-found', 'COPY_SOURCE', `${instruction} failed: ${where}stat ${path}: file does not exist`);
}
