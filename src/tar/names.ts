import { isAscii, isUtf8 } from 'node:buffer';

/**
 * Names in a file system are bytes; here they are strings. Valid UTF-8 decodes as usual, every other byte 0x80-0xff
 * becomes the lone surrogate U+DC80-U+DCFF (the "surrogateescape" of PEP 383), so that every name survives the way
 * there and back.
 */
export function decodeName(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString('latin1');
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let name = '';
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes[at] ?? 0);
    const end = at + length;
    if (length > 0 && end <= bytes.length && isUtf8(bytes.subarray(at, end))) {
      name += bytes.toString('utf8', at, end);
      at = end;
    } else name += String.fromCharCode(0xdc00 + (bytes[at++] ?? 0));
  }
  return name;
}

/** The bytes of a name. */
export function encodeName(name: string): Buffer {
  if (name.isWellFormed()) return Buffer.from(name, 'utf8');
  const parts: Buffer[] = [];
  let start = 0;
  for (let at = 0; at < name.length; at++) {
    const unit = name.charCodeAt(at);
    if (unit >= 0xd800 && unit < 0xdc00) {
      const next = name.charCodeAt(at + 1);
      if (next >= 0xdc00 && next < 0xe000) at++; // a whole pair is an ordinary character
    } else if (unit >= 0xdc80 && unit <= 0xdcff) {
      parts.push(Buffer.from(name.slice(start, at), 'utf8'), Buffer.of(unit - 0xdc00));
      start = at + 1;
    }
  }
  parts.push(Buffer.from(name.slice(start), 'utf8'));
  return Buffer.concat(parts);
}

/** `path` below the folder `root` in the form that `node:fs` takes: a string, or bytes when no string can name it. */
export function pathInFolder(root: string, path: string): string | Buffer {
  const full = path === '' ? root : `${root}/${path}`;
  return full.isWellFormed() ? full : encodeName(full);
}

/** How many bytes the UTF-8 sequence has that starts with `lead`; 0 when none does. */
function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}
