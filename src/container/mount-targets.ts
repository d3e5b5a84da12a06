import { lstatSync, readdirSync, readlinkSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs';
import { join, posix } from 'node:path';
import { statFile } from '../host/file-system-calls.ts';
import { makeInside, openInside, realPathInside } from '../host/inside-root.ts';
import { systemCode } from '../lib/error.ts';

export interface MountTarget {
  readonly destination: string;
  readonly kind: 'folder' | 'file';
}

/** The list of mounts where many programs look for it: a link to that of the kernel. */
const MOUNT_LIST = { folder: '/etc', name: 'mtab', target: '/proc/mounts' };

/** What was put into a container's writable layer so that something can be mounted there, or for its run. Part of its record. */
export interface MadeTargets {
  /** Paths in the layer, outermost first. */
  readonly made: readonly string[];
  /** Folders that came into the layer from below for that, with their change time. */
  readonly raised: readonly { readonly path: string; readonly changed: string }[];
}

/**
 * Makes the mount targets and the /etc/mtab that a file system lacks, so that they can be taken away again: a step's layer and a
 * container's changes hold what its program did, nothing else. `root` is the mounted overlay, `upper` its top.
 */
export function makeMountTargets(root: string, upper: string, targets: readonly MountTarget[]): MadeTargets {
  const made: string[] = [];
  const raised = new Set<string>();
  // Overlayfs copies folders up on the first change in them: those that are not in the layer yet.
  const note = (folder: string) => {
    for (let at = folder; at !== '/' && !isIn(upper, at); at = posix.dirname(at)) raised.add(at);
  };
  for (const { destination, kind } of targets.filter((target) => !isBelowAnother(target, targets)))
    made.push(...makeInsideNoting(root, destination, kind, note));
  if (!targets.some(({ destination }) => destination === MOUNT_LIST.folder)) made.push(...linkMountList(root, note));
  const own = new Set(made);
  return {
    made,
    raised: [...raised]
      .filter((path) => !own.has(path))
      .map((path) => ({ path, changed: changeTime(join(upper, path)) })),
  };
}

/** Takes them away, unless the container's program has put something there. Idempotent. */
export function removeMountTargets(upper: string, targets: MadeTargets): void {
  for (const path of findMountTargets(upper, targets)) {
    const place = join(upper, path);
    if (lstatSync(place).isDirectory()) rmdirSync(place);
    else unlinkSync(place);
  }
}

/** What of them is still there, with nothing in it that the container's program has put there; what is inside first. */
export function findMountTargets(upper: string, { made, raised }: MadeTargets): ReadonlySet<string> {
  const found = new Set<string>();
  const note = (path: string) => {
    const stat = lstatSync(join(upper, path), { throwIfNoEntry: false });
    const isEmpty = stat?.isSymbolicLink()
      ? readlinkSync(join(upper, path)) === MOUNT_LIST.target
      : stat?.isDirectory()
        ? readdirSync(join(upper, path)).every((name) => found.has(posix.join(path, name)))
        : stat?.isFile() && stat.size === 0;
    if (isEmpty) found.add(path);
  };
  for (const path of made.toReversed()) note(path);
  const untouched = raised.filter(({ path, changed }) => changeTime(join(upper, path)) === changed);
  for (const { path } of untouched.toSorted((a, b) => b.path.length - a.path.length)) note(path);
  return found;
}

/** A target below another one lies in what is mounted there. */
function isBelowAnother({ destination }: MountTarget, targets: readonly MountTarget[]): boolean {
  return targets.some((other) => destination.startsWith(`${other.destination}/`));
}

/** `makeInside`, one component at a time; tells the real path of each folder before something is made in it. */
function makeInsideNoting(
  root: string,
  path: string,
  kind: MountTarget['kind'],
  note: (folder: string) => void,
): string[] {
  if (realPathInside(root, path) !== undefined) return [];
  const made: string[] = [];
  const parts = path.split('/').filter(Boolean);
  for (const index of parts.keys()) {
    const isLast = index === parts.length - 1;
    const at = `/${parts.slice(0, index + 1).join('/')}`;
    if (!isLast && realPathInside(root, at) !== undefined) continue;
    const folder = realPathInside(root, posix.dirname(at));
    if (folder !== undefined) note(folder);
    for (const one of makeInside(root, at, isLast ? kind : 'folder')) made.push(realPathInside(root, one) ?? one);
  }
  return made;
}

/** Where there is a folder for it, and nothing of that name. */
function linkMountList(root: string, note: (folder: string) => void): string[] {
  const { folder, name, target } = MOUNT_LIST;
  const real = realPathInside(root, folder);
  if (real === undefined) return [];
  using opened = openInside(root, real);
  const place = `${opened.path}/${name}`;
  if (!lstatSync(`${opened.path}/.`).isDirectory() || lstatSync(place, { throwIfNoEntry: false })) return [];
  note(real);
  symlinkSync(target, place);
  return [posix.join(real, name)];
}

function isIn(upper: string, path: string): boolean {
  return lstatSync(join(upper, path), { throwIfNoEntry: false }) !== undefined;
}

function changeTime(path: string): string {
  try {
    const { seconds, nanoseconds } = statFile(path).changed;
    return `${seconds}.${nanoseconds}`;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  }
}
