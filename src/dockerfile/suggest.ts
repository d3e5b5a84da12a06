/** The option nearest to `value`, at most two edits away (a swap of neighbours is one edit); undefined when none is. */
export function nearest(value: string, options: Iterable<string>): string | undefined {
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

/** Damerau-Levenshtein distance (optimal string alignment), or `limit` as soon as it cannot be less. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let distance = Math.min(
        (last[column] ?? limit) + 1,
        (current[column - 1] ?? limit) + 1,
        (last[column - 1] ?? limit) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) distance = Math.min(distance, (beforeLast[column - 2] ?? limit) + 1);
      current.push(distance);
    }
    if (Math.min(...current) >= limit) return limit;
    beforeLast = last;
    last = current;
  }
  return Math.min(last[b.length] ?? limit, limit);
}
