/**
 * The wildcards of `${x#pattern}`, `${x%pattern}` and `${x/pattern/text}`: `*` any text, `?` any character, backslash
 * escapes. Matching is by segments between the stars, so hostile patterns cost at most value times pattern.
 */

/** Code points, with `ANY` and `STAR` for the wildcards. */
export type WordPattern = readonly string[];

const ANY = 'any character';
const STAR = 'any text';

/** The pattern, or as plain text why it is wrong. */
export function compilePattern(text: string): WordPattern | string {
  const tokens: string[] = [];
  const characters = Array.from(text);
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? '';
    if (character === '*') tokens.push(STAR);
    else if (character === '?') tokens.push(ANY);
    else if (character !== '\\') tokens.push(character);
    else {
      const escaped = characters[++at] ?? '';
      if (!['}', '/', '*', '?', '\\'].includes(escaped)) return `invalid escape '\\${escaped}'`;
      tokens.push(escaped);
    }
  }
  return tokens;
}

/** `value` without the shortest or longest prefix that matches. */
export function trimPrefix(value: readonly string[], pattern: WordPattern, longest: boolean): string {
  const match = findMatch(value, pattern, 0, { anchored: true, longest });
  return value.slice(match?.end ?? 0).join('');
}

/** `value` without the shortest or longest suffix that matches. */
export function trimSuffix(value: readonly string[], pattern: WordPattern, longest: boolean): string {
  const match = findMatch(value.toReversed(), pattern.toReversed(), 0, { anchored: true, longest });
  return value.slice(0, value.length - (match?.end ?? 0)).join('');
}

/**
 * `value` with the first match, or all, replaced; the leftmost and longest text matches. Undefined when the result
 * would be longer than `limit`.
 */
export function replaceMatch(
  value: readonly string[],
  pattern: WordPattern,
  replacement: { readonly text: string; readonly all: boolean; readonly limit: number },
): string | undefined {
  let result = '';
  let copied = 0;
  let from = 0;
  let lastEnd = -1;
  while (from <= value.length) {
    const match = findMatch(value, pattern, from, { anchored: false, longest: true });
    if (!match) break;
    // An empty match right behind the previous one is none.
    if (match.end > match.start || match.start !== lastEnd) {
      result += value.slice(copied, match.start).join('') + replacement.text;
      if (result.length > replacement.limit) return undefined;
      copied = match.end;
      lastEnd = match.end;
      if (!replacement.all) break;
    }
    from = match.end > match.start ? match.end : match.end + 1;
  }
  return result + value.slice(copied).join('');
}

interface Match {
  readonly start: number;
  readonly end: number;
}

function findMatch(
  value: readonly string[],
  pattern: WordPattern,
  from: number,
  how: { anchored: boolean; longest: boolean },
): Match | undefined {
  const segments = splitAtStars(pattern);
  const first = segments[0] ?? [];
  const start = how.anchored ? (matchesAt(value, first, from) ? from : -1) : indexOfSegment(value, first, from);
  if (start < 0) return undefined;
  let end = start + first.length;
  for (let index = 1; index < segments.length; index++) {
    const segment = segments[index] ?? [];
    const last = index === segments.length - 1;
    const at = last && how.longest ? lastIndexOfSegment(value, segment, end) : indexOfSegment(value, segment, end);
    if (at < 0) return undefined;
    end = at + segment.length;
  }
  return { start, end };
}

function splitAtStars(pattern: WordPattern): string[][] {
  const segments: string[][] = [[]];
  for (const token of pattern) {
    if (token === STAR) segments.push([]);
    else segments.at(-1)?.push(token);
  }
  return segments;
}

function indexOfSegment(value: readonly string[], segment: readonly string[], from: number): number {
  for (let at = from; at + segment.length <= value.length; at++) if (matchesAt(value, segment, at)) return at;
  return -1;
}

function lastIndexOfSegment(value: readonly string[], segment: readonly string[], from: number): number {
  for (let at = value.length - segment.length; at >= from; at--) if (matchesAt(value, segment, at)) return at;
  return -1;
}

function matchesAt(value: readonly string[], segment: readonly string[], at: number): boolean {
  if (at + segment.length > value.length) return false;
  return segment.every((token, index) => token === ANY || token === value[at + index]);
}
