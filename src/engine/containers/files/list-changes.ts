import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Container } from '../../../container/container.ts';
import { findMountTargets } from '../../../container/mount-targets.ts';
import { isAlive } from '../../../container/record.ts';
import { type FileStat, getXattr, statFile } from '../../../host/file-system-calls.ts';
import { systemCode } from '../../../lib/error.ts';
import type { Store } from '../../../store/open-store.ts';
import { decodeName, pathInFolder } from '../../../tar/names.ts';
import { OPAQUE_VALUE, OPAQUE_XATTR } from '../../../tar/whiteout.ts';
import type { ChangeRow } from '../../../wire/container-details.ts';
import { isFolder } from './mounted-tree.ts';

const MODIFIED = 0;
const ADDED = 1;
const DELETED = 2;

/**
 * What a container changed in its file system, sorted by path: from its writable layer and the names in the layers below,
 * no content is read. What the host put there for mounts does not count.
 */
export function listChanges(container: Container, store: Pick<Store, 'layers' | 'containers'>): ChangeRow[] {
  const { layers, containers } = store;
  const below = layers.chain(containers.layersOf(container.id)).map(({ id }) => join(layers.folder(id), 'diff'));
  const { upper } = container.snapshot;
  const { phase } = container.record;
  const own = isAlive(phase) ? findMountTargets(upper, phase.targets) : new Set<string>();
  const rows: ChangeRow[] = [];
  walk({ upper, path: '', folders: below.toReversed() }, own, rows);
  return rows;
}

interface Folder {
  readonly upper: string;
  /** Without leading slash. */
  readonly path: string;
  /** Roots of the layers in which the folder is seen, nearest first. */
  readonly folders: readonly string[];
}

function walk(folder: Folder, own: ReadonlySet<string>, rows: ChangeRow[]): void {
  const { upper, path } = folder;
  for (const name of namesIn(pathInFolder(upper, path))) {
    const child = path === '' ? name : `${path}/${name}`;
    if (own.has(`/${child}`)) continue;
    const stat = statOrGone(pathInFolder(upper, child));
    if (!stat) continue;
    const Path = `/${child}`;
    const below = findBelow(folder.folders, child);
    if (isWhiteout(stat)) {
      if (below.exists) rows.push({ Path, Kind: DELETED });
      continue;
    }
    rows.push({ Path, Kind: below.exists ? MODIFIED : ADDED });
    if (!isFolder(stat)) continue;
    const told = rows.length;
    const hidden = isOpaque(pathInFolder(upper, child));
    if (hidden) for (const gone of goneFrom(upper, child, below.folders)) rows.push({ Path: gone, Kind: DELETED });
    walk({ upper, path: child, folders: hidden ? [] : below.folders }, own, rows);
    // Overlayfs copies a folder up for less than a change that stays.
    if (rows.length === told && isLike(stat, below.folders[0], child)) rows.pop();
  }
}

/** True when the folder is in the layer below with the same rights. Its time says only that its entries changed. */
function isLike(stat: FileStat, root: string | undefined, path: string): boolean {
  const below = root === undefined ? undefined : statOrGone(pathInFolder(root, path));
  return below !== undefined && below.mode === stat.mode && below.uid === stat.uid && below.gid === stat.gid;
}

/** Whether lower layers show something at `path`, and in which of them it is one folder. */
function findBelow(roots: readonly string[], path: string): { exists: boolean; folders: string[] } {
  const folders: string[] = [];
  for (const root of roots) {
    const place = pathInFolder(root, path);
    const stat = statOrGone(place);
    if (!stat) continue;
    if (!isFolder(stat)) return { exists: folders.length > 0 || !isWhiteout(stat), folders };
    folders.push(root);
    if (isOpaque(place)) break;
  }
  return { exists: folders.length > 0, folders };
}

/** What the layers below show in a folder that hides them, and that is not there anew. */
function goneFrom(upper: string, path: string, roots: readonly string[]): string[] {
  const names = new Set(roots.flatMap((root) => namesIn(pathInFolder(root, path))));
  return [...names]
    .filter((name) => findBelow(roots, `${path}/${name}`).exists && !statOrGone(pathInFolder(upper, `${path}/${name}`)))
    .sort()
    .map((name) => `/${path}/${name}`);
}

function namesIn(folder: string | Buffer): string[] {
  try {
    return readdirSync(folder, { encoding: 'buffer' }).map(decodeName).sort();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return []; // a running container changes it meanwhile
    throw error;
  }
}

function statOrGone(path: string | Buffer): FileStat | undefined {
  try {
    return statFile(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

function isWhiteout({ mode, major, minor }: FileStat): boolean {
  return (mode & 0o170000) === 0o020000 && major === 0 && minor === 0;
}

function isOpaque(folder: string | Buffer): boolean {
  return getXattr(folder, OPAQUE_XATTR)?.toString() === OPAQUE_VALUE;
}
