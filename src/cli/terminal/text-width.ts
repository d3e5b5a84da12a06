/** Escape sequences (CSI, OSC and the short ones) and control characters: nothing of them may reach the terminal. */
const UNSAFE =
  /\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|\x1b[ -/]*[0-~]?|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;
const ZERO = /[\p{M}\p{Cf}]/u;

/** One line of text without escape sequences and control characters; tabs become spaces. */
export function plainLine(text: string): string {
  return text.replace(UNSAFE, '').replace(/[\t\n]/g, '    ');
}

/** Number of columns that a plain text takes. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

/** At most `width` columns of a plain text; a cut one ends with an ellipsis. */
export function fitText(text: string, width: number): string {
  if (text.length <= width && /^[\x20-\x7e]*$/.test(text)) return text;
  if (widthOf(text) <= width) return text;
  let used = 0;
  let fitted = '';
  for (const character of text) {
    used += columnsOf(character);
    if (used > width - 1) break;
    fitted += character;
  }
  return width > 0 ? `${fitted}…` : '';
}

function columnsOf(character: string): number {
  if (character <= '~') return 1;
  return ZERO.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}
