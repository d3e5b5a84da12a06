import { posix } from 'node:path';
import { Failure } from '../../lib/error.ts';

/** One side of a copy: what is known of it before bytes flow. The rules here are those of `docker cp`. */
export interface CopyEnd {
  /** With the `/` or `/.` that it was written with. */
  readonly path: string;
  readonly exists: boolean;
  readonly isFolder: boolean;
}

export interface CopySource extends CopyEnd {
  /** Name of the first entry of its archive. */
  readonly base: string;
}

export interface CopyPlan {
  /** The folder that the archive is unpacked into. */
  readonly folder: string;
  /** The new name of an entry of the archive. */
  readonly rename: (name: string) => string;
}

/** Where an archive of `source` goes, and under which names, so that `destination` is what the user asked for. */
export function planCopy(source: CopySource, destination: CopyEnd): CopyPlan {
  if (destination.exists && destination.isFolder) return { folder: destination.path, rename: (name) => name };
  if (destination.exists && source.isFolder) throw new Failure('invalid', 'COPY_FOLDER', 'cannot copy directory');
  const isFolderName = /(?:^|\/)\.?$/.test(destination.path);
  if (!destination.exists && !source.isFolder && isFolderName)
    throw new Failure('not-found', 'NO_SUCH_FOLDER', 'no such directory');
  const { folder, base } = splitPath(destination.path);
  return { folder, rename: (name) => renameEntry(name, source.base, base) };
}

/** The folder and the last name of a path, which is `.` when the path ends in it. */
export function splitPath(path: string): { readonly folder: string; readonly base: string } {
  const clean = cleanPath(path);
  const full = /(?:^|\/)\.$/.test(path) && clean !== '.' ? `${clean}/.` : clean;
  return { folder: posix.dirname(full), base: posix.basename(full) || '/' };
}

/** Gives entries whose path begins with the name `from` the name `to` instead. */
export function renameEntry(name: string, from: string, to: string): string {
  if (from === '/') return `${to}/${name.replace(/^\/+/, '')}`;
  if (name === from || name.startsWith(`${from}/`)) return to + name.slice(from.length);
  return name;
}

/** Makes a path absolute and clean, but keeps what says that a folder, or its content, is meant. */
export function absolutePath(path: string, current: string): string {
  return withEnding(cleanPath(posix.resolve(current, path)), path);
}

/** `target`, which a link was resolved to, with the `/` or `/.` that `path` ends in. */
export function withEnding(target: string, path: string): string {
  if (/(?:^|\/)\.$/.test(path) && !/(?:^|\/)\.$/.test(target)) return target === '/' ? '/.' : `${target}/.`;
  return path.endsWith('/') && !target.endsWith('/') ? `${target}/` : target;
}

/** `CONTAINER:PATH` taken apart; no container for a path of this machine. */
export function parseCopyArgument(argument: string): { readonly container: string | undefined; readonly path: string } {
  const colon = argument.indexOf(':');
  const isLocal = argument.startsWith('/') || colon < 0 || argument.startsWith('.');
  return isLocal
    ? { container: undefined, path: argument }
    : { container: argument.slice(0, colon), path: argument.slice(colon + 1) };
}

function cleanPath(path: string): string {
  return posix.normalize(path).replace(/(?<=.)\/$/, '');
}
