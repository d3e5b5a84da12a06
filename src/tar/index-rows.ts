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

const NO_DIGEST = '00'.repeat(32);

/** Turns rows into bytes as they come, each path without the folder that it shares with the row before. */
export class RowEncoder {
  readonly #out = new ByteEncoder();
  #previous = '';
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(entry: LayerEntry): void {
    this.#head(entry, entry.digest !== undefined);
    if (entry.digest !== undefined) this.#out.hex(hexOf(entry.digest));
  }

  /** Adds a row whose digest is not known yet: `fill` takes it later, with the place returned here. */
  addUndigested(entry: LayerEntry): number {
    this.#head(entry, true);
    const place = this.#out.finish().length;
    this.#out.hex(NO_DIGEST);
    return place;
  }

  fill(place: number, digest: Uint8Array): void {
    this.#out.finish().set(digest, place);
  }

  finish(): Buffer {
    return this.#out.finish();
  }

  #head(entry: LayerEntry, hasDigest: boolean): void {
    const out = this.#out;
    const { linkTarget, device, xattrs } = entry;
    out.byte(
      (TYPE_NUMBER.get(entry.type) ?? 0) |
        (linkTarget === undefined ? 0 : HAS_LINK) |
        (device === undefined ? 0 : HAS_DEVICE) |
        (xattrs === undefined ? 0 : HAS_XATTRS) |
        (hasDigest ? HAS_DIGEST : 0),
    );
    const shared = sharedFolder(this.#previous, entry.path);
    out.number(shared);
    out.name(entry.path.slice(shared));
    this.#previous = entry.path;
    this.#count++;
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
  }
}

/** Rows in the order of an index as bytes. */
export function encodeRows(entries: readonly LayerEntry[]): RowEncoder {
  const encoder = new RowEncoder();
  for (const entry of entries) encoder.add(entry);
  return encoder;
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
