import { decodeName } from './names.ts';
import { type PaxRecords, parsePaxRecords } from './pax.ts';
import { invalidTar } from './tar-failure.ts';

/** Bound of the extension headers before one entry together, and of all global ones: what they say stays in memory. */
export const EXTENSION_LIMIT = 1 << 20;

/** What extension headers say of the entry that follows them. */
export interface Extended {
  /** The entry's own PAX records, and the global ones that it does not have. */
  readonly records: PaxRecords;
  /** Of GNU tar; undefined when there is none. */
  readonly longName: string | undefined;
  readonly longLink: string | undefined;
}

/** Gathers the headers that say more of an entry than its own has room for: PAX (`x`, `g`) and GNU's long names (`L`, `K`). */
export class ExtensionHeaders {
  readonly #global: PaxRecords = new Map();
  #globalBytes = 0;
  #local: PaxRecords = new Map();
  #localBytes = 0;
  #hasOwn = false;
  #longName: string | undefined;
  #longLink: string | undefined;
  #open: { readonly flag: string; readonly bytes: Buffer; fill: number } | undefined;

  /** Whether a header with this flag is one of them. */
  static has(flag: string): boolean {
    return ['x', 'X', 'g', 'L', 'K'].includes(flag);
  }

  /** The name that the next entry will have, as far as it is known. */
  get longName(): string | undefined {
    return this.#longName;
  }

  /** Whether one belongs to the next entry; global ones do not. */
  get hasOwn(): boolean {
    return this.#hasOwn;
  }

  /** Begins a header of `size` bytes at `offset` of the archive. */
  begin(flag: string, size: number, offset: number): void {
    const total = (flag === 'g' ? this.#globalBytes : this.#localBytes) + size;
    if (total > EXTENSION_LIMIT)
      throw invalidTar(`tar extension header of ${total} bytes, more than ${EXTENSION_LIMIT}`, offset);
    if (flag === 'g') this.#globalBytes = total;
    else {
      this.#localBytes = total;
      this.#hasOwn = true;
    }
    this.#open = { flag, bytes: Buffer.allocUnsafe(size), fill: 0 };
  }

  /** The next bytes of the header; what follows its size is padding. */
  fill(bytes: Buffer): void {
    const open = this.#opened();
    open.fill += bytes.copy(open.bytes, open.fill);
  }

  /** The header is whole. `offset` is the place behind it. */
  end(offset: number): void {
    const { flag, bytes } = this.#opened();
    this.#open = undefined;
    if (flag === 'L') this.#longName = untilZero(bytes);
    else if (flag === 'K') this.#longLink = untilZero(bytes);
    else parsePaxRecords(bytes, flag === 'g' ? this.#global : this.#local, offset);
  }

  /** Takes what was said of the entry that comes now. */
  take(): Extended {
    const local = this.#local;
    const records = this.#global.size === 0 ? local : new Map([...this.#global, ...local]);
    const extended = { records, longName: this.#longName, longLink: this.#longLink };
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#localBytes = 0;
    this.#hasOwn = false;
    if (local.size > 0) this.#local = new Map();
    return extended;
  }

  #opened() {
    if (!this.#open) throw new Error('no extension header is open');
    return this.#open;
  }
}

const untilZero = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return decodeName(end < 0 ? bytes : bytes.subarray(0, end));
};
