import { fstatSync, readSync } from 'node:fs';
import { constants, crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { damagedIndex } from './byte-codec.ts';

/*
 * The file of a layer index: frames of raw bytes | rows | recipe | footer. Each part is compressed by zstd and has a
 * CRC-32. The footer (little endian) has for rows and for recipe: stored length, length, CRC; then the number of rows, a
 * CRC of the footer so far and the magic word, whose last digit is the version. A canonical layer has neither frames
 * nor recipe.
 */
const MAGIC = 'strkidx1';
const FOOTER = 40;
const SECTION_LIMIT = 1 << 30;
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

export interface StoredPart {
  readonly stored: number;
  readonly length: number;
  readonly crc: number;
}

export interface IndexFooter {
  readonly rows: StoredPart;
  readonly rowCount: number;
  readonly recipe: StoredPart;
}

/** Where the parts named by a footer stand. */
export interface IndexLayout extends IndexFooter {
  readonly rowsPlace: number;
  readonly recipePlace: number;
}

/** A part as it is stored, and what the footer says of it. */
export function compressPart(bytes: Buffer): { stored: Buffer; part: StoredPart } {
  const stored = bytes.length === 0 ? bytes : zstdCompressSync(bytes, LEVEL);
  return { stored, part: { stored: stored.length, length: bytes.length, crc: crc32(bytes) } };
}

/** The last bytes of an index file. */
export function encodeFooter({ rows, rowCount, recipe }: IndexFooter): Buffer {
  const footer = Buffer.alloc(FOOTER);
  [rows.stored, rows.length, rows.crc, recipe.stored, recipe.length, recipe.crc, rowCount].forEach((value, i) => {
    footer.writeUInt32LE(value, 4 * i);
  });
  footer.writeUInt32LE(crc32(footer.subarray(0, 28)), 28);
  footer.write(MAGIC, 32, 'latin1');
  return footer;
}

/** Reads the footer of an open index file. Throws `data-loss` when it is damaged or of another version. */
export function readLayout(file: number): IndexLayout {
  const { size } = fstatSync(file);
  if (size < FOOTER) throw damagedIndex('it has no footer');
  const footer = readAt(file, size - FOOTER, FOOTER);
  if (footer.toString('latin1', 32) !== MAGIC) throw damagedIndex('it has no footer of a known version');
  if (crc32(footer.subarray(0, 28)) !== footer.readUInt32LE(28)) throw damagedIndex('wrong checksum of the footer');
  const part = (at: number): StoredPart => ({
    stored: footer.readUInt32LE(at),
    length: footer.readUInt32LE(at + 4),
    crc: footer.readUInt32LE(at + 8),
  });
  const rows = part(0);
  const recipe = part(12);
  const rowCount = footer.readUInt32LE(24);
  const recipePlace = size - FOOTER - recipe.stored;
  const rowsPlace = recipePlace - rows.stored;
  if (rowsPlace < 0 || rowCount > rows.length) throw damagedIndex('its footer contradicts itself');
  return { rows, rowCount, recipe, rowsPlace, recipePlace };
}

/** Reads a part and checks it. */
export function readPart(file: number, place: number, { stored, length, crc }: StoredPart): Buffer {
  if (length > SECTION_LIMIT || stored > SECTION_LIMIT) throw damagedIndex('a part is too large');
  if (length === 0) return Buffer.alloc(0);
  let bytes: Buffer;
  try {
    bytes = zstdDecompressSync(readAt(file, place, stored), { maxOutputLength: length });
  } catch (error) {
    throw damagedIndex(error instanceof Error ? error.message : 'unreadable');
  }
  if (bytes.length !== length || crc32(bytes) !== crc) throw damagedIndex('wrong checksum');
  return bytes;
}

function readAt(file: number, place: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; ) {
    const count = readSync(file, bytes, at, length - at, place + at);
    if (count === 0) throw damagedIndex('it ends too early');
    at += count;
  }
  return bytes;
}
