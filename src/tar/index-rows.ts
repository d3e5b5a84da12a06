import { hexOf, parseDigest } from '../oci/digest.ts';
import { ByteDecoder, ByteEncoder, damagedIndex } from './byte-codec.ts';
import type { EntryType, LayerEntry } from './layer-entry.ts';

const TYPES: readonly EntryType[] = [
  'file',
  'directory',
  'symlink',
  'hardlink',
  'char',
  'block',
  'fifo',
  'whiteout',
  'opaque',
];
const TYPE_NUMBER = new Map(TYPES.map((type, number) => [type, number]));
const HAS_LINK = 0x10;
const HAS_DEVICE = 0x20;
const HAS_XATTRS = 0x40;
const HAS_DIGEST = 0x80;

/** The rows as bytes, each path without the folder that it shares with the row before. */
export function encodeRows(entries: readonly LayerEntry[]): Buffer {
  const out = new ByteEncoder();
  let previous = '';
  for (const entry of entries) {
    const { linkTarget, device, xattrs, digest } = entry;
    out.byte(
      (TYPE_NUMBER.get(entry.type) ?? 0) |
        (linkTarget === undefined ? 0 : HAS_LINK) |
        (device === undefined ? 0 : HAS_DEVICE) |
        (xattrs === undefined ? 0 : HAS_XATTRS) |
        (digest === undefined ? 0 : HAS_DIGEST),
    );
    const shared = sharedFolder(previous, entry.path);
    out.number(shared);
    out.name(entry.path.slice(shared));
    previous = entry.path;
    out.number(entry.mode);
    out.number(entry.uid);
    out.number(entry.gid);
    out.number(entry.size);
    out.signed(entry.mtime);
    out.number(entry.mtimeNsec);
    out.number(entry.offset + 1);
    if (linkTarget !== undefined) out.name(linkTarget);
    if (device !== undefined) {
      out.number(device.major);
      out.number(device.minor);
    }
    if (xattrs !== undefined) {
      out.number(xattrs.size);
      for (const [name, value] of xattrs) {
        out.name(name);
        out.bytes(value);
      }
    }
    if (digest !== undefined) out.hex(hexOf(digest));
  }
  return out.finish();
}

/** Reads `count` rows. */
export function decodeRows(bytes: Buffer, count: number): LayerEntry[] {
  const input = new ByteDecoder(bytes);
  const entries: LayerEntry[] = [];
  let previous = '';
  for (let i = 0; i < count; i++) {
    const head = input.byte();
    const type = TYPES[head & 0x0f];
    if (type === undefined) throw damagedIndex('a row has an unknown type');
    const shared = input.number();
    const path = previous.slice(0, shared) + input.name();
    previous = path;
    entries.push({
      path,
      type,
      mode: input.number(),
      uid: input.number(),
      gid: input.number(),
      size: input.number(),
      mtime: input.signed(),
      mtimeNsec: input.number(),
      offset: input.number() - 1,
      linkTarget: head & HAS_LINK ? input.name() : undefined,
      device: head & HAS_DEVICE ? { major: input.number(), minor: input.number() } : undefined,
      xattrs: head & HAS_XATTRS ? readXattrs(input) : undefined,
      digest: head & HAS_DIGEST ? parseDigest(`sha256:${input.hex(32)}`) : undefined,
    });
  }
  return entries;
}

function readXattrs(input: ByteDecoder): Map<string, Uint8Array> {
  const xattrs = new Map<string, Uint8Array>();
  for (let left = input.number(); left > 0; left--) xattrs.set(input.name(), Buffer.from(input.bytes()));
  return xattrs;
}

/** How many characters two paths share up to and with a slash. */
function sharedFolder(a: string, b: string): number {
  const limit = Math.min(a.length, b.length);
  let shared = 0;
  for (let i = 0; i < limit; i++) {
    const unit = a.charCodeAt(i);
    if (unit !== b.charCodeAt(i)) break;
    if (unit === 47) shared = i + 1;
  }
  return shared;
}
