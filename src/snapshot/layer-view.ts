import { join } from 'node:path';
import { Failure } from '../lib/error.ts';
import type { LayerEntry } from '../tar/layer-entry.ts';
import { readLayerIndex } from '../tar/layer-index.ts';
import { pathInFolder } from '../tar/names.ts';

/** What stands at a path of stacked layers. */
export interface FoundEntry {
  /** The row, its `path` with every symlink on the way resolved. A hard link shows the row of its file under its own path. */
  readonly entry: LayerEntry;
  /** Folder of the layer that has it. */
  readonly layer: string;
  /** The file in the layer's tree. */
  readonly diskPath: string | Buffer;
}

/** As many links as the kernel follows in one path. */
const LINK_LIMIT = 40;

/** A directory and the layers that contribute to it, the nearest first. */
interface Place {
  readonly found: FoundEntry;
  readonly tables: readonly LayerTable[];
}

/**
 * Looks into stacked layers through their indexes, as the mounted overlay would show them: whiteouts and opaque
 * directories hide what is below, symlinks stay inside the root. Nothing is mounted and no directory is read.
 */
export class LayerView {
  readonly #tables: readonly LayerTable[];

  /** Folders of the layers, bottom first, each with `diff` and `index`. */
  constructor(folders: readonly string[], tables: LayerTables) {
    this.#tables = folders.map((folder) => tables.get(folder)).reverse();
  }

  /**
   * What `path` leads to, or undefined. Symlinks on the way are followed, one at the end only with `followLast`. A path
   * through too many links is a Failure of kind `invalid`.
   */
  lookup(path: string, options: { readonly followLast: boolean }): FoundEntry | undefined {
    return this.#walk(path, options.followLast)?.found;
  }

  /** What is in the directory that `path` leads to, sorted by name; undefined when it is no directory. */
  list(path: string): FoundEntry[] | undefined {
    const place = this.#walk(path, true);
    if (place?.found.entry.type !== 'directory') return undefined;
    const directory = place.found.entry.path;
    const names = new Set<string>();
    for (const table of place.tables) for (const name of table.names(directory)) names.add(name);
    return [...names].sort().flatMap((name) => this.#child(place, name)?.found ?? []);
  }

  #walk(path: string, followLast: boolean): Place | undefined {
    const pending = path.split('/').reverse();
    const parents = [this.#root()];
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      const place = parents.at(-1);
      if (!place) return undefined;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (parents.length > 1) parents.pop();
        continue;
      }
      const child = this.#child(place, name);
      if (!child) return undefined;
      const { type, linkTarget } = child.found.entry;
      if (type === 'symlink' && linkTarget !== undefined && (followLast || pending.length > 0)) {
        if (++links > LINK_LIMIT)
          throw new Failure('invalid', 'TOO_MANY_LINKS', `"${path}" goes through too many symbolic links`);
        if (linkTarget.startsWith('/')) parents.length = 1;
        pending.push(...linkTarget.split('/').reverse());
      } else if (type === 'directory') parents.push(child);
      else return pending.length === 0 ? child : undefined;
    }
    return parents.at(-1);
  }

  #root(): Place {
    const tables: LayerTable[] = [];
    for (const table of this.#tables) {
      tables.push(table);
      if (table.isOpaque('')) break;
    }
    const stated = tables.find((table) => table.get('') !== undefined) ?? tables[0];
    return { found: foundIn(stated?.folder ?? '', stated?.get('') ?? DEFAULT_ROOT), tables };
  }

  #child(place: Place, name: string): Place | undefined {
    const directory = place.found.entry.path;
    const path = directory === '' ? name : `${directory}/${name}`;
    const tables: LayerTable[] = [];
    let found: FoundEntry | undefined;
    for (const table of place.tables) {
      const entry = table.get(path);
      if (!entry) continue;
      if (entry.type === 'whiteout') break;
      if (entry.type !== 'directory') {
        found ??= foundIn(table.folder, table.withoutHardLink(entry));
        break;
      }
      found ??= foundIn(table.folder, entry);
      tables.push(table);
      if (table.isOpaque(path)) break;
    }
    return found && { found, tables };
  }
}

/** The rows of one layer by path. */
export class LayerTable {
  readonly folder: string;
  readonly size: number;
  readonly #rows = new Map<string, LayerEntry>();
  readonly #opaque = new Set<string>();
  #names: Map<string, string[]> | undefined;

  constructor(folder: string) {
    this.folder = folder;
    const { entries } = readLayerIndex(join(folder, 'index'));
    this.size = entries.length;
    for (const entry of entries) {
      if (entry.type === 'opaque') this.#opaque.add(entry.path);
      else this.#rows.set(entry.path, entry);
    }
  }

  get(path: string): LayerEntry | undefined {
    return this.#rows.get(path);
  }

  isOpaque(directory: string): boolean {
    return this.#opaque.has(directory);
  }

  /** A hard link's row with type, size and digest of its file. */
  withoutHardLink(entry: LayerEntry): LayerEntry {
    const first = entry.type === 'hardlink' ? this.#rows.get(entry.linkTarget ?? '') : undefined;
    return first ? { ...first, path: entry.path } : entry;
  }

  /** Names that this layer has in a directory, deleted ones included. */
  names(directory: string): readonly string[] {
    if (!this.#names) {
      this.#names = new Map();
      for (const path of this.#rows.keys()) {
        if (path === '') continue;
        const slash = path.lastIndexOf('/');
        const parent = slash < 0 ? '' : path.slice(0, slash);
        const names = this.#names.get(parent);
        if (names) names.push(path.slice(slash + 1));
        else this.#names.set(parent, [path.slice(slash + 1)]);
      }
    }
    return this.#names.get(directory) ?? [];
  }
}

/** Remembers the tables of layers that were used last, which never change, up to a number of rows. */
export class LayerTables {
  readonly #limit: number;
  readonly #known = new Map<string, LayerTable>();
  #rows = 0;

  constructor(limit = 500_000) {
    this.#limit = limit;
  }

  get(folder: string): LayerTable {
    const table = this.#known.get(folder) ?? new LayerTable(folder);
    if (this.#known.delete(folder)) this.#rows -= table.size;
    this.#known.set(folder, table);
    this.#rows += table.size;
    for (const [oldest, { size }] of this.#known) {
      if (this.#rows <= this.#limit || oldest === folder) break;
      this.#known.delete(oldest);
      this.#rows -= size;
    }
    return table;
  }
}

const foundIn = (folder: string, entry: LayerEntry): FoundEntry => ({
  entry,
  layer: folder,
  diskPath: pathInFolder(join(folder, 'diff'), entry.path),
});

const DEFAULT_ROOT: LayerEntry = {
  path: '',
  type: 'directory',
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0,
  mtimeNsec: 0,
  offset: -1,
};
