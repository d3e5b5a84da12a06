import { type Digest, digestOf, hexOf, parseDigest } from '../../oci/digest.ts';
import { ByteDecoder, ByteEncoder } from '../../tar/byte-codec.ts';
import { digestOfRaw, type RawDigest, type SourceType } from './source-file.ts';

/** Everything about the sources of a COPY that decides whether a result can be used again. */
export interface CopyInputs {
  /** Of the whole; the component of the step's key. */
  readonly digest: Digest;
  readonly files: number;
  readonly bytes: number;
  /** How Docker's history names the sources: one file, the content of one folder, or several of either. */
  readonly kind: 'file' | 'dir' | 'multi';
  /** The list that `digest` is of; `listInputs` reads it. Worth keeping, to explain a later miss. */
  readonly listing: Uint8Array;
}

/** One source file as its key sees it: no times, no owner of a context's file. */
export interface InputFile {
  readonly path: string;
  readonly type: SourceType;
  readonly mode: number;
  /** Of a file: sha256 of its content. */
  readonly digest: Digest | undefined;
  /** Of a symlink; of a device its numbers. */
  readonly target: string | undefined;
  /** Digest over extended attributes and, where it counts, the owner. */
  readonly extra: Digest | undefined;
}

const TYPES: readonly SourceType[] = ['file', 'directory', 'symlink', 'fifo', 'char', 'block'];
const NUMBERS = new Map(TYPES.map((type, number) => [type, number]));
const HAS_DIGEST = 0x10;
const HAS_TARGET = 0x20;
const HAS_EXTRA = 0x40;
const END = 0xff;
const NO_DIGEST = new Uint8Array(32);

/** What was found of a COPY's sources, all or some. */
export type InputList = Omit<CopyInputs, 'digest'>;

/** Writes the list of a COPY's sources. Files come in the order in which they are copied. */
export class InputLister {
  readonly #out = new ByteEncoder();
  #previous = '';
  #files = 0;
  #bytes = 0;

  /** Adds a file. When the digest of its content is not known yet, `fill` takes it later, with the place returned here. */
  add(
    file: Omit<InputFile, 'digest'> & { readonly digest: RawDigest | undefined; readonly size: number },
  ): number | undefined {
    const { path, target, extra } = file;
    const isUnknown = file.type === 'file' && file.digest === undefined;
    const digest = isUnknown ? NO_DIGEST : file.digest;
    const flags =
      (digest === undefined ? 0 : HAS_DIGEST) |
      (target === undefined ? 0 : HAS_TARGET) |
      (extra === undefined ? 0 : HAS_EXTRA);
    const shared = file.type === 'directory' ? 0 : sharedFolder(this.#previous, path);
    this.#out.byte((NUMBERS.get(file.type) ?? 0) | flags);
    this.#out.number(shared);
    this.#out.name(path.slice(shared));
    this.#out.number(file.mode);
    if (digest !== undefined) this.#out.bytes(digest);
    const place = isUnknown ? this.#out.finish().length - NO_DIGEST.length : undefined;
    if (target !== undefined) this.#out.name(target);
    if (extra !== undefined) this.#out.hex(hexOf(extra));
    this.#previous = path;
    this.#files++;
    this.#bytes += file.size;
    return place;
  }

  fill(place: number, digest: RawDigest): void {
    this.#out.finish().set(digest, place);
  }

  finish(kind: CopyInputs['kind']): InputList {
    return { files: this.#files, bytes: this.#bytes, kind, listing: this.#out.finish() };
  }
}

/** Joins the lists of a walk that was made in parts. The result does not depend on where it was parted. */
export function joinInputs(lists: readonly [InputList, ...InputList[]]): CopyInputs {
  const listing = Buffer.concat([...lists.map((list) => list.listing), Buffer.of(END)]);
  const sum = (count: (list: InputList) => number) => lists.reduce((total, list) => total + count(list), 0);
  return {
    digest: digestOf(listing),
    files: sum(({ files }) => files),
    bytes: sum(({ bytes }) => bytes),
    kind: lists[0].kind,
    listing,
  };
}

/** The files of a list. */
export function* listInputs(listing: Uint8Array): Generator<InputFile> {
  const input = new ByteDecoder(Buffer.from(listing.buffer, listing.byteOffset, listing.byteLength));
  let previous = '';
  for (let head = input.byte(); head !== END; head = input.byte()) {
    const path = previous.slice(0, input.number()) + input.name();
    previous = path;
    yield {
      path,
      type: TYPES[head & 0x0f] ?? 'file',
      mode: input.number(),
      digest: head & HAS_DIGEST ? digestOfRaw(input.bytes()) : undefined,
      target: head & HAS_TARGET ? input.name() : undefined,
      extra: head & HAS_EXTRA ? parseDigest(`sha256:${input.hex(32)}`) : undefined,
    };
  }
}

export interface InputChange {
  readonly path: string;
  readonly what: 'added' | 'removed' | 'type' | 'content' | 'mode' | 'target' | 'attributes';
}

/** What differs between two lists: at most `limit` files, and how many there are in all. */
export function compareInputs(
  before: Uint8Array,
  after: Uint8Array,
  limit: number,
): { readonly total: number; readonly changes: readonly InputChange[] } {
  const changes: InputChange[] = [];
  let total = 0;
  const tell = (path: string, what: InputChange['what']) => {
    if (total++ < limit) changes.push({ path, what });
  };
  const old = new Map([...listInputs(before)].map((file) => [file.path, file]));
  for (const file of listInputs(after)) {
    const was = old.get(file.path);
    old.delete(file.path);
    const what = was ? difference(was, file) : 'added';
    if (what) tell(file.path, what);
  }
  for (const path of old.keys()) tell(path, 'removed');
  return { total, changes };
}

function difference(a: InputFile, b: InputFile): InputChange['what'] | undefined {
  if (a.type !== b.type) return 'type';
  if (a.digest !== b.digest) return 'content';
  if (a.mode !== b.mode) return 'mode';
  if (a.target !== b.target) return 'target';
  return a.extra === b.extra ? undefined : 'attributes';
}

/**
 * How many characters a path need not repeat: its folder, when the path before is in the same one. A folder is written
 * whole, so that a list can begin with any.
 */
function sharedFolder(previous: string, path: string): number {
  const length = path.lastIndexOf('/') + 1;
  return previous.lastIndexOf('/') + 1 === length && previous.startsWith(path.slice(0, length)) ? length : 0;
}
