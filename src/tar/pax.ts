import { decodeName } from './names.ts';
import { invalidTar } from './tar-failure.ts';

/** Keywords and values of extended headers. Values are bytes: names need not be UTF-8, attributes are binary. */
export type PaxRecords = Map<string, Buffer>;

/** Prefix of extended attributes in PAX records, as star, GNU tar and Go write them. */
export const XATTR_PREFIX = 'SCHILY.xattr.';

/**
 * Reads the records `<length> <keyword>=<value>\n` of an extended header into `into`; an empty value stays there as
 * the order to forget the keyword. The repeated pairs of GNU's sparse format 0.0 are joined to the map of format 0.1.
 * https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html ("pax Extended Header")
 */
export function parsePaxRecords(payload: Buffer, into: PaxRecords, offset: number): void {
  const sparse: Buffer[] = [];
  let at = 0;
  while (at < payload.length && payload[at] !== 0) {
    const space = payload.indexOf(0x20, at);
    const digits = space < 0 ? '' : payload.toString('latin1', at, space);
    const end = at + Number(digits);
    if (!/^[0-9]{1,8}$/.test(digits) || end > payload.length || end <= space + 1 || payload[end - 1] !== 0x0a)
      throw invalidTar('malformed PAX record', offset + at);
    const equals = payload.indexOf(0x3d, space);
    if (equals < 0 || equals >= end) throw invalidTar('PAX record without "="', offset + at);
    const keyword = decodeName(payload.subarray(space + 1, equals));
    const value = payload.subarray(equals + 1, end - 1);
    if (keyword === 'GNU.sparse.offset' || keyword === 'GNU.sparse.numbytes') sparse.push(value, COMMA);
    else into.set(keyword, value);
    at = end;
  }
  if (sparse.length > 0) into.set('GNU.sparse.map', Buffer.concat(sparse.slice(0, -1)));
}

/** Writes records in the order given. */
export function encodePaxRecords(records: readonly (readonly [keyword: string, value: Uint8Array])[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const [keyword, value] of records) {
    const rest = Buffer.byteLength(keyword) + value.length + 3; // space, equals, newline
    let length = rest + String(rest).length;
    if (rest + String(length).length !== length) length = rest + String(length).length;
    parts.push(Buffer.from(`${length} ${keyword}=`), value, NEWLINE);
  }
  return Buffer.concat(parts);
}

/** A PAX time, seconds with an optional fraction, as whole seconds and nanoseconds to add. */
export function parsePaxTime(value: Buffer, offset: number): { seconds: number; nanoseconds: number } {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value.toString('latin1'));
  if (!match) throw invalidTar('malformed time in PAX header', offset);
  const whole = Number(match[2]);
  const fraction = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (match[1] !== '-') return { seconds: whole, nanoseconds: fraction };
  return fraction === 0 ? { seconds: 0 - whole, nanoseconds: 0 } : { seconds: -whole - 1, nanoseconds: 1e9 - fraction };
}

/** A PAX number: decimal, not negative, exact. */
export function parsePaxNumber(value: Buffer, keyword: string, offset: number): number {
  const text = value.toString('latin1');
  const number = Number(text);
  if (!/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(number))
    throw invalidTar(`PAX header: ${keyword}=${text.slice(0, 40)} is not a size`, offset);
  return number;
}

const COMMA = Buffer.from(',');
const NEWLINE = Buffer.from('\n');
