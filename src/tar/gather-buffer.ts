/** Longest piece that `reserve` gives room for. */
export const RESERVE_LIMIT = 1 << 20;

/** Gathers small pieces of a byte stream into large ones for `sink`. */
export class GatherBuffer {
  readonly #sink: (bytes: Buffer) => void;
  readonly #pieces: 'lent' | 'given';
  #buffer = Buffer.allocUnsafeSlow(RESERVE_LIMIT);
  #fill = 0;
  #flushed = 0;

  /** `lent`: a piece is valid during the call of `sink` only; `given`: it is the sink's to keep, alone in its memory. */
  constructor(sink: (bytes: Buffer) => void, pieces: 'lent' | 'given') {
    this.#sink = sink;
    this.#pieces = pieces;
  }

  /** Bytes so far. */
  get position(): number {
    return this.#flushed + this.#fill;
  }

  put(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += RESERVE_LIMIT) {
      const piece = bytes.length <= RESERVE_LIMIT ? bytes : bytes.subarray(at, at + RESERVE_LIMIT);
      this.reserve(piece.length).set(piece);
    }
  }

  /** Room for the next `length` bytes, at most RESERVE_LIMIT, which the caller fills before the next call. */
  reserve(length: number): Buffer {
    if (this.#fill + length > RESERVE_LIMIT) this.flush();
    const start = this.#fill;
    this.#fill += length;
    return this.#buffer.subarray(start, this.#fill);
  }

  zeros(length: number): void {
    if (length > 0) this.reserve(length).fill(0);
  }

  /** Passes on what there is, and counts bytes that take another way and follow it. */
  skip(length: number): void {
    this.flush();
    this.#flushed += length;
  }

  /** Passes on what there is. */
  flush(): void {
    if (this.#fill === 0) return;
    const piece = this.#buffer.subarray(0, this.#fill);
    if (this.#pieces === 'given') this.#buffer = Buffer.allocUnsafeSlow(RESERVE_LIMIT);
    this.#flushed += this.#fill;
    this.#fill = 0;
    this.#sink(piece);
  }
}
