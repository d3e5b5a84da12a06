import { Failure } from '../../lib/error.ts';
import { countedSize } from '../../tar/layer-entry.ts';
import { historyOf, type PathEvent, type PathHistory } from '../../tar/stack/path-history.ts';
import type { ChangeRow } from '../../wire/insight.ts';
import { eventRow } from './blame-path.ts';
import type { StackedImage } from './diff-images.ts';
import { entryState } from './shapes.ts';

/**
 * What the layer of a step did to the entries of a folder, with the bytes that it stored and hid there and below. The
 * path is taken as written: a layer may delete what leads to it. Throws `not-found` when the step has no layer.
 */
export function* layerChanges({ stack, steps }: StackedImage, step: number, text: string): Generator<ChangeRow> {
  const layer = steps.findIndex(({ number }) => number === step);
  if (layer < 0) {
    const numbers = steps.map(({ number }) => number).join(', ');
    const which = numbers === '' ? 'the image has no layers' : `layers are of steps ${numbers}`;
    throw new Failure('not-found', 'STEP_WITHOUT_LAYER', `step ${step} of the image has no layer: ${which}`);
  }
  const folder = text
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .join('/');
  const start = folder === '' ? 0 : folder.length + 1;
  let child: Child | undefined;
  for (const place of stack.walk(folder)) {
    if (place.path === folder) continue;
    const history = historyOf(stack, place, layer + 1);
    const last = history.events.at(-1);
    const event = last?.layer === layer ? last : undefined;
    if (!place.path.includes('/', start)) {
      yield* rowOf(child);
      child = { path: place.path, event, final: history.final, touched: false, stored: 0, hidden: 0 };
    }
    if (!child || !event) continue;
    child.touched = true;
    if (event.kind !== 'removed') child.stored += countedSize(event.after.entry);
    if (event.kind !== 'added') child.hidden += countedSize(event.before.entry);
  }
  yield* rowOf(child);
}

interface Child {
  readonly path: string;
  /** What the layer did to the entry itself. */
  readonly event: PathEvent | undefined;
  readonly final: PathHistory['final'];
  touched: boolean;
  stored: number;
  hidden: number;
}

function rowOf(child: Child | undefined): ChangeRow[] {
  if (!child?.touched) return [];
  const { path, event, final, stored, hidden } = child;
  const own = event ? eventRow(event, path) : { Kind: 'inside' as const, ...(final && { After: entryState(final) }) };
  return [{ Path: `/${path}`, ...own, Stored: stored, Hidden: hidden }];
}
