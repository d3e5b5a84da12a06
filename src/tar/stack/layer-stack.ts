import { comparePaths, type LayerEntry } from '../layer-entry.ts';

/** What one layer says about a path. */
export interface Mark {
  /** Number of the layer, from 0 for the bottom. */
  readonly layer: number;
  /** May be a whiteout, and for a root that only is opaque the mark of that. */
  readonly entry: LayerEntry;
  /** The layer hides what lower layers have inside this directory. */
  readonly opaque: boolean;
}

/** A layer that hides what lower layers have below `path`: it deletes it, replaces it, or has an opaque directory there. */
export interface Cut {
  readonly layer: number;
  readonly path: string;
}

/** A path with everything that a stack of layers says about it. */
export interface Place {
  readonly path: string;
  /** Bottom first. */
  readonly marks: readonly Mark[];
  /** What hides it from above, by layer, bottom first. */
  readonly cuts: readonly Cut[];
}

/**
 * The indexes of a stack of layers read together, as overlayfs lays the layers over each other; nothing is mounted and no
 * file is looked at. A directory that several layers have is merged; everything else hides what is below it.
 * https://github.com/opencontainers/image-spec/blob/main/layer.md#applying-changesets
 */
export class LayerStack {
  readonly #layers: readonly (readonly LayerEntry[])[];

  /** Rows of the indexes, bottom first, each sorted by `compareEntries`. */
  constructor(layers: readonly (readonly LayerEntry[])[]) {
    this.#layers = layers;
  }

  /** How many layers there are. */
  get height(): number {
    return this.#layers.length;
  }

  /** What the layers say about `path`, which has no leading slash; '' is the root. */
  place(path: string): Place {
    let cuts: readonly Cut[] = [];
    for (const folder of foldersOf(path)) cuts = withOwnCuts(cuts, folder, this.#marksAt(folder));
    return { path, marks: this.#marksAt(path), cuts };
  }

  /** `folder` and every path below it that a layer has a row for, in the order of `comparePaths`. */
  *walk(folder = ''): Generator<Place> {
    const top = this.place(folder);
    const frames = [{ path: folder, cuts: withOwnCuts(top.cuts, folder, top.marks) }];
    if (top.marks.length > 0) yield top;
    const cursors = this.#layers.map((rows) => ({ rows, at: pastPath(rows, folder) }));
    for (;;) {
      let path: string | undefined;
      for (const { rows, at } of cursors) {
        const row = rows[at];
        if (row && isInside(folder, row.path) && (path === undefined || comparePaths(row.path, path) < 0))
          path = row.path;
      }
      if (path === undefined) return;
      const marks: Mark[] = [];
      for (const [layer, cursor] of cursors.entries()) {
        const { mark, next } = readMark(cursor.rows, cursor.at, path, layer);
        if (mark) marks.push(mark);
        cursor.at = next;
      }
      let frame = frames.at(-1);
      while (frame && !isInside(frame.path, path)) {
        frames.pop();
        frame = frames.at(-1);
      }
      const cuts = frame?.cuts ?? [];
      yield { path, marks, cuts };
      if (marks.some(({ entry, opaque }) => opaque || entry.type === 'directory'))
        frames.push({ path, cuts: withOwnCuts(cuts, path, marks) });
    }
  }

  /** The file row that a hard link of a layer shares; the entry itself for everything else. */
  content(layer: number, entry: LayerEntry): LayerEntry {
    if (entry.type !== 'hardlink' || entry.linkTarget === undefined) return entry;
    return this.#markAt(layer, entry.linkTarget)?.entry ?? entry;
  }

  /** The rows of one layer. */
  rows(layer: number): readonly LayerEntry[] {
    return this.#layers[layer] ?? [];
  }

  #marksAt(path: string): Mark[] {
    return this.#layers.flatMap((_, layer) => this.#markAt(layer, path) ?? []);
  }

  #markAt(layer: number, path: string): Mark | undefined {
    const rows = this.#layers[layer] ?? [];
    return readMark(rows, firstNotBefore(rows, path), path, layer).mark;
  }
}

/** Whether `path` is below `folder`. */
export function isInside(folder: string, path: string): boolean {
  return folder === '' ? path !== '' : path.startsWith(folder) && path[folder.length] === '/';
}

/** `''`, `a` and `a/b` of `a/b/c`; nothing of the root. */
export function foldersOf(path: string): string[] {
  if (path === '') return [];
  const folders = [''];
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) folders.push(path.slice(0, at));
  return folders;
}

/** The cuts that hold below `path`: those that hold for it, and what the layers do there themselves. */
function withOwnCuts(cuts: readonly Cut[], path: string, marks: readonly Mark[]): readonly Cut[] {
  const own = marks.filter(({ entry, opaque }) => opaque || entry.type !== 'directory');
  if (own.length === 0) return cuts;
  return [...cuts, ...own.map(({ layer }) => ({ layer, path }))].sort((a, b) => a.layer - b.layer);
}

function readMark(
  rows: readonly LayerEntry[],
  at: number,
  path: string,
  layer: number,
): { mark: Mark | undefined; next: number } {
  let entry: LayerEntry | undefined;
  let opaque = false;
  let next = at;
  for (let row = rows[next]; row?.path === path; row = rows[++next]) {
    if (row.type === 'opaque') opaque = true;
    else entry = row;
  }
  const found = entry ?? (opaque ? rows[at] : undefined);
  return { mark: found && { layer, entry: found, opaque }, next };
}

/** Index of the first row whose path does not come before `path`. */
function firstNotBefore(rows: readonly LayerEntry[], path: string): number {
  let low = 0;
  for (let high = rows.length; low < high; ) {
    const middle = (low + high) >>> 1;
    const row = rows[middle];
    if (row && comparePaths(row.path, path) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the first row behind those of `path` itself. */
function pastPath(rows: readonly LayerEntry[], path: string): number {
  let at = firstNotBefore(rows, path);
  while (rows[at]?.path === path) at++;
  return at;
}
