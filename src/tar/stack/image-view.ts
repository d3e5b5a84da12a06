import type { LayerStack } from './layer-stack.ts';
import { type Found, historyOf } from './path-history.ts';

export interface ViewEntry extends Found {
  readonly path: string;
}

/** What an image shows at and below `folder`: the entries of its merged file system, in the order of an index. */
export function* viewOf(stack: LayerStack, folder = ''): Generator<ViewEntry> {
  for (const place of stack.walk(folder)) {
    const { final } = historyOf(stack, place);
    if (final) yield { path: place.path, ...final };
  }
}
