import { editDistance } from '../lib/edit-distance.ts';

/** Nobody mistypes longer names, and comparing two of them takes the product of their lengths. */
const LONGEST = 64;

/** The option nearest to `value`, at most two edits away (a swap of neighbours is one edit); undefined when none is. */
export function nearest(value: string, options: Iterable<string>): string | undefined {
  if (value.length > LONGEST) return undefined;
  let best: string | undefined;
  let bestDistance = 3;
  for (const option of options) {
    if (option === value) return undefined;
    const distance = editDistance(value, option, bestDistance);
    if (distance < bestDistance && distance < Math.max(value.length, option.length)) {
      best = option;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean x?)` for the nearest option, else nothing. Upper and lower case are the same to it. */
export function didYouMean(value: string, options: Iterable<string>): string {
  const byLowerCase = new Map(Array.from(options, (option) => [option.toLowerCase(), option]));
  const match = nearest(value.toLowerCase(), byLowerCase.keys());
  return match === undefined ? '' : ` (did you mean ${byLowerCase.get(match) ?? match}?)`;
}

/**
 * The same for the many names of one file, until the comparisons have cost too much: a hostile file uses thousands of names that
 * are not there, among thousands that are.
 */
export class Suggestions {
  #left = 20_000;

  nearest(value: string, options: ReadonlySet<string>): string | undefined {
    return this.#mayCompare(options) ? nearest(value, options) : undefined;
  }

  didYouMean(value: string, options: ReadonlySet<string>): string {
    return this.#mayCompare(options) ? didYouMean(value, options) : '';
  }

  #mayCompare(options: ReadonlySet<string>): boolean {
    this.#left -= options.size;
    return this.#left >= 0;
  }
}
