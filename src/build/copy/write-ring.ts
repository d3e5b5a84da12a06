import { Failure } from '../../lib/error.ts';
import { encodeName } from '../../tar/names.ts';
import type { RawDigest } from '../context/source-file.ts';
import type { FileAttributes } from './write-entry.ts';

/*
 * Files on their way from the thread that reads them to a thread that helps to write them. The memory is shared: words of
 * state, room for digests, then bytes that go round. Positions count bytes since the start, modulo 2^32.
 */
const CAPACITY = 4 << 20;
const STATE = 64;
/** A digest stays until so many more files were opened. */
export const DIGESTS = 64;
const DATA = STATE + 32 * DIGESTS;

/** Who takes the records out: nobody yet, a helper thread, or the producer itself because no thread was free in time. */
const OWNER = 0;
const FREE = 0;
const HELPER = 1;
const PRODUCER = 2;
/** Positions: bytes put in, bytes taken out. */
const HEAD = 1;
const TAIL = 2;
/** 1: all is put in; 2: the producer gave up. */
const END = 3;
/** 1: the consumer took everything out; 2: it failed. */
const DONE = 4;
/** Digests computed so far. */
const DIGESTED = 5;

/** Words before the bytes of a record: length of it all, kind, lengths of path and content, attributes. */
const RECORD = 48;
const Kind = { skip: 0, file: 1, open: 2, openQuiet: 3, chunk: 4, close: 5 } as const;

/** Code of the Failure that says that the reason is with the helper. */
export const HELPER_FAILED = 'COPY_HELPER';

export type RingMemory = SharedArrayBuffer;

export interface FileSink {
  /** A whole file. Both views are valid during the call only. */
  file(path: Buffer, attributes: FileAttributes, content: Uint8Array): void;
  /** A file whose content follows in pieces; one at a time. */
  open(path: Buffer, attributes: FileAttributes, needsDigest: boolean): void;
  chunk(content: Uint8Array): void;
  /** Ends it; returns the digest of the content, or zeros when it is not needed. */
  close(): RawDigest;
}

export function makeRing(): RingMemory {
  return new SharedArrayBuffer(DATA + CAPACITY + RECORD);
}

/** Lets the consumer go, whatever became of the producer. */
export function closeRing(ring: RingMemory): void {
  const words = new Int32Array(ring, 0, STATE / 4);
  Atomics.compareExchange(words, END, 0, 2);
  Atomics.notify(words, HEAD);
}

/** The side that puts files in. */
export class RingProducer {
  readonly #ring: Ring;
  #opened = 0;

  constructor(memory: RingMemory) {
    this.#ring = new Ring(memory);
  }

  /** Whether a helper takes files out. */
  get isHelped(): boolean {
    return this.#ring.load(OWNER) === HELPER;
  }

  /** Leaves a file to the helper; false when there is no room for it now. */
  offer(path: string, attributes: FileAttributes, content: Uint8Array): boolean {
    const name = encodeName(path);
    if (!this.#ring.hasRoom(name.length + content.length)) return false;
    this.#ring.put(Kind.file, name, attributes, content);
    return true;
  }

  /** Starts a file whose content comes in pieces; waits for room. Returns its number, for `digest`. */
  open(name: Buffer, attributes: FileAttributes, needsDigest: boolean): number {
    this.#putWhenRoom(needsDigest ? Kind.open : Kind.openQuiet, name, attributes, EMPTY);
    return this.#opened++;
  }

  chunk(content: Uint8Array): void {
    for (let at = 0; at < content.length; at += PIECE)
      this.#putWhenRoom(Kind.chunk, EMPTY, undefined, content.subarray(at, at + PIECE));
  }

  close(): void {
    this.#putWhenRoom(Kind.close, EMPTY, undefined, EMPTY);
  }

  /** Digest of the content of the file with that number, once it is closed. */
  digest(number: number): RawDigest {
    this.#waitFor(DIGESTED, number + 1);
    return this.#ring.digest(number);
  }

  /** Waits until everything is written; without a helper, `sink` gets what is still there. */
  finish(sink: FileSink): void {
    const ring = this.#ring;
    if (ring.claim(PRODUCER)) {
      while (ring.take(sink));
      return;
    }
    ring.store(END, 1);
    ring.notify(HEAD);
    this.#waitFor(DONE, 1);
  }

  #putWhenRoom(kind: number, name: Uint8Array, attributes: FileAttributes | undefined, content: Uint8Array): void {
    while (!this.#ring.hasRoom(name.length + content.length)) {
      const tail = this.#ring.load(TAIL);
      if (!this.#ring.hasRoom(name.length + content.length)) this.#ring.wait(TAIL, tail);
      this.#check();
    }
    this.#ring.put(kind, name, attributes, content);
  }

  #waitFor(word: number, atLeast: number): void {
    for (let value = this.#ring.load(word); value < atLeast; value = this.#ring.load(word)) {
      this.#check();
      this.#ring.wait(word, value);
    }
    this.#check();
  }

  #check(): void {
    if (this.#ring.load(DONE) === 2)
      throw new Failure('internal', HELPER_FAILED, 'the thread that helps to write files failed');
  }
}

/** Takes files out until the producer ends. Blocks; for a worker thread of its own. It may start late or never. */
export function consumeRing(memory: RingMemory, sink: FileSink): void {
  const ring = new Ring(memory);
  if (ring.load(END) !== 0 || !ring.claim(HELPER)) return;
  try {
    for (;;) {
      const end = ring.load(END);
      const head = ring.load(HEAD);
      if (end === 2) return;
      if (ring.take(sink)) continue;
      if (end === 1) break;
      ring.wait(HEAD, head);
    }
    ring.store(DONE, 1);
  } catch (error) {
    ring.store(DONE, 2);
    throw error;
  } finally {
    for (const word of [DONE, TAIL, DIGESTED]) ring.notify(word);
  }
}

class Ring {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(memory: RingMemory) {
    this.#words = new Int32Array(memory, 0, STATE / 4);
    this.#bytes = new Uint8Array(memory);
    this.#view = new DataView(memory);
  }

  load(word: number): number {
    return Atomics.load(this.#words, word);
  }

  store(word: number, value: number): void {
    Atomics.store(this.#words, word, value);
  }

  notify(word: number): void {
    Atomics.notify(this.#words, word);
  }

  /** Waits for a change of a word; not for ever, so that the end of the other side is seen. */
  wait(word: number, value: number): void {
    Atomics.wait(this.#words, word, value, 100);
  }

  claim(owner: number): boolean {
    return Atomics.compareExchange(this.#words, OWNER, FREE, owner) === FREE;
  }

  digest(number: number): Uint8Array {
    const start = STATE + 32 * (number % DIGESTS);
    return Uint8Array.from(this.#bytes.subarray(start, start + 32));
  }

  /** Whether a record with so many bytes fits now. It must not be split, so what is left up to the end may be lost. */
  hasRoom(length: number): boolean {
    const size = sizeOf(length);
    const start = (this.load(HEAD) >>> 0) % CAPACITY;
    const lost = start + size > CAPACITY ? CAPACITY - start : 0;
    return lost + size <= CAPACITY - this.#fill();
  }

  put(kind: number, name: Uint8Array, attributes: FileAttributes | undefined, content: Uint8Array): void {
    const size = sizeOf(name.length + content.length);
    let head = this.load(HEAD) >>> 0;
    const left = CAPACITY - (head % CAPACITY);
    if (left < size) {
      this.#view.setUint32(DATA + (head % CAPACITY), left, true);
      this.#view.setUint32(DATA + (head % CAPACITY) + 4, Kind.skip, true);
      head = (head + left) >>> 0;
    }
    const at = DATA + (head % CAPACITY);
    [size, kind, name.length, content.length].forEach((value, i) => {
      this.#view.setUint32(at + 4 * i, value, true);
    });
    if (attributes) this.#putAttributes(at + 16, attributes);
    this.#bytes.set(name, at + RECORD);
    this.#bytes.set(content, at + RECORD + name.length);
    this.store(HEAD, (head + size) | 0);
    this.notify(HEAD);
  }

  /** Takes one record out; false when there is none. */
  take(sink: FileSink): boolean {
    if (this.#fill() === 0) return false;
    const tail = this.load(TAIL) >>> 0;
    const at = DATA + (tail % CAPACITY);
    const [size, kind, nameLength, length] = [0, 4, 8, 12].map((offset) => this.#view.getUint32(at + offset, true));
    const start = at + RECORD + (nameLength ?? 0);
    const content = this.#bytes.subarray(start, start + (length ?? 0));
    const name = () => Buffer.from(this.#bytes.subarray(at + RECORD, start));
    if (kind === Kind.file) sink.file(name(), this.#attributes(at + 16), content);
    else if (kind === Kind.open || kind === Kind.openQuiet)
      sink.open(name(), this.#attributes(at + 16), kind === Kind.open);
    else if (kind === Kind.chunk) sink.chunk(content);
    else if (kind === Kind.close) {
      const number = this.load(DIGESTED);
      this.#bytes.set(sink.close(), STATE + 32 * (number % DIGESTS));
      this.store(DIGESTED, number + 1);
      this.notify(DIGESTED);
    }
    this.store(TAIL, (tail + (size ?? 0)) | 0);
    this.notify(TAIL);
    return true;
  }

  #fill(): number {
    return (this.load(HEAD) - this.load(TAIL)) >>> 0;
  }

  #putAttributes(at: number, { mode, uid, gid, mtime, mtimeNsec }: FileAttributes): void {
    this.#view.setUint32(at, mode, true);
    this.#view.setUint32(at + 4, uid, true);
    this.#view.setUint32(at + 8, gid, true);
    this.#view.setUint32(at + 12, mtimeNsec, true);
    this.#view.setFloat64(at + 16, mtime, true);
  }

  #attributes(at: number): FileAttributes {
    return {
      mode: this.#view.getUint32(at, true),
      uid: this.#view.getUint32(at + 4, true),
      gid: this.#view.getUint32(at + 8, true),
      mtimeNsec: this.#view.getUint32(at + 12, true),
      mtime: this.#view.getFloat64(at + 16, true),
    };
  }
}

/** Records start at multiples of 8, so that a skip record always fits. */
const sizeOf = (length: number): number => (RECORD + length + 7) & ~7;

const PIECE = 1 << 20;
const EMPTY = new Uint8Array(0);
