import { posix } from 'node:path';
import { Failure } from '../../lib/error.ts';
import { comparePaths } from '../../tar/layer-entry.ts';
import { Format, type QuickStat } from '../context/quick-stat.ts';
import { joinPath, type SourceFile } from '../context/source-file.ts';
import type { CopyAttributes, Selection } from './select-sources.ts';
import type { StackedFolders } from './stacked-folders.ts';

/** One entry of the layer to be made. */
export type PlannedEntry =
  | CopiedEntry
  /** A folder of the image on the way, which appears in the layer as it is. */
  | { readonly kind: 'keep'; readonly path: string; readonly stat: QuickStat; readonly place: string }
  /** A folder on the way that the image does not have. */
  | { readonly kind: 'make'; readonly path: string };

export interface CopiedEntry {
  readonly kind: 'copy';
  readonly path: string;
  readonly file: SourceFile;
  readonly attributes: CopyAttributes;
  /** It comes with the folder that it is in: other names of the same file do too. */
  readonly isInFolder: boolean;
  /** A folder that takes the place of something else in the image. */
  readonly replaces: boolean;
}

export interface Destination {
  readonly instruction: string;
  readonly destination: string;
  readonly workdir: string;
  /** Sources are written in the plural, or a wildcard has become several. */
  readonly isMany: boolean;
}

/**
 * Where everything goes, sorted as rows of a layer are. Docker's rules: the destination's symlinks are followed inside the
 * image, names below it replace what is there; a folder gives its content; a file goes into the destination when that
 * ends in a slash or is a folder. https://docs.docker.com/reference/dockerfile/#copy
 */
export function planCopy(selections: readonly Selection[], to: Destination, image: StackedFolders): PlannedEntry[] {
  const { instruction } = to;
  if (selections.length === 0)
    throw new Failure('not-found', 'COPY_SOURCE', `${instruction} failed: no source files were specified`);
  const meansFolder = /(^|\/)\.{0,2}$/.test(to.destination);
  if ((selections.length > 1 || to.isMany) && !meansFolder)
    throw new Failure(
      'invalid',
      'COPY_DESTINATION',
      `When using ${instruction} with more than one source file, the destination must be a directory and end with a /`,
    );
  const wanted = posix.resolve('/', to.workdir, to.destination).slice(1);
  const { path: base, entry } = image.resolve(wanted);
  const isFolder = base === '' || entry?.stat.format === Format.directory;
  const plan = new Plan(image);
  for (const selection of selections) {
    const { root, into, attributes } = selection;
    if (root.type === 'directory') {
      if (entry && !isFolder) throw notFolder(base);
      const start = root.path === '' ? 0 : root.path.length + 1;
      const folder = joinBelow(base, into);
      plan.folder(folder);
      selection.walk((file) => plan.copy(joinPath(folder, file.path.slice(start)), file, attributes, true));
    } else if (meansFolder || isFolder || into !== '') {
      if (entry && !isFolder) throw notFolder(base);
      const folder = joinBelow(base, into);
      plan.folder(folder);
      plan.copy(joinPath(folder, posix.basename(selection.path)), root, attributes, false);
    } else {
      plan.folder(posix.dirname(`/${base}`).slice(1));
      plan.copy(base, root, attributes, false);
    }
  }
  return plan.finish();
}

/** The entries so far; they mostly come in order and without repetition, which is what this is fast at. */
class Plan {
  readonly #image: StackedFolders;
  #entries = new Map<string, PlannedEntry>();
  #last = '';
  #isSorted = true;

  constructor(image: StackedFolders) {
    this.#image = image;
  }

  /** A folder that must be there, and those above it. */
  folder(path: string): void {
    if (path === '') return;
    const known = this.#entries.get(path);
    if (known && (known.kind !== 'copy' || known.file.type === 'directory')) return;
    if (known) throw notFolder(path);
    this.folder(posix.dirname(`/${path}`).slice(1));
    const found = this.#image.lookup(path);
    if (found && found.stat.format !== Format.directory) throw notFolder(path);
    if (found) this.#add({ kind: 'keep', path, stat: found.stat, place: found.place });
    else this.#add({ kind: 'make', path });
  }

  copy(path: string, file: SourceFile, attributes: CopyAttributes, isInFolder: boolean): void {
    const known = this.#entries.get(path);
    if (file.type === 'directory') {
      const isNew = !known || (known.kind === 'copy' && known.file.type !== 'directory');
      const below = isNew ? this.#image.lookup(path) : undefined;
      const replaces = below !== undefined && below.stat.format !== Format.directory;
      this.#add({ kind: 'copy', path, file, attributes, isInFolder, replaces });
      return;
    }
    if (known && (known.kind !== 'copy' || known.file.type === 'directory')) this.#removeBelow(path);
    this.#add({ kind: 'copy', path, file, attributes, isInFolder, replaces: false });
  }

  finish(): PlannedEntry[] {
    const entries = [...this.#entries.values()];
    return this.#isSorted ? entries : entries.sort((a, b) => comparePaths(a.path, b.path));
  }

  #add(entry: PlannedEntry): void {
    if (this.#isSorted && this.#entries.size > 0 && comparePaths(this.#last, entry.path) > 0) this.#isSorted = false;
    this.#last = entry.path;
    this.#entries.set(entry.path, entry);
  }

  /** A later source has a file where an earlier one had a folder. */
  #removeBelow(path: string): void {
    for (const other of [...this.#entries.keys()]) if (other.startsWith(`${path}/`)) this.#entries.delete(other);
  }
}

const joinBelow = (base: string, into: string): string => (into === '' ? base : joinPath(base, into));

function notFolder(path: string): Failure {
  return new Failure('invalid', 'COPY_DESTINATION', `cannot copy to non-directory: /${path}`);
}
