import { countedSize } from '../../tar/layer-entry.ts';
import type { ViewEntry } from '../../tar/stack/image-view.ts';
import type { Found } from '../../tar/stack/path-history.ts';
import type { EntryState, FileRow, FileType, StepShape } from '../../wire/insight.ts';
import type { LayerStep } from './layer-steps.ts';

/** A step as answers have it. */
export function stepShape({ number, createdBy, comment, diffId }: LayerStep): StepShape {
  return { Number: number, CreatedBy: createdBy || comment, Layer: diffId };
}

/** An entry of a view with the step that its layer is of. */
export function fileRow({ path, layer, entry, content }: ViewEntry, steps: readonly LayerStep[]): FileRow {
  const link = entry.type === 'hardlink' ? `/${entry.linkTarget}` : entry.linkTarget;
  return {
    Path: `/${path}`,
    Type: typeOf(entry.type),
    Mode: content.mode,
    Uid: content.uid,
    Gid: content.gid,
    Size: countedSize(content),
    Modified: content.mtime,
    ...(link === undefined ? {} : { Link: link }),
    ...(content.digest === undefined ? {} : { Digest: content.digest }),
    ...(content.device === undefined ? {} : { Device: [content.device.major, content.device.minor] }),
    Step: shapeAt(steps, layer),
  };
}

/** What is at a path, without where it comes from. */
export function entryState({ entry, content }: Found): EntryState {
  return {
    Type: typeOf(entry.type),
    Mode: content.mode,
    Uid: content.uid,
    Gid: content.gid,
    Size: countedSize(content),
    ...(content.digest === undefined ? {} : { Digest: content.digest }),
    ...(content.linkTarget === undefined ? {} : { Link: content.linkTarget }),
  };
}

/** The step that made layer number `layer`. */
export function shapeAt(steps: readonly LayerStep[], layer: number): StepShape {
  const step = steps[layer];
  if (!step) throw new Error(`layer ${layer} has no step`);
  return stepShape(step);
}

/** The type of an entry that a view shows: never a whiteout or an opaque mark. */
export function typeOf(type: Found['entry']['type']): FileType {
  if (type === 'whiteout' || type === 'opaque') throw new Error(`a view does not show a ${type}`);
  return type;
}
