import { Failure } from '../../lib/error.ts';
import type { LayerStack } from '../../tar/stack/layer-stack.ts';
import { type Found, historyOf } from '../../tar/stack/path-history.ts';

export interface ResolvedPath {
  /** Without leading slash and symlinks; '' is the root. */
  readonly path: string;
  /** Undefined when nothing is there. */
  readonly found: Found | undefined;
}

const LINK_LIMIT = 255;
const PATH_LIMIT = 4096;

/**
 * Follows the symlinks of a path inside the image: an absolute one starts at the image's root, and `..` never leaves it.
 * A symlink in the last name is followed unless `last` is `kept`. From the first name that does not exist on, the path
 * is taken as written.
 */
export function resolvePath(stack: LayerStack, path: string, last: 'followed' | 'kept'): ResolvedPath {
  if (path.length > PATH_LIMIT) throw new Failure('invalid', 'PATH_TOO_LONG', `the path has ${path.length} characters`);
  const pending = path.split('/').reverse();
  let at = '';
  let links = 0;
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
      continue;
    }
    const next = at === '' ? name : `${at}/${name}`;
    const isLast = pending.every((rest) => rest === '');
    const found = isLast && last === 'kept' ? undefined : findAt(stack, next);
    if (found?.entry.type === 'symlink') {
      if (++links > LINK_LIMIT)
        throw new Failure('invalid', 'TOO_MANY_LINKS', `too many symbolic links on the way to "${path}" in the image`);
      const target = found.entry.linkTarget ?? '';
      if (target.startsWith('/')) at = '';
      pending.push(...target.split('/').reverse());
    } else at = next;
  }
  return { path: at, found: findAt(stack, at) };
}

/** What the whole stack shows at `path`, symlinks not followed. The root is there even when no layer has a row for it. */
function findAt(stack: LayerStack, path: string): Found | undefined {
  return historyOf(stack, stack.place(path)).final;
}
