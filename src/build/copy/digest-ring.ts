import { createHash, type Hash } from 'node:crypto';
import { cancelled, Failure } from '../../lib/error.ts';

/*
 * The digest of a byte stream, computed by another thread than the one that makes the bytes, so that a copy uses two
 * cores. The memory is shared: a few words of state, then slots of 1 MiB that go round.
 */
const SLOT = 1 << 20;
const SLOTS = 4;
const HEAD = 64;

/** Who computes: nobody yet, a helper thread, or the writer itself because no thread was free in time. */
const OWNER = 0;
const FREE = 0;
const HELPER = 1;
const WRITER = 2;
/** Slots written and slots digested since the start. */
const WRITTEN = 1;
const TAKEN = 2;
/** 1: all is written; 2: the writer gave up. */
const END = 3;
/** 1: the helper has left the digest. */
const DONE = 4;
/** Bytes in each slot. */
const LENGTHS = 5;

export type RingMemory = SharedArrayBuffer;

export function makeRing(): RingMemory {
  return new SharedArrayBuffer(HEAD + 32 + SLOTS * SLOT);
}

/** The side that makes the bytes. Blocks while the ring is full: for worker threads only. */
export class RingWriter implements Disposable {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  /** Bytes so far. */
  size = 0;
  #own: Hash | undefined;

  constructor(ring: RingMemory) {
    this.#words = new Int32Array(ring, 0, HEAD / 4);
    this.#bytes = new Uint8Array(ring);
  }

  /** Takes up to 1 MiB, which the caller may overwrite afterwards. */
  write(bytes: Uint8Array): void {
    this.size += bytes.length;
    const slot = this.#isMine() ? undefined : this.#freeSlot();
    if (slot === undefined) {
      this.#own?.update(bytes);
      return;
    }
    this.#bytes.set(bytes, slotPlace(slot));
    this.#words[LENGTHS + slot] = bytes.length;
    Atomics.add(this.#words, WRITTEN, 1);
    Atomics.notify(this.#words, WRITTEN);
  }

  /** The digest in hexadecimal. */
  finish(): string {
    if (this.#isMine() || Atomics.compareExchange(this.#words, OWNER, FREE, WRITER) === FREE) {
      this.#takeOver();
      return this.#own?.digest('hex') ?? '';
    }
    Atomics.store(this.#words, END, 1);
    Atomics.notify(this.#words, WRITTEN);
    while (Atomics.load(this.#words, DONE) === 0) Atomics.wait(this.#words, DONE, 0, 1000);
    return Buffer.from(this.#bytes.slice(HEAD, HEAD + 32)).toString('hex');
  }

  /** Lets the helper go. */
  [Symbol.dispose](): void {
    Atomics.compareExchange(this.#words, END, 0, 2);
    Atomics.notify(this.#words, WRITTEN);
  }

  #isMine(): boolean {
    return Atomics.load(this.#words, OWNER) === WRITER;
  }

  /** A slot to fill; undefined when the writer has become the one who computes. */
  #freeSlot(): number | undefined {
    for (;;) {
      const taken = Atomics.load(this.#words, TAKEN);
      const written = Atomics.load(this.#words, WRITTEN);
      if (written - taken < SLOTS) return written % SLOTS;
      if (Atomics.compareExchange(this.#words, OWNER, FREE, WRITER) === FREE) {
        this.#takeOver();
        return undefined;
      }
      Atomics.wait(this.#words, TAKEN, taken, 1000);
    }
  }

  #takeOver(): void {
    if (this.#own) return;
    this.#own = createHash('sha256');
    const written = Atomics.load(this.#words, WRITTEN);
    for (let slot = Atomics.load(this.#words, TAKEN); slot < written; slot++)
      this.#own.update(slotBytes(this.#bytes, this.#words, slot % SLOTS));
  }
}

/** The side that computes; ends with the writer. It may start late or never. */
export async function digestRing(ring: RingMemory, signal: AbortSignal): Promise<void> {
  const words = new Int32Array(ring, 0, HEAD / 4);
  const bytes = new Uint8Array(ring);
  if (Atomics.load(words, END) !== 0 || Atomics.compareExchange(words, OWNER, FREE, HELPER) !== FREE) return;
  const digest = createHash('sha256');
  for (let next = 0; ; ) {
    const end = Atomics.load(words, END);
    const written = Atomics.load(words, WRITTEN);
    if (next < written) {
      digest.update(slotBytes(bytes, words, next % SLOTS));
      next++;
      Atomics.store(words, TAKEN, next);
      Atomics.notify(words, TAKEN);
    } else if (end !== 0) break;
    else {
      if (signal.aborted) throw cancelled(signal);
      const waiting = Atomics.waitAsync(words, WRITTEN, written, 200);
      if (waiting.async) await waiting.value;
    }
  }
  bytes.set(digest.digest(), HEAD);
  Atomics.store(words, DONE, 1);
  Atomics.notify(words, DONE);
}

const slotPlace = (slot: number): number => HEAD + 32 + slot * SLOT;

function slotBytes(bytes: Uint8Array, words: Int32Array, slot: number): Uint8Array {
  const length = words[LENGTHS + slot] ?? 0;
  if (length > SLOT) throw new Failure('internal', 'RING', 'a slot of the digest ring is too long');
  return bytes.subarray(slotPlace(slot), slotPlace(slot) + length);
}
