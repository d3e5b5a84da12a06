/** Replaces control characters other than newline and tab, so that a hostile name cannot drive a terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd');
}
