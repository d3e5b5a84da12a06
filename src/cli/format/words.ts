/** At most `max` characters; a cut text ends with an ellipsis. */
export function ellipsis(text: string, max: number): string {
  const characters = [...text];
  return characters.length <= max ? text : `${characters.slice(0, max - 1).join('')}…`;
}

/** A text in double quotes with Go's escapes. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(/\\u00([01][0-9a-f]|7f)/g, '\\x$1');
}
