/**
 * Protocol Buffers, version 3, as far as messages of gRPC services need them: shapes are stated as tables of fields, and
 * types follow from the tables. Specification: https://protobuf.dev/programming-guides/encoding/
 */
import { Failure } from './error.ts';

/** A field of a message: its number, what it is when absent, and how it is read and written. */
export interface Field<T> {
  readonly number: number;
  /** Never changed. */
  readonly absent: T;
  /** Reads one occurrence of the field; `before` is what earlier ones gave, or `absent`. */
  readonly read: (reader: Reader, wire: number, before: T) => T;
  /** Writes nothing for what is as when absent. */
  readonly write: (writer: Writer, value: T) => void;
}

/** The shape of a message. */
export interface Message<T> {
  /** Absent properties are not written. */
  encode(value: Partial<T>): Buffer;
  /** Unknown fields are skipped. Throws a Failure (`invalid`) for what is no such message. Bytes are views of `bytes`. */
  decode(bytes: Uint8Array): T;
}

/** The type of a message's values. */
export type ValueOf<M> = M extends Message<infer T> ? T : never;

type Fields = Readonly<Record<string, Field<never>>>;
type Values<F> = { -readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** A kind of value, to be made a field by its number. */
interface Kind<T> {
  readonly wire: number;
  readonly zero: T;
  readonly read: (reader: Reader) => T;
  readonly write: (writer: Writer, value: T) => void;
  readonly isZero: (value: T) => boolean;
}

const STRING: Kind<string> = {
  wire: BYTES,
  zero: '',
  read: (reader) => reader.text(),
  write: (writer, value) => writer.bytes(Buffer.from(value)),
  isZero: (value) => value === '',
};
const RAW: Kind<Uint8Array> = {
  wire: BYTES,
  zero: new Uint8Array(),
  read: (reader) => reader.bytes(),
  write: (writer, value) => writer.bytes(value),
  isZero: (value) => value.length === 0,
};
const BOOL: Kind<boolean> = {
  wire: VARINT,
  zero: false,
  read: (reader) => reader.varint() !== 0n,
  write: (writer, value) => writer.varint(value ? 1n : 0n),
  isZero: (value) => !value,
};
const BIG: Kind<bigint> = {
  wire: VARINT,
  zero: 0n,
  read: (reader) => BigInt.asIntN(64, reader.varint()),
  write: (writer, value) => writer.varint(BigInt.asUintN(64, value)),
  isZero: (value) => value === 0n,
};
const INTEGER: Kind<number> = {
  wire: VARINT,
  zero: 0,
  read: (reader) => reader.integer(),
  write: (writer, value) => writer.integer(value),
  isZero: (value) => value === 0,
};

export const string = single(STRING);
export const bytes = single(RAW);
export const bool = single(BOOL);
/** int32, int64, uint32, uint64 and enum whose values a number holds; others are refused. */
export const integer = single(INTEGER);
/** int64 with all its values. */
export const bigInteger = single(BIG);

export const strings = repeated(STRING);
export const byteStrings = repeated(RAW);
export const integers = repeated(INTEGER);

/** A field that holds a message, or none. */
export function nested<T>(shape: Message<T>, number: number): Field<T | undefined> {
  return {
    number,
    absent: undefined,
    read: (reader, wire) => shape.decode(reader.expect(wire, BYTES).bytes()),
    write: (writer, value) => {
      if (value === undefined) return;
      writer.tag(number, BYTES);
      writer.bytes(shape.encode(value));
    },
  };
}

/** A field that holds a list of messages. */
export function nestedList<T>(shape: Message<T>, number: number): Field<readonly T[]> {
  return repeated({
    wire: BYTES,
    zero: shape.decode(new Uint8Array()),
    read: (reader) => shape.decode(reader.bytes()),
    write: (writer, value: T) => writer.bytes(shape.encode(value)),
    isZero: () => false,
  })(number);
}

/** map<string, string>. */
export const stringMap = map(string(2));
/** map<string, bytes>. */
export const bytesMap = map(bytes(2));

/** map<string, M> for a message M. */
export function nestedMap<T>(shape: Message<T>, number: number): Field<ReadonlyMap<string, T>> {
  const inner = nested(shape, 2);
  return map<T>({
    number: 2,
    absent: shape.decode(new Uint8Array()),
    read: (reader, wire) => inner.read(reader, wire, undefined) ?? shape.decode(new Uint8Array()),
    write: (writer, value) => inner.write(writer, value),
  })(number);
}

/** The message with these fields. */
export function message<F extends Record<string, { readonly number: number }>>(fields: F): Message<Values<F>> {
  // Each field reads and writes the value under its own name alone, so that the types of the values need not be told apart.
  const table = fields as unknown as Fields;
  const names = Object.keys(table);
  const byNumber = new Map(names.map((name) => [table[name]?.number, name]));
  const blank = Object.fromEntries(names.map((name) => [name, table[name]?.absent]));
  return {
    encode(value) {
      const writer = new Writer();
      for (const name of names) {
        const one = value[name];
        if (one !== undefined) table[name]?.write(writer, one as never);
      }
      return writer.done();
    },
    decode(raw) {
      const value: Record<string, unknown> = { ...blank };
      const reader = new Reader(raw);
      while (!reader.ended) {
        const tag = reader.integer();
        const name = byNumber.get(Math.floor(tag / 8));
        if (name === undefined) reader.skip(tag % 8);
        else value[name] = table[name]?.read(reader, tag % 8, value[name] as never);
      }
      return value as Values<F>; // every name has what its field gave
    },
  };
}

function single<T>(kind: Kind<T>): (number: number) => Field<T> {
  return (number) => ({
    number,
    absent: kind.zero,
    read: (reader, wire) => kind.read(reader.expect(wire, kind.wire)),
    write: (writer, value) => {
      if (kind.isZero(value)) return;
      writer.tag(number, kind.wire);
      kind.write(writer, value);
    },
  });
}

function repeated<T>(kind: Kind<T>): (number: number) => Field<readonly T[]> {
  const none: readonly T[] = [];
  return (number) => ({
    number,
    absent: none,
    read: (reader, wire, before) => {
      const list = before === none ? [] : (before as T[]); // made by an earlier read: nobody else has it
      if (wire === BYTES && kind.wire === VARINT) {
        const packed = new Reader(reader.bytes());
        while (!packed.ended) list.push(kind.read(packed));
      } else list.push(kind.read(reader.expect(wire, kind.wire)));
      return list;
    },
    write: (writer, values) => {
      for (const value of values) {
        writer.tag(number, kind.wire);
        kind.write(writer, value);
      }
    },
  });
}

function map<T>(value: Field<T>): (number: number) => Field<ReadonlyMap<string, T>> {
  const entry = message({ key: string(1), value });
  const none: ReadonlyMap<string, T> = new Map();
  return (number) => ({
    number,
    absent: none,
    read: (reader, wire, before) => {
      const one = entry.decode(reader.expect(wire, BYTES).bytes()) as { key: string; value: T };
      const map = before === none ? new Map<string, T>() : (before as Map<string, T>); // as for lists
      return map.set(one.key, one.value);
    },
    write: (writer, values) => {
      for (const [key, one] of values) {
        writer.tag(number, BYTES);
        writer.bytes(entry.encode({ key, value: one } as never)); // the fields of `entry`
      }
    },
  });
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(raw: Uint8Array) {
    this.#bytes = Buffer.isBuffer(raw) ? raw : Buffer.from(raw.buffer, raw.byteOffset, raw.length);
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length;
  }

  expect(wire: number, expected: number): this {
    if (wire !== expected) throw malformed(`a field has wire type ${wire} in place of ${expected}`);
    return this;
  }

  /** A varint that a number holds; negative ones have ten bytes. */
  integer(): number {
    let value = 0;
    const start = this.#at;
    for (let scale = 1; scale < 2 ** 49; scale *= 128) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    this.#at = start;
    const big = BigInt.asIntN(64, this.varint());
    const number = Number(big);
    if (!Number.isSafeInteger(number)) throw malformed(`${big} is too large`);
    return number;
  }

  varint(): bigint {
    let low = 0;
    for (let scale = 1; scale < 2 ** 49; scale *= 128) {
      const byte = this.#byte();
      low += (byte & 0x7f) * scale;
      if (byte < 0x80) return BigInt(low);
    }
    let high = 0;
    for (let scale = 1; scale < 2 ** 21; scale *= 128) {
      const byte = this.#byte();
      high += (byte & 0x7f) * scale;
      if (byte < 0x80) return BigInt.asUintN(64, BigInt(low) + (BigInt(high) << 49n));
    }
    throw malformed('a number has more than ten bytes');
  }

  bytes(): Uint8Array {
    const start = this.#pass();
    return this.#bytes.subarray(start, this.#at);
  }

  text(): string {
    const start = this.#pass();
    return this.#bytes.toString('utf8', start, this.#at);
  }

  skip(wire: number): void {
    if (wire === VARINT) this.varint();
    else if (wire === BYTES) this.#pass();
    else if (wire === FIXED64 || wire === FIXED32) {
      this.#at += wire === FIXED64 ? 8 : 4;
      if (this.#at > this.#bytes.length) throw malformed('a field ends beyond its message');
    } else throw malformed(`wire type ${wire} is unknown`);
  }

  /** Passes over a field with a length; returns where it starts. */
  #pass(): number {
    const length = this.integer();
    if (length < 0 || length > this.#bytes.length - this.#at)
      throw malformed(`a field of ${length} bytes ends beyond its message`);
    this.#at += length;
    return this.#at - length;
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw malformed('it ends within a number');
    return byte;
  }
}

class Writer {
  readonly #parts: Uint8Array[] = [];
  #head: number[] = [];

  tag(number: number, wire: number): void {
    this.integer(number * 8 + wire);
  }

  integer(value: number): void {
    if (value < 0) {
      this.varint(BigInt.asUintN(64, BigInt(value)));
      return;
    }
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.#head.push((rest % 128) + 128);
    this.#head.push(rest);
  }

  varint(value: bigint): void {
    let rest = value;
    for (; rest >= 0x80n; rest >>= 7n) this.#head.push(Number(rest & 0x7fn) | 0x80);
    this.#head.push(Number(rest));
  }

  bytes(value: Uint8Array): void {
    this.integer(value.length);
    this.#flush();
    this.#parts.push(value);
  }

  done(): Buffer {
    this.#flush();
    return Buffer.concat(this.#parts);
  }

  #flush(): void {
    if (this.#head.length > 0) this.#parts.push(Uint8Array.from(this.#head));
    this.#head = [];
  }
}

function malformed(why: string): Failure {
  return new Failure('invalid', 'PROTOBUF_MALFORMED', `malformed protobuf message: ${why}`);
}
