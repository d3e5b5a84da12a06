import type { LayerStack } from '../../tar/stack/layer-stack.ts';
import { diffImages, type StackedImage } from './diff-images.ts';

/** Files that a rebased image goes on hiding from its new base. */
export interface RebaseConflicts {
  readonly count: number;
  /** The first ones, as absolute paths. */
  readonly examples: readonly string[];
}

const EXAMPLES = 5;

/**
 * The files that differ between two bases and that layers made on the old one replace or delete: on the new base they
 * still are what they were.
 */
export function rebaseConflicts(base: StackedImage, onto: StackedImage, own: LayerStack): RebaseConflicts {
  let count = 0;
  const examples: string[] = [];
  for (const row of diffImages(base, onto)) {
    if (!('Path' in row) || row.Type === 'directory') continue;
    const { marks } = own.place(row.Path.slice(1));
    if (!marks.some(({ entry }) => entry.type !== 'directory')) continue;
    count++;
    if (examples.length < EXAMPLES) examples.push(row.Path);
  }
  return { count, examples };
}
