import type { BuildRecord, KeyRecord, StepRecord } from './build-record.ts';
import { sameStage } from './build-record.ts';
import { type ComparedKey, compareKeys, componentOf } from './compare-keys.ts';

/** A key of earlier that a missed one may be compared with. */
export interface EarlierKey extends ComparedKey {
  readonly digest: string;
  /** When it was last used. */
  readonly at: number;
  /** Where it was asked for; undefined for what only the cache remembers. */
  readonly place?: { readonly build: BuildRecord; readonly step: StepRecord; readonly key: KeyRecord };
}

/**
 * Of the earlier keys the one that differs least; of equals the one used last. The same instruction counts for more than
 * the same inputs, and what it stands on for less than its own inputs.
 */
export function nearestKey(key: ComparedKey, earlier: readonly EarlierKey[]): EarlierKey | undefined {
  const hasFiles = componentOf(key, 'files') !== undefined;
  const scored = earlier
    // A COPY is also remembered without its files, only to know whether reading them is worth it.
    .filter((other) => (componentOf(other, 'files') !== undefined) === hasFiles)
    .filter((other) => componentOf(other, 'instruction') === componentOf(key, 'instruction'))
    .map((other) => ({ other, distance: distanceOf(key, other) }));
  scored.sort((a, b) => a.distance - b.distance || b.other.at - a.other.at);
  return scored[0]?.other;
}

function distanceOf(key: ComparedKey, other: ComparedKey): number {
  const isOtherBase = componentOf(key, 'base') !== componentOf(other, 'base');
  const changes = compareKeys(other, key).map(({ What }) => (What === 'instruction' ? 3 : 2));
  return changes.reduce((sum, weight) => sum + weight, isOtherBase ? 1 : 0);
}

/** Steps of an earlier build that stand where this one stands: the same text, or what was written in its place. */
export function alignedSteps(
  steps: readonly StepRecord[],
  step: StepRecord,
  earlier: readonly StepRecord[],
): StepRecord[] {
  const mine = steps.filter((other) => sameStage(other, step));
  const theirs = earlier.filter((other) => sameStage(other, step));
  const pairs = commonSteps(mine, theirs);
  const at = mine.indexOf(step);
  const same = pairs.get(at);
  if (same !== undefined) return theirs.slice(same, same + 1);
  const before = [...pairs].filter(([index]) => index < at).map(([, other]) => other);
  const after = [...pairs].filter(([index]) => index > at).map(([, other]) => other);
  return theirs.slice(Math.max(-1, ...before) + 1, Math.min(theirs.length, ...after));
}

/** Longest common subsequence of two lists of steps by their text: index to index. */
function commonSteps(a: readonly StepRecord[], b: readonly StepRecord[]): Map<number, number> {
  const lengths = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  const length = (i: number, j: number) => lengths[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--) {
      const longest =
        a[i]?.text === b[j]?.text ? length(i + 1, j + 1) + 1 : Math.max(length(i + 1, j), length(i, j + 1));
      lengths[i]?.splice(j, 1, longest);
    }
  const pairs = new Map<number, number>();
  for (let i = 0, j = 0; i < a.length && j < b.length; )
    if (a[i]?.text === b[j]?.text) pairs.set(i++, j++);
    else if (length(i + 1, j) >= length(i, j + 1)) i++;
    else j++;
  return pairs;
}
