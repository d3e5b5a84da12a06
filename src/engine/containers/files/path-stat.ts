import { posix } from 'node:path';
import { Failure, systemCode } from '../../../lib/error.ts';
import type { PathStat } from '../../../wire/container-details.ts';
import { isFolder, isLink, type MountedTree } from './mounted-tree.ts';

/** A path as a client of `cp` writes it, found in a container. */
export interface FoundPath {
  /** Absolute, with the `/` or `/.` that it ended in. */
  readonly absolute: string;
  /** Where it is; the last name may be a link unless the path ended in `/` or `/.`. */
  readonly real: string;
  /** Name of the first entry of its archive: the last one of the path, `.` or `/`. */
  readonly base: string;
}

/**
 * Finds what a client names, as Docker does: links in folders are followed, the last name is not unless `/` or `/.` comes
 * after it. Nothing there is a `not-found` Failure in Docker's words, with the container called `ref`.
 */
export function findPath(tree: MountedTree, path: string, ref: string): FoundPath {
  const absolute = absolutePath(path);
  const slash = absolute.lastIndexOf('/');
  const [folder, name] = [absolute.slice(0, slash), absolute.slice(slash + 1)];
  try {
    const isInside = name === '' || name === '.';
    const parent = tree.resolve(folder, { missing: 'throw' });
    const real = isInside ? parent : posix.join(parent, name);
    if (!isFolder(tree.stat(isInside ? real : parent))) throw notFolder(absolute);
    tree.stat(real);
    return { absolute, real, base: name === '.' ? '.' : posix.basename(absolute) || '/' };
  } catch (error) {
    throw pathFailure(error, { path, absolute, ref });
  }
}

/** The answer of HEAD /containers/{id}/archive. */
export function statPath(tree: MountedTree, found: FoundPath): PathStat {
  const stat = tree.stat(found.real);
  const { seconds, nanoseconds } = stat.modified;
  const whole = new Date(seconds * 1000).toISOString().slice(0, -'.000Z'.length);
  const fraction = nanoseconds === 0 ? '' : `.${String(nanoseconds).padStart(9, '0').replace(/0+$/, '')}`;
  return {
    name: found.base,
    size: stat.size,
    mode: goMode(stat.mode),
    mtime: `${whole}${fraction}Z`,
    linkTarget: isLink(stat) ? targetOf(tree, found.absolute) : '',
  };
}

function targetOf(tree: MountedTree, absolute: string): string {
  try {
    return tree.resolve(absolute, { missing: 'keep' });
  } catch (error) {
    throw pathFailure(error, { path: absolute, absolute, ref: '' });
  }
}

/** Absolute and clean, but for a `/` or `/.` at the end, which says that a folder is meant. */
export function absolutePath(path: string): string {
  const clean = posix.join('/', path).replace(/(?<=.)\/$/, '');
  if (/(?:^|\/)\.$/.test(path)) return `${clean === '/' ? '' : clean}/.`;
  return path.endsWith('/') && clean !== '/' ? `${clean}/` : clean;
}

/** A system error on the way to a path, in Docker's words. */
export function pathFailure(
  error: unknown,
  { path, absolute, ref }: { readonly path: string; readonly absolute: string; readonly ref: string },
): unknown {
  switch (systemCode(error)) {
    case 'ENOENT':
      return new Failure('not-found', 'PATH_NOT_FOUND', `Could not find the file ${path} in container ${ref}`);
    case 'ENOTDIR':
      return notFolder(absolute);
    case 'ELOOP':
      return new Failure('invalid', 'PATH_INVALID', `lstat ${absolute}: too many levels of symbolic links`);
    case 'ENAMETOOLONG':
      return new Failure('invalid', 'PATH_INVALID', `lstat ${absolute}: file name too long`);
    default:
      return error;
  }
}

function notFolder(path: string): Failure {
  return new Failure('invalid', 'PATH_INVALID', `lstat ${path}: not a directory`);
}

const GO_TYPES: ReadonlyMap<number, number> = new Map([
  [0o040000, 2 ** 31],
  [0o120000, 2 ** 27],
  [0o060000, 2 ** 26],
  [0o020000, 2 ** 26 + 2 ** 21],
  [0o010000, 2 ** 25],
  [0o140000, 2 ** 24],
]);

/** Type and permission bits as Go's FileMode has them. */
function goMode(mode: number): number {
  const special = (mode & 0o4000 ? 2 ** 23 : 0) + (mode & 0o2000 ? 2 ** 22 : 0) + (mode & 0o1000 ? 2 ** 20 : 0);
  return (GO_TYPES.get(mode & 0o170000) ?? 0) + special + (mode & 0o777);
}
