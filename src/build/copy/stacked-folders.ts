import { readdirSync, readlinkSync } from 'node:fs';
import { getXattr } from '../../host/file-system-calls.ts';
import { Failure } from '../../lib/error.ts';
import { decodeName, pathInFolder } from '../../tar/names.ts';
import { OPAQUE_VALUE, OPAQUE_XATTR } from '../../tar/whiteout.ts';
import { Format, type QuickStat, quickStat } from '../context/quick-stat.ts';
import { joinPath } from '../context/source-file.ts';

/** What an image has under a name. */
export interface StackedEntry {
  readonly stat: QuickStat;
  /** Where it is on disk. */
  readonly place: string;
  /** Number of the layer that it is in, from 0 for the bottom. */
  readonly layer: number;
}

/** A place in an image: where a path leads once every symlink on it is followed inside the root. */
export interface ResolvedPath {
  /** Without leading slash; '' is the root. */
  readonly path: string;
  /** Undefined when nothing is there. */
  readonly entry: StackedEntry | undefined;
}

interface MergedFolder {
  /** Top first. */
  readonly places: readonly { readonly place: string; readonly layer: number }[];
}

const LINK_LIMIT = 255;

/**
 * An image's file system, read straight from the folders of its layers as overlayfs would show it, without a mount. For a
 * few paths that is cheaper than reading the indexes of the layers. Paths are below the root, without `.` and `..`.
 */
export class StackedFolders {
  readonly #folders = new Map<string, MergedFolder>();

  /** `layers` are folders that have a `diff`, bottom first. */
  constructor(layers: readonly string[]) {
    const places = layers.map((folder, layer) => ({ place: `${folder}/diff`, layer })).reverse();
    this.#folders.set('', { places });
  }

  /** The entry itself; symlinks are not followed, neither in the last name nor before. */
  lookup(path: string): StackedEntry | undefined {
    if (path === '') {
      const [top] = this.#merged('').places;
      const stat = top && quickStat(top.place);
      return stat && { stat, ...top };
    }
    const { parent, name } = split(path);
    for (const { place, layer } of this.#merged(parent).places) {
      const own = `${place}/${name}`;
      const stat = quickStat(pathInFolder(own, ''));
      if (stat) return isWhiteout(stat) ? undefined : { stat, place: own, layer };
    }
    return undefined;
  }

  /** Names in a folder, sorted by UTF-16 code units. */
  names(folder: string): string[] {
    const shown = new Set<string>();
    const hidden = new Set<string>();
    for (const { place } of this.#merged(folder).places)
      for (const found of readdirSync(pathInFolder(place, ''), { encoding: 'buffer', withFileTypes: true })) {
        const name = decodeName(found.name);
        if (shown.has(name) || hidden.has(name)) continue;
        const stat = found.isCharacterDevice() ? quickStat(pathInFolder(`${place}/${name}`, '')) : undefined;
        (stat && isWhiteout(stat) ? hidden : shown).add(name);
      }
    return [...shown].sort();
  }

  /** Follows symlinks, the last name's too, inside the root. What does not exist is taken as written. */
  resolve(path: string): ResolvedPath {
    const pending = path.split('/').reverse();
    let at = '';
    let links = 0;
    let entry = this.lookup('');
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        at = split(at).parent;
        entry = this.lookup(at);
        continue;
      }
      const next = joinPath(at, name);
      const found = this.lookup(next);
      if (found?.stat.format === Format.symlink) {
        if (++links > LINK_LIMIT)
          throw new Failure(
            'invalid',
            'TOO_MANY_LINKS',
            `too many symbolic links on the way to "/${path}" in the image`,
          );
        const target = decodeName(readlinkSync(pathInFolder(found.place, ''), { encoding: 'buffer' }));
        if (target.startsWith('/')) at = '';
        pending.push(...target.split('/').reverse());
      } else {
        at = next;
        entry = found;
      }
    }
    return { path: at, entry: at === '' ? this.lookup('') : entry };
  }

  /** The folders of which overlayfs merges `path`. */
  #merged(path: string): MergedFolder {
    const known = this.#folders.get(path);
    if (known) return known;
    const { parent, name } = split(path);
    const places: { place: string; layer: number }[] = [];
    for (const { place, layer } of this.#merged(parent).places) {
      const own = `${place}/${name}`;
      const stat = quickStat(pathInFolder(own, ''));
      if (!stat) continue;
      if (stat.format !== Format.directory) break;
      places.push({ place: own, layer });
      if (getXattr(pathInFolder(own, ''), OPAQUE_XATTR)?.toString() === OPAQUE_VALUE) break;
    }
    const merged = { places };
    this.#folders.set(path, merged);
    return merged;
  }
}

function isWhiteout(stat: QuickStat): boolean {
  return stat.format === Format.char && stat.major === 0 && stat.minor === 0;
}

function split(path: string): { parent: string; name: string } {
  const slash = path.lastIndexOf('/');
  return { parent: slash < 0 ? '' : path.slice(0, slash), name: path.slice(slash + 1) };
}
