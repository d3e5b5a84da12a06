import { compareEntries, type EntryHeader, type LayerEntry } from './layer-entry.ts';
import type { PlacedEntry } from './pack-layer.ts';

/** The rows of a layer and the folder with its tree. */
export interface LayerRows {
  readonly rows: readonly LayerEntry[];
  readonly tree: string;
}

/**
 * What overlayfs would show of layers, bottom first, as the entries of one tar in its canonical order: no whiteouts, and
 * hard links that point inside the result. Nothing is mounted and no file is read.
 */
export function mergeLayers(layers: readonly LayerRows[]): PlacedEntry[] {
  const merge = new Merge();
  for (const layer of layers.toReversed()) merge.add(layer);
  return merge.finish();
}

interface ShownEntry {
  /** With the attributes of the file it links to, when it is a hard link. */
  readonly entry: EntryHeader;
  readonly tree: string;
  /** The file in its layer, when it may have several names there. */
  readonly inode: string | undefined;
}

/** Takes layers from the top down. */
class Merge {
  readonly #shown = new Map<string, ShownEntry>();
  /** Paths at which an upper layer has something that is no folder: it covers what is there and below. */
  #covers = new Set<string>();
  /** Folders whose lower content an upper layer hides. */
  #opaque = new Set<string>();

  add({ rows, tree }: LayerRows): void {
    const targets = new Map<string, LayerEntry>();
    const linked = new Set<string>();
    for (const row of rows)
      if (row.type === 'hardlink' && row.linkTarget !== undefined) linked.add(row.linkTarget);
      else if (row.type !== 'whiteout' && row.type !== 'opaque') targets.set(row.path, row);
    const hidden = new Map<string, boolean>([['', this.#opaque.has('')]]);
    const isHiddenFolder = (folder: string): boolean => {
      let known = hidden.get(folder);
      if (known === undefined) {
        known = this.#covers.has(folder) || this.#opaque.has(folder) || isHiddenFolder(parentOf(folder));
        hidden.set(folder, known);
      }
      return known;
    };
    const covers = new Set(this.#covers);
    const opaque = new Set(this.#opaque);
    for (const row of rows) {
      if (row.type === 'opaque') {
        opaque.add(row.path);
        continue;
      }
      if (row.type !== 'directory') covers.add(row.path);
      if (row.type === 'whiteout' || this.#shown.has(row.path) || this.#covers.has(row.path)) continue;
      if (row.path !== '' && isHiddenFolder(parentOf(row.path))) continue;
      const target = row.type === 'hardlink' ? targets.get(row.linkTarget ?? '') : undefined;
      const first = target?.path ?? (linked.has(row.path) ? row.path : undefined);
      const entry = target ? { ...target, path: row.path } : row;
      this.#shown.set(row.path, { entry, tree, inode: first === undefined ? undefined : `${tree}\0${first}` });
    }
    this.#covers = covers;
    this.#opaque = opaque;
  }

  finish(): PlacedEntry[] {
    const first = new Map<string, string>();
    const root = this.#shown.get('')?.entry;
    // As in the canonical tar of a tree, the root is listed only when it is not the usual one.
    if (root?.mode === 0o755 && root.uid === 0 && root.gid === 0) this.#shown.delete('');
    return [...this.#shown.values()]
      .sort((a, b) => compareEntries(a.entry, b.entry))
      .map(({ entry, tree, inode }) => {
        const linkTarget = inode === undefined ? undefined : first.get(inode);
        if (linkTarget !== undefined) return { entry: { ...entry, type: 'hardlink', size: 0, linkTarget }, tree };
        if (inode !== undefined) first.set(inode, entry.path);
        return { entry, tree };
      });
  }
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));
