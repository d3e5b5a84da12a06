import { closeSync, fdatasyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { compressPart, encodeFooter, readLayout, readPart, type StoredPart } from './index-file.ts';
import { decodeRows, encodeRows, RowEncoder } from './index-rows.ts';
import type { LayerEntry } from './layer-entry.ts';
import { encodeRecipe, FRAME, type Piece } from './recipe.ts';

export interface LayerIndex {
  /** Sorted by `compareEntries`; no two rows have the same path and type. */
  readonly entries: readonly LayerEntry[];
  /** True when the layer's tar is what TarWriter makes of the rows; otherwise the file holds a recipe for it. */
  readonly isCanonical: boolean;
}

/** Writes the index of a layer whose tar is canonical. The file appears whole or not at all. */
export function writeLayerIndex(path: string, entries: readonly LayerEntry[] | RowEncoder): void {
  using writer = new LayerIndexWriter(path);
  writer.finish(entries, undefined);
}

/** Reads the rows of an index; a Failure of kind `data-loss` when the file is damaged. */
export function readLayerIndex(path: string): LayerIndex {
  const file = openSync(path, 'r');
  try {
    const { rows, rowCount, recipe, rowsPlace } = readLayout(file);
    return { entries: decodeRows(readPart(file, rowsPlace, rows), rowCount), isCanonical: recipe.length === 0 };
  } finally {
    closeSync(file);
  }
}

/**
 * Writes an index together with the raw bytes of the tar that the rows do not tell. Disposed unfinished, it leaves no
 * file.
 */
export class LayerIndexWriter implements Disposable {
  readonly #path: string;
  readonly #temporary: string;
  #file: number | undefined;
  readonly #frame = Buffer.allocUnsafe(FRAME);
  #fill = 0;
  #rawLength = 0;
  readonly #frames: StoredPart[] = [];

  constructor(path: string) {
    this.#path = path;
    this.#temporary = `${path}.new`;
    this.#file = openSync(this.#temporary, 'w', 0o600);
  }

  /** How many raw bytes there are so far. */
  get rawLength(): number {
    return this.#rawLength;
  }

  /** Keeps raw bytes; returns their place. */
  raw(bytes: Buffer): number {
    const place = this.#rawLength;
    for (let at = 0; at < bytes.length; ) {
      const taken = bytes.copy(this.#frame, this.#fill, at);
      at += taken;
      this.#fill += taken;
      if (this.#fill === FRAME) this.#writeFrame();
    }
    this.#rawLength += bytes.length;
    return place;
  }

  /** Writes the rows, and the recipe unless the tar is canonical, and gives the file its name. */
  finish(entries: readonly LayerEntry[] | RowEncoder, pieces: readonly Piece[] | undefined): void {
    const file = this.#open();
    if (this.#fill > 0) this.#writeFrame();
    const encoded = entries instanceof RowEncoder ? entries : encodeRows(entries);
    const rows = compressPart(encoded.finish());
    const recipe = compressPart(pieces ? encodeRecipe(this.#rawLength, this.#frames, pieces) : Buffer.alloc(0));
    writeWhole(file, rows.stored);
    writeWhole(file, recipe.stored);
    writeWhole(file, encodeFooter({ rows: rows.part, rowCount: encoded.count, recipe: recipe.part }));
    fdatasyncSync(file);
    closeSync(file);
    this.#file = undefined;
    renameSync(this.#temporary, this.#path);
  }

  [Symbol.dispose](): void {
    if (this.#file === undefined) return;
    closeSync(this.#file);
    this.#file = undefined;
    rmSync(this.#temporary, { force: true });
  }

  #open(): number {
    if (this.#file === undefined) throw new Error('the layer index is finished');
    return this.#file;
  }

  #writeFrame(): void {
    const { stored, part } = compressPart(this.#frame.subarray(0, this.#fill));
    writeWhole(this.#open(), stored);
    this.#frames.push(part);
    this.#fill = 0;
  }
}

function writeWhole(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}
