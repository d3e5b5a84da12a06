import type { Digest } from '../../oci/digest.ts';
import { countedSize, type LayerEntry } from '../../tar/layer-entry.ts';
import type { LayerStack } from '../../tar/stack/layer-stack.ts';
import { type Change, type Found, historyOf, type PathEvent } from '../../tar/stack/path-history.ts';
import type { WasteGroup, WasteKind, WasteReport } from '../../wire/insight.ts';
import type { StackedImage } from './diff-images.ts';
import { shapeAt } from './shapes.ts';
import { adviseOn } from './waste-advice.ts';

/** A file whose bytes are of no use, and why. */
export interface WastedFile {
  readonly kind: WasteKind;
  readonly path: string;
  readonly bytes: number;
  /** The layer that has the bytes. */
  readonly stored: number;
  /** The layer that hid them, or that had the content first. */
  readonly by: number;
  readonly digest: Digest | undefined;
  /** What took the place of a file that got other attributes, and what those are. */
  readonly after?: { readonly entry: LayerEntry; readonly changes: readonly Change[] };
}

const EXAMPLES = 5;

/**
 * The bytes of an image's layers that a container never needs: files that a later layer deletes, replaces or stores again,
 * and content that a lower layer shows already. A file with several names is lost when the last of them is hidden.
 * `baseLayers` is how many layers belong to the image below.
 */
export function findWaste(image: StackedImage, baseLayers: number): WasteReport {
  const { stack, steps } = image;
  const names = new NameCount(stack);
  const shown = new Map<Digest, ShownFile[]>();
  const files: WastedFile[] = [];
  for (const place of stack.walk()) {
    const { events, final } = historyOf(stack, place);
    for (const event of events) {
      const hidden = event.kind === 'added' ? undefined : hiddenFile(event, place.path);
      if (hidden && event.kind !== 'added') {
        const last = names.hide(event.before, hidden);
        if (last) files.push(last);
      }
    }
    const digest = final?.content.digest;
    if (!final || digest === undefined || final.content.size === 0 || !names.isNew(final)) continue;
    const file = { layer: final.layer, path: place.path, bytes: final.content.size };
    const others = shown.get(digest);
    if (others) others.push(file);
    else shown.set(digest, [file]);
  }
  const wasted = [...files.map((file) => asMoved(file, shown)), ...repeatedFiles(shown)];
  const total = sumOf(Array.from({ length: stack.height }, (_, layer) => layerBytes(stack, layer)));
  const lost = sumOf(wasted.map(({ bytes }) => bytes));
  return {
    Total: total,
    Wasted: lost,
    Efficiency: total === 0 ? 1 : (total - lost) / total,
    Groups: grouped(wasted)
      .map((group): WasteGroup => {
        const [first] = group;
        const stored = shapeAt(steps, first.stored);
        const by = shapeAt(steps, first.by);
        return {
          Kind: first.kind,
          Bytes: sumOf(group.map(({ bytes }) => bytes)),
          Files: group.length,
          Stored: stored,
          By: by,
          Examples: group.slice(0, EXAMPLES).map(({ path }) => `/${path}`),
          Advice: adviseOn(group, { stored, by, isBase: first.stored < baseLayers }),
        };
      })
      .sort((a, b) => b.Bytes - a.Bytes || a.Stored.Number - b.Stored.Number || a.By.Number - b.By.Number),
  };
}

interface ShownFile {
  readonly layer: number;
  readonly path: string;
  readonly bytes: number;
}

function hiddenFile(event: Exclude<PathEvent, { kind: 'added' }>, path: string): WastedFile | undefined {
  const { layer: stored, content } = event.before;
  const bytes = countedSize(content);
  if (bytes === 0) return undefined;
  const base = { path, bytes, stored, by: event.layer, digest: content.digest };
  if (event.kind === 'removed') return { ...base, kind: 'deleted' };
  const isSame = !event.changes.some((change) => change === 'type' || change === 'content' || change === 'link');
  if (!isSame) return { ...base, kind: 'replaced' };
  return { ...base, kind: 'attributes', after: { entry: event.after.content, changes: event.changes } };
}

/** Deleted by a step that shows the same content elsewhere. */
function asMoved(file: WastedFile, shown: ReadonlyMap<Digest, readonly ShownFile[]>): WastedFile {
  if (file.kind !== 'deleted' || file.digest === undefined) return file;
  return shown.get(file.digest)?.some(({ layer }) => layer === file.by) ? { ...file, kind: 'moved' } : file;
}

/** Content that is shown from a lower layer and stored again in a higher one. */
function* repeatedFiles(shown: ReadonlyMap<Digest, readonly ShownFile[]>): Generator<WastedFile> {
  for (const [digest, files] of shown) {
    if (files.length === 1) continue;
    const first = files.reduce((lowest, { layer }) => Math.min(lowest, layer), Number.POSITIVE_INFINITY);
    for (const { layer, path, bytes } of files)
      if (layer > first) yield { kind: 'repeated', path, bytes, stored: layer, by: first, digest };
  }
}

/** Files by kind and steps, largest first. */
function grouped(files: readonly WastedFile[]): [WastedFile, ...WastedFile[]][] {
  const groups = new Map<string, [WastedFile, ...WastedFile[]]>();
  for (const file of files) {
    const key = `${file.kind} ${file.stored} ${file.by}`;
    const group = groups.get(key);
    if (group) group.push(file);
    else groups.set(key, [file]);
  }
  for (const group of groups.values()) group.sort((a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : 1));
  return [...groups.values()];
}

/** How many names of a file are still shown; files with one name are not counted. */
class NameCount {
  readonly #left = new Map<string, number>();
  readonly #seen = new Set<string>();
  readonly #lastHide = new Map<string, WastedFile>();

  constructor(stack: LayerStack) {
    for (let layer = 0; layer < stack.height; layer++)
      for (const { type, linkTarget } of stack.rows(layer)) {
        if (type !== 'hardlink') continue;
        const inode = `${layer} ${linkTarget}`;
        this.#left.set(inode, (this.#left.get(inode) ?? 1) + 1);
      }
  }

  /** Whether it is the first name of its file that comes by. */
  isNew({ layer, content }: Found): boolean {
    const inode = `${layer} ${content.path}`;
    if (!this.#left.has(inode)) return true;
    const isNew = !this.#seen.has(inode);
    this.#seen.add(inode);
    return isNew;
  }

  /** Takes one name away; the file that is lost with it, if it was the last. */
  hide({ layer, content }: Found, file: WastedFile): WastedFile | undefined {
    const inode = `${layer} ${content.path}`;
    const left = this.#left.get(inode);
    if (left === undefined) return file;
    this.#left.set(inode, left - 1);
    const before = this.#lastHide.get(inode);
    const last = before && before.by > file.by ? before : file;
    this.#lastHide.set(inode, last);
    return left === 1 ? last : undefined;
  }
}

function layerBytes(stack: LayerStack, layer: number): number {
  return sumOf(stack.rows(layer).map(countedSize));
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
