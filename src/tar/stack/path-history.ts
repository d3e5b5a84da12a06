import type { LayerEntry } from '../layer-entry.ts';
import type { LayerStack, Place } from './layer-stack.ts';

/** What is at a path after some layers. */
export interface Found {
  readonly layer: number;
  readonly entry: LayerEntry;
  /** The file row that a hard link shares, the entry itself otherwise: size, digest and attributes are its. */
  readonly content: LayerEntry;
}

/** In what two entries differ. `time` is in whole seconds: a layer's tar may have no more. */
export type Change = 'type' | 'content' | 'link' | 'device' | 'mode' | 'owner' | 'xattrs' | 'time';

export type PathEvent =
  | { readonly kind: 'added'; readonly layer: number; readonly after: Found }
  | {
      readonly kind: 'changed';
      readonly layer: number;
      readonly before: Found;
      readonly after: Found;
      /** Empty when the layer repeats what is below it. */
      readonly changes: readonly Change[];
    }
  | {
      readonly kind: 'removed';
      readonly layer: number;
      readonly before: Found;
      /** The path whose deletion or replacement did it: the path itself or a directory above. */
      readonly by: string;
    };

export interface PathHistory {
  /** Bottom first. */
  readonly events: readonly PathEvent[];
  /** What is there when the first `height` layers are stacked; undefined when nothing is. */
  readonly final: Found | undefined;
}

/**
 * What the layers from the bottom up, at most `height` of them, did to a path. A directory that another layer lists again
 * as it was, or with another time, is no event; a file always is, since its bytes are stored again.
 */
export function historyOf(stack: LayerStack, place: Place, height = stack.height): PathHistory {
  const events: PathEvent[] = [];
  let state: Found | undefined;
  const { marks, cuts } = place;
  for (let markAt = 0, cutAt = 0; ; ) {
    const mark = marks[markAt];
    const cut = cuts[cutAt];
    const layer = Math.min(mark?.layer ?? height, cut?.layer ?? height);
    if (layer >= height) return { events, final: state };
    const before = state;
    let by = place.path;
    if (cut?.layer === layer) {
      state = undefined;
      by = cut.path;
      while (cuts[cutAt]?.layer === layer) cutAt++;
    }
    if (mark?.layer === layer) {
      markAt++;
      const { entry } = mark;
      if (entry.type === 'whiteout') state = undefined;
      else if (entry.type !== 'opaque') state = { layer, entry, content: stack.content(layer, entry) };
    }
    if (state && before && before !== state) {
      const changes = changesBetween(before.content, state.content);
      if (state.entry.type !== 'directory' || changes.some((change) => change !== 'time'))
        events.push({ kind: 'changed', layer, before, after: state, changes });
    } else if (state && !before) events.push({ kind: 'added', layer, after: state });
    else if (before && !state) events.push({ kind: 'removed', layer, before, by });
  }
}

/** In what two entries differ, in the order in which it matters. */
export function changesBetween(a: LayerEntry, b: LayerEntry): Change[] {
  if (a.type !== b.type) return ['type'];
  const changes: Change[] = [];
  if (a.digest !== b.digest || a.size !== b.size) changes.push('content');
  if (a.linkTarget !== b.linkTarget) changes.push('link');
  if (a.device?.major !== b.device?.major || a.device?.minor !== b.device?.minor) changes.push('device');
  if (a.mode !== b.mode && a.type !== 'symlink') changes.push('mode');
  if (a.uid !== b.uid || a.gid !== b.gid) changes.push('owner');
  if (!sameXattrs(a.xattrs, b.xattrs)) changes.push('xattrs');
  if (a.mtime !== b.mtime) changes.push('time');
  return changes;
}

function sameXattrs(a: LayerEntry['xattrs'], b: LayerEntry['xattrs']): boolean {
  if ((a?.size ?? 0) !== (b?.size ?? 0)) return false;
  for (const [name, value] of a ?? []) {
    const other = b?.get(name);
    if (!other || Buffer.compare(value, other) !== 0) return false;
  }
  return true;
}
