import { comparePaths, countedSize } from '../../tar/layer-entry.ts';
import type { LayerStack, Place } from '../../tar/stack/layer-stack.ts';
import { changesBetween, type Found, historyOf, type PathHistory } from '../../tar/stack/path-history.ts';
import type { DiffLine, DiffRow, DiffSummary } from '../../wire/insight.ts';
import type { LayerStep } from './layer-steps.ts';
import { shapeAt, typeOf } from './shapes.ts';

/** An image for a comparison: its layers and the steps that made them. */
export interface StackedImage {
  readonly stack: LayerStack;
  readonly steps: readonly LayerStep[];
}

/**
 * What `second` shows otherwise than `first`, by path, each with the last step that made the difference: a step above
 * the layers that both images share. The sums come last.
 */
export function* diffImages(first: StackedImage, second: StackedImage): Generator<DiffLine> {
  const shared = sharedLayers(first.steps, second.steps);
  const sum: DiffSummary = { Added: 0, Changed: 0, Removed: 0, Bytes: 0, TimeOnly: 0 };
  for (const [a, b] of pairs(first.stack, second.stack)) {
    const before = a && historyOf(first.stack, a);
    const after = b && historyOf(second.stack, b);
    const row = compare(before?.final, after?.final, a?.path ?? b?.path ?? '');
    if (row === undefined) continue;
    sum.Bytes += (row.SizeAfter ?? 0) - (row.SizeBefore ?? 0);
    if (row.Changes?.length === 1 && row.Changes[0] === 'time') {
      sum.TimeOnly++;
      continue;
    }
    sum[COUNTS[row.Kind]]++;
    const own = lastLayer(after, shared);
    yield own === undefined
      ? { ...row, Step: shapeAt(first.steps, lastLayer(before, shared) ?? before?.final?.layer ?? 0), StepOf: 'first' }
      : { ...row, Step: shapeAt(second.steps, own), StepOf: 'second' };
  }
  yield sum;
}

const COUNTS = { added: 'Added', changed: 'Changed', removed: 'Removed' } as const;

function compare(
  before: Found | undefined,
  after: Found | undefined,
  path: string,
): Omit<DiffRow, 'Step' | 'StepOf'> | undefined {
  const shown = after ?? before;
  if (!shown) return undefined;
  const changes = before && after ? changesBetween(before.content, after.content) : undefined;
  if (changes?.length === 0) return undefined;
  return {
    Kind: before ? (after ? 'changed' : 'removed') : 'added',
    Path: `/${path}`,
    Type: typeOf(shown.entry.type),
    ...(changes && { Changes: changes }),
    ...(before && { SizeBefore: countedSize(before.content) }),
    ...(after && { SizeAfter: countedSize(after.content) }),
  };
}

/** The layer of the last event that the other image does not have too. */
function lastLayer(history: PathHistory | undefined, shared: number): number | undefined {
  const last = history?.events.at(-1);
  return last && last.layer >= shared ? last.layer : undefined;
}

function sharedLayers(first: readonly LayerStep[], second: readonly LayerStep[]): number {
  const differs = first.findIndex(({ diffId }, index) => second[index]?.diffId !== diffId);
  return differs < 0 ? first.length : differs;
}

/** The places of two stacks side by side. */
function* pairs(first: LayerStack, second: LayerStack): Generator<[Place | undefined, Place | undefined]> {
  const left = first.walk();
  const right = second.walk();
  let a = next(left);
  let b = next(right);
  while (a || b) {
    const order = a && b ? comparePaths(a.path, b.path) : a ? -1 : 1;
    yield [order <= 0 ? a : undefined, order >= 0 ? b : undefined];
    if (order <= 0) a = next(left);
    if (order >= 0) b = next(right);
  }
}

function next(places: Generator<Place>): Place | undefined {
  const { value, done } = places.next();
  return done ? undefined : value;
}
