import type { LayerEntry } from '../layer-entry.ts';
import type { LayerStack } from './layer-stack.ts';
import { type Found, historyOf } from './path-history.ts';

export interface SquashedRow {
  readonly entry: LayerEntry;
  /** The layer that has it, a file's content under the same path. */
  readonly layer: number;
}

/**
 * The rows of one layer that does to the layers below number `from` what all layers from there on do, in the order of an
 * index. It has whiteouts and opaque directories only where they hide something. With `from` 0 it is the whole image.
 */
export function* squashRows(stack: LayerStack, from: number): Generator<SquashedRow> {
  const names = new FirstNames(stack);
  for (const place of stack.walk()) {
    const { marks, cuts, path } = place;
    const last = marks.at(-1);
    if (!last || last.layer < from) continue;
    const { final } = historyOf(stack, place);
    // What is below a directory that the new layer replaces is hidden by that directory.
    const lower = cuts.some(({ layer }) => layer >= from) ? undefined : historyOf(stack, place, from).final;
    const whiteout = marks.findLast(({ entry }) => entry.type === 'whiteout');
    if (final && final.layer >= from) yield { entry: named(final, path, names), layer: final.layer };
    else if (!final && lower && whiteout) yield whiteout;

    const isMerged = path === '' ? from > 0 : isFolder(lower) && isFolder(final);
    const opaque = marks.findLast((mark) => mark.layer >= from && (mark.opaque || mark.entry.type !== 'directory'));
    if (isMerged && opaque)
      yield { entry: { ...(final ?? opaque).entry, type: 'opaque', xattrs: undefined }, layer: opaque.layer };
  }
}

const isFolder = (found: Found | undefined): boolean => found?.entry.type === 'directory';

/** The entry at `path`. The first name of a file has its content; the others become hard links to that. */
function named({ layer, content }: Found, path: string, names: FirstNames): LayerEntry {
  const linkTarget = names.note(layer, content.path, path);
  if (linkTarget === undefined) return { ...content, path };
  return { ...content, path, type: 'hardlink', size: 0, linkTarget, device: undefined, digest: undefined };
}

/** The names under which files with several names came by first. */
class FirstNames {
  readonly #names = new Map<string, string | undefined>();

  constructor(stack: LayerStack) {
    for (let layer = 0; layer < stack.height; layer++)
      for (const { type, linkTarget } of stack.rows(layer))
        if (type === 'hardlink') this.#names.set(`${layer} ${linkTarget}`, undefined);
  }

  /** The first name of a file row when `name` is another one. */
  note(layer: number, row: string, name: string): string | undefined {
    const inode = `${layer} ${row}`;
    const first = this.#names.get(inode);
    if (first === undefined && this.#names.has(inode)) this.#names.set(inode, name);
    return first;
  }
}
