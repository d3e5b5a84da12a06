import { closeSync, openSync } from 'node:fs';
import { ByteDecoder, ByteEncoder, damagedIndex } from './byte-codec.ts';
import { readLayout, readPart, type StoredPart } from './index-file.ts';

/** A piece of a tar: bytes that the index keeps, or a part of the content of the file in row `row`. */
export type Piece =
  | { readonly kind: 'raw'; readonly offset: number; readonly length: number }
  | { readonly kind: 'content'; readonly row: number; readonly offset: number; readonly length: number };

/** Raw bytes are kept in frames of this length, each compressed on its own. */
export const FRAME = 1 << 20;

/** The recipe of a tar of these pieces, whose raw bytes are kept in these frames. */
export function encodeRecipe(rawLength: number, frames: readonly StoredPart[], pieces: readonly Piece[]): Buffer {
  const out = new ByteEncoder();
  out.number(rawLength);
  for (const frame of frames) {
    out.number(frame.stored);
    out.number(frame.crc);
  }
  out.number(pieces.length);
  let expected = 0;
  for (const piece of pieces) {
    out.number(piece.kind === 'raw' ? 0 : piece.row + 1);
    if (piece.kind === 'raw') {
      out.signed(piece.offset - expected);
      expected = piece.offset + piece.length;
    } else out.number(piece.offset);
    out.number(piece.length);
  }
  return out.finish();
}

/** The recipe of a tar that is not canonical, and the raw bytes that it names. */
export class Recipe implements Disposable {
  readonly pieces: readonly Piece[];
  readonly #file: number;
  readonly #rawLength: number;
  readonly #frames: { readonly place: number; readonly part: StoredPart }[] = [];
  /** The frames used last: pieces go forward, but bytes of overwritten files stand out of line. */
  readonly #cache = new Map<number, Buffer>();

  /** Opens the recipe in the index file at `path`; undefined when the layer's tar is canonical. */
  static open(path: string): Recipe | undefined {
    const file = openSync(path, 'r');
    let recipe: Recipe | undefined;
    try {
      const layout = readLayout(file);
      if (layout.recipe.length > 0)
        recipe = new Recipe(file, readPart(file, layout.recipePlace, layout.recipe), layout.rowsPlace);
    } finally {
      if (!recipe) closeSync(file);
    }
    return recipe;
  }

  private constructor(file: number, encoded: Buffer, framesEnd: number) {
    this.#file = file;
    const input = new ByteDecoder(encoded);
    this.#rawLength = input.number();
    let place = 0;
    for (let start = 0; start < this.#rawLength; start += FRAME) {
      const length = Math.min(FRAME, this.#rawLength - start);
      const part = { stored: input.number(), length, crc: input.number() };
      this.#frames.push({ place, part });
      place += part.stored;
    }
    if (place !== framesEnd) throw damagedIndex('its frames do not fill their place');
    const pieces: Piece[] = [];
    let expected = 0;
    for (let left = input.number(); left > 0; left--) {
      const row = input.number() - 1;
      if (row < 0) {
        const offset = expected + input.signed();
        const length = input.number();
        expected = offset + length;
        if (offset < 0 || expected > this.#rawLength) throw damagedIndex('its recipe names bytes that are not there');
        pieces.push({ kind: 'raw', offset, length });
      } else pieces.push({ kind: 'content', row, offset: input.number(), length: input.number() });
    }
    this.pieces = pieces;
  }

  /** Raw bytes from `offset` on, at most `length` of them: as many as stand in one frame. */
  raw(offset: number, length: number): Buffer {
    const number = Math.floor(offset / FRAME);
    const start = offset - number * FRAME;
    return this.#frame(number).subarray(start, start + length);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  #frame(number: number): Buffer {
    const known = this.#cache.get(number);
    if (known) return known;
    const frame = this.#frames[number];
    if (!frame) throw damagedIndex('its recipe names bytes that are not there');
    const bytes = readPart(this.#file, frame.place, frame.part);
    const oldest = this.#cache.keys().next().value;
    if (this.#cache.size >= 8 && oldest !== undefined) this.#cache.delete(oldest);
    this.#cache.set(number, bytes);
    return bytes;
  }
}
