import { decimalSize } from '../../lib/scaled-size.ts';

/**
 * A name as it can be read: what would not show, or would change how the rest shows (control characters, marks of
 * direction, bytes that are no UTF-8), is written as an escape.
 */
export function visible(name: string): string {
  return name.replace(HIDDEN, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
    return ESCAPES[character] ?? `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' };
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Surrogate}/gu;

/** A path for the query of a request: bytes that are no UTF-8, which stand as lone surrogates, are those bytes again. */
export function encodePath(path: string): string {
  return path
    .split(/([\udc80-\udcff])/u)
    .map((part, index) =>
      index % 2 === 0 ? encodeURIComponent(part.toWellFormed()) : `%${(part.charCodeAt(0) - 0xdc00).toString(16)}`,
    )
    .join('');
}

/** A text for the part of the address behind `#`, where anything may stand, lone surrogates too. */
export function toAddress(text: string): string {
  return encodeURIComponent(
    text.replace(/~|\p{Surrogate}/gu, (one) => `~${one.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
}

export function fromAddress(text: string): string {
  try {
    return decodeURIComponent(text).replace(/~([0-9a-f]{4})/g, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 16)),
    );
  } catch {
    return ''; // typed by hand
  }
}

export function size(bytes: number): string {
  return decimalSize(bytes, 4);
}

/** A moment in Unix seconds, in the time of the reader; nothing for Docker's "never". */
export function moment(seconds: number): string {
  return !(seconds > 0) ? '' : FORMAT.format(seconds * 1000);
}

const FORMAT = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** At most `most` characters; what is cut ends with an ellipsis. */
export function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1).toWellFormed()}…` : text;
}

export function lastName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1) || '/';
}

export function count(number: number, word: string): string {
  return `${number.toLocaleString('en')} ${word}${number === 1 ? '' : 's'}`;
}
