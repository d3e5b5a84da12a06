/** White space as Docker's parser (Go's unicode.IsSpace) sees it; JavaScript's `\s` differs in two characters. */
const SPACE = '\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const IS_SPACE = new RegExp(`^[${SPACE}]$`);
const LEADING = new RegExp(`^[${SPACE}]+`);
const TRAILING = new RegExp(`[${SPACE}]$`);

export function isSpace(character: string): boolean {
  return IS_SPACE.test(character);
}

export function trimStart(text: string): string {
  return text.replace(LEADING, '');
}

export function trim(text: string): string {
  let end = text.length;
  while (end > 0 && TRAILING.test(text[end - 1] ?? '')) end--;
  return trimStart(text.slice(0, end));
}

/** Splits at the white space that separates a Dockerfile's arguments, into at most two parts. */
export function cutAtSpace(text: string): [string, string | undefined] {
  const match = /[\t\v\f\r ]+/.exec(text);
  if (!match) return [text, undefined];
  return [text.slice(0, match.index), text.slice(match.index + match[0].length)];
}

/** `text` in double quotes, with what is inside escaped. */
export function quote(text: string): string {
  return JSON.stringify(text);
}
