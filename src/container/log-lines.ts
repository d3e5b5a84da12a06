/** Longer lines are logged in pieces of at most so many bytes, none but the last one ended by a newline. */
export const LINE_LIMIT = 16 << 10;

const NEWLINE = 10;
const BACKSLASH = 92;
const LETTER_U = 117;
const ZERO = 48;
const BEGIN = Buffer.from('{"log":"');
const HEX = Buffer.from('0123456789abcdef');

/** What becomes of a byte: itself, a short or a long escape, the first byte of a character of several, U+FFFD. */
const PLAIN = 1;
const SHORT = 2;
const LEAD = 3;
const INVALID = 4;
const LONG = 6; // each is also how many bytes it takes at most
const SHORT_ESCAPES: Readonly<Record<number, string>> = {
  8: 'b',
  9: 't',
  10: 'n',
  12: 'f',
  13: 'r',
  34: '"',
  92: '\\',
};
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 128) return byte < 0xc2 || byte > 0xf4 ? INVALID : LEAD;
  if (SHORT_ESCAPES[byte] !== undefined) return SHORT;
  return byte < 32 ? LONG : PLAIN;
});
const ESCAPES = Uint8Array.from({ length: 128 }, (_, byte) => SHORT_ESCAPES[byte]?.charCodeAt(0) ?? 0);

/**
 * Lines of output as lines of a json-file log: `{"log":"text\n` and so on, each closed by `tail`, which begins with the
 * quote. What is not UTF-8 becomes U+FFFD, byte by byte, as Docker does it. `ends` are the places behind each line of
 * the result. Works on bytes, because all that containers say goes through here: strings cost several times as much.
 */
export function encodeLines(text: Buffer, tail: Buffer): { readonly bytes: Buffer; readonly ends: number[] } {
  const tailOfLine = Buffer.concat([Buffer.from('\\n'), tail]);
  const { lines, size } = measure(text);
  const bytes = Buffer.allocUnsafe(size + lines.length * (BEGIN.length + tailOfLine.length));
  const ends: number[] = [];
  let at = 0;
  for (const { from, to, plain, whole } of lines) {
    at += BEGIN.copy(bytes, at);
    if (plain) at += text.copy(bytes, at, from, to);
    else at = escapeInto(bytes, at, text.subarray(from, to));
    at += (whole ? tailOfLine : tail).copy(bytes, at);
    ends.push(at);
  }
  return { bytes: bytes.subarray(0, at), ends };
}

/** Where a piece of a line has to end so that it has at most `LINE_LIMIT` bytes and no character is cut. */
export function pieceEnd(text: Buffer, from: number): number {
  if (text.length - from <= LINE_LIMIT) return text.length;
  let end = from + LINE_LIMIT;
  while (end > from + LINE_LIMIT - 4 && ((text[end] ?? 0) & 0xc0) === 0x80) end--;
  return end;
}

interface Line {
  readonly from: number;
  /** Where it ends, without the newline. */
  readonly to: number;
  /** Whether all its bytes stand for themselves. */
  readonly plain: boolean;
  /** Whether a newline follows. */
  readonly whole: boolean;
}

/** The lines of a text, and the room that they take at most. */
function measure(text: Buffer): { lines: Line[]; size: number } {
  const lines: Line[] = [];
  let size = 0;
  for (let from = 0; from < text.length; ) {
    const newline = text.indexOf(NEWLINE, from);
    const end = newline < 0 ? text.length : newline;
    const to = end - from < LINE_LIMIT ? end : Math.min(end, pieceEnd(text, from));
    let room = 0;
    for (let at = from; at < to; at++) room += KINDS[text[at] ?? 0] ?? 0;
    size += room;
    const whole = to === newline;
    lines.push({ from, to, plain: room === to - from, whole });
    from = whole ? to + 1 : to;
  }
  return { lines, size };
}

/** Writes a line as the inside of a JSON string and returns where that ends. */
function escapeInto(into: Buffer, start: number, line: Buffer): number {
  let at = start;
  for (let place = 0; place < line.length; place++) {
    const byte = line[place] ?? 0;
    const kind = KINDS[byte] ?? 0;
    if (kind === PLAIN) into[at++] = byte;
    else if (kind >= LEAD && kind <= INVALID) {
      const length = kind === INVALID ? 0 : characterLength(line, place, byte);
      if (length === 0) {
        into[at] = 0xef; // U+FFFD
        into[at + 1] = 0xbf;
        into[at + 2] = 0xbd;
        at += 3;
      } else {
        for (const end = place + length - 1; place < end; place++) into[at++] = line[place] ?? 0;
        into[at++] = line[place] ?? 0;
      }
    } else {
      into[at++] = BACKSLASH;
      if (kind === SHORT) into[at++] = ESCAPES[byte] ?? 0;
      else {
        into[at] = LETTER_U;
        into[at + 1] = ZERO;
        into[at + 2] = ZERO;
        into[at + 3] = HEX[byte >> 4] ?? 0;
        into[at + 4] = HEX[byte & 15] ?? 0;
        at += 5;
      }
    }
  }
  return at;
}

/** Bytes of the character that begins with `first`; 0 when none does. https://www.rfc-editor.org/rfc/rfc3629 */
function characterLength(line: Buffer, at: number, first: number): number {
  const second = line[at + 1] ?? 0;
  if ((second & 0xc0) !== 0x80) return 0;
  if (first < 0xe0) return 2;
  if (((line[at + 2] ?? 0) & 0xc0) !== 0x80) return 0;
  if (first < 0xf0) return (first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f) ? 0 : 3;
  if (((line[at + 3] ?? 0) & 0xc0) !== 0x80) return 0;
  return (first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f) ? 0 : 4;
}
