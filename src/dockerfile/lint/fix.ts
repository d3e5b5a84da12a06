import type { Finding, TextEdit } from './rule.ts';

/** One fix can uncover or enable the next; files need two or three rounds. */
const ROUNDS = 10;

/** Fixes until `find` has nothing to fix any more. `applied` counts findings that are fixed. */
export function fixAll(text: string, find: (text: string) => readonly Finding[]): { text: string; applied: number } {
  let result = { text, applied: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const next = applyFixes(result.text, find(result.text));
    if (next.applied === 0) break;
    result = { text: next.text, applied: result.applied + next.applied };
  }
  return result;
}

/** The text with the edits of all findings applied, but for edits that touch those of an earlier finding. */
export function applyFixes(text: string, findings: readonly Finding[]): { text: string; applied: number } {
  const taken: TextEdit[] = [];
  let applied = 0;
  for (const { edits } of findings) {
    if (edits.length === 0 || edits.some((edit) => taken.some((other) => touches(edit, other)))) continue;
    taken.push(...edits);
    applied++;
  }
  let result = text;
  for (const edit of taken.toSorted((a, b) => b.start - a.start))
    result = result.slice(0, edit.start) + edit.text + result.slice(edit.end);
  return { text: result, applied };
}

function touches(a: TextEdit, b: TextEdit): boolean {
  return a.start <= b.end && b.start <= a.end;
}
