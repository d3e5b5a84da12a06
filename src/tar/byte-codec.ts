import { Failure } from '../lib/error.ts';
import { decodeName, encodeName } from './names.ts';

/** Appends numbers and names to a buffer that grows. Numbers are written 7 bits a byte, low bits first. */
export class ByteEncoder {
  #buffer = Buffer.allocUnsafe(1 << 16);
  #fill = 0;

  byte(value: number): void {
    this.#room(1);
    this.#buffer[this.#fill++] = value;
  }

  /** A safe integer, not negative. */
  number(value: number): void {
    this.#room(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#fill++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#fill++] = rest;
  }

  /** An integer of either sign. */
  signed(value: number): void {
    this.number(value < 0 ? -2 * value - 1 : 2 * value);
  }

  bytes(value: Uint8Array): void {
    this.number(value.length);
    this.#room(value.length);
    this.#buffer.set(value, this.#fill);
    this.#fill += value.length;
  }

  name(value: string): void {
    this.#room(value.length + 8);
    if (value.length < 0x80) {
      // Most names are short and ASCII; then the UTF-8 bytes are as many as the characters.
      const written = this.#tryAscii(value);
      if (written) return;
    }
    this.bytes(encodeName(value));
  }

  /** Hexadecimal digits, as the bytes they stand for. */
  hex(value: string): void {
    this.#room(value.length / 2);
    this.#fill += this.#buffer.write(value, this.#fill, 'hex');
  }

  finish(): Buffer {
    return this.#buffer.subarray(0, this.#fill);
  }

  #tryAscii(value: string): boolean {
    const start = this.#fill + 1;
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit >= 0x80) return false;
      this.#buffer[start + i] = unit;
    }
    this.#buffer[this.#fill] = value.length;
    this.#fill = start + value.length;
    return true;
  }

  #room(length: number): void {
    if (this.#fill + length <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, this.#fill + length));
    grown.set(this.#buffer.subarray(0, this.#fill));
    this.#buffer = grown;
  }
}

/** Reads what ByteEncoder wrote; throws a Failure of kind `data-loss` when it runs over the end. */
export class ByteDecoder {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  byte(): number {
    const value = this.#buffer[this.#at++];
    if (value === undefined) throw damagedIndex('it ends too early');
    return value;
  }

  number(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
      if (factor > Number.MAX_SAFE_INTEGER) throw damagedIndex('a number is too large');
    }
  }

  signed(): number {
    const value = this.number();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A view. */
  bytes(length = this.number()): Buffer {
    const start = this.#skip(length);
    return this.#buffer.subarray(start, start + length);
  }

  name(): string {
    return decodeName(this.bytes());
  }

  hex(length: number): string {
    const start = this.#skip(length);
    return this.#buffer.toString('hex', start, start + length);
  }

  #skip(length: number): number {
    const start = this.#at;
    this.#at += length;
    if (this.#at > this.#buffer.length) throw damagedIndex('it ends too early');
    return start;
  }
}

/** A layer index that is not what was written. */
export function damagedIndex(reason: string): Failure {
  return new Failure('data-loss', 'LAYER_INDEX_DAMAGED', `a layer index is damaged: ${reason}`);
}
