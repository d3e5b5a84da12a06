import type { DeviceNumber } from './layer-entry.ts';
import { decodeName } from './names.ts';
import { invalidTar } from './tar-failure.ts';

export const BLOCK = 512;

/** The fields of one 512-byte header block, as they stand there. */
export interface HeaderBlock {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  /** The type flag as a character; NUL of the oldest format reads as '0'. */
  readonly flag: string;
  readonly link: string;
  readonly device: DeviceNumber;
}

/**
 * Reads a header block in any of the formats that are around: V7, POSIX ustar, star, GNU (numbers may be base 256).
 * `offset` is the block's place in the archive, for messages.
 */
export function parseHeaderBlock(block: Buffer, at: number, offset: number): HeaderBlock {
  if (!checksumMatches(block, at))
    throw offset === 0
      ? invalidTar('the input is not a tar archive')
      : invalidTar('tar header has a wrong checksum', offset);
  const flag = block[at + 156] || 0x30;
  const isDevice = flag === 0x33 || flag === 0x34;
  return {
    name: parseName(block, at),
    mode: parseNumber(block, at + 100, 8, 'mode', offset) & 0o7777,
    uid: parseNumber(block, at + 108, 8, 'uid', offset),
    gid: parseNumber(block, at + 116, 8, 'gid', offset),
    size: parseNumber(block, at + 124, 12, 'size', offset),
    mtime: parseNumber(block, at + 136, 12, 'mtime', offset),
    flag: String.fromCharCode(flag),
    link: block[at + 157] === 0 ? '' : parseText(block, at + 157, 100),
    device: isDevice
      ? {
          major: parseNumber(block, at + 329, 8, 'devmajor', offset),
          minor: parseNumber(block, at + 337, 8, 'devminor', offset),
        }
      : NO_DEVICE,
  };
}

/** Whether the block is all zeros: the end of the archive. */
export function isZeroBlock(block: Buffer, at: number): boolean {
  return block[at] === 0 && block.compare(ZEROS, 0, BLOCK, at, at + BLOCK) === 0;
}

/**
 * A number in octal digits, or in base 256 when the first byte has its high bit (GNU). Negative values and values
 * beyond exact doubles are for times only; sizes and owners are refused then.
 */
export function parseNumber(block: Buffer, at: number, length: number, field: string, offset: number): number {
  const first = block[at] ?? 0;
  let value = 0;
  if (first & 0x80) {
    value = (first & 0x7f) - (first & 0x40 ? 128 : 0);
    for (let i = at + 1; i < at + length; i++) value = value * 256 + (block[i] ?? 0);
  } else {
    let i = at;
    const end = at + length;
    while (i < end && (block[i] === 0x20 || block[i] === 0)) i++;
    for (; i < end; i++) {
      const digit = (block[i] ?? 0) - 0x30;
      if (digit < 0 || digit > 7) break;
      value = value * 8 + digit;
    }
    if (i < end && block[i] !== 0x20 && block[i] !== 0)
      throw invalidTar(`tar header: malformed number in field ${field}`, offset);
  }
  if (!Number.isSafeInteger(value) || (value < 0 && field !== 'mtime'))
    throw invalidTar(`tar header: ${field} ${value} is out of range`, offset);
  return value;
}

/** The sum of the block's bytes with the checksum field taken as spaces; `signed` as the oldest tars added. */
export function checksumOf(block: Buffer, at: number, signed = false): number {
  let sum = 8 * 0x20;
  for (let i = at; i < at + 148; i++) sum += block[i] ?? 0;
  for (let i = at + 156; i < at + BLOCK; i++) sum += block[i] ?? 0;
  if (signed)
    for (let i = at; i < at + BLOCK; i++) if ((i < at + 148 || i >= at + 156) && (block[i] ?? 0) > 127) sum -= 256;
  return sum;
}

function checksumMatches(block: Buffer, at: number): boolean {
  let stated = 0;
  let i = at + 148;
  while (i < at + 156 && (block[i] === 0x20 || block[i] === 0)) i++;
  for (; i < at + 156; i++) {
    const digit = (block[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    stated = stated * 8 + digit;
  }
  return stated === checksumOf(block, at) || stated === checksumOf(block, at, true);
}

function parseName(block: Buffer, at: number): string {
  const name = parseText(block, at, 100);
  // POSIX has "ustar" NUL; GNU has "ustar" space, and other fields where POSIX has the prefix.
  if (block[at + 257] !== 0x75 || block[at + 345] === 0) return name;
  if (block.toString('latin1', at + 257, at + 263) !== 'ustar\0') return name;
  const isStar = block.toString('latin1', at + 508, at + 512) === 'tar\0';
  const prefix = parseText(block, at + 345, isStar ? 131 : 155);
  return `${prefix}/${name}`;
}

function parseText(block: Buffer, at: number, length: number): string {
  let end = at;
  let high = 0;
  while (end < at + length) {
    const byte = block[end] ?? 0;
    if (byte === 0) break;
    high |= byte;
    end++;
  }
  return high < 0x80 ? block.toString('latin1', at, end) : decodeName(block.subarray(at, end));
}

const ZEROS = Buffer.alloc(BLOCK);
const NO_DEVICE: DeviceNumber = { major: 0, minor: 0 };
