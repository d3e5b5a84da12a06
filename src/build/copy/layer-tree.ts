import { readlinkSync } from 'node:fs';
import type { LayerEntry } from '../../tar/layer-entry.ts';
import { decodeName, pathInFolder } from '../../tar/names.ts';
import {
  describe,
  joinPath,
  rowsByPath,
  type SourceFile,
  type SourceTree,
  sourceFile,
} from '../context/source-file.ts';
import { type StackedEntry, StackedFolders } from './stacked-folders.ts';

/**
 * Another stage or image to copy from. Digests and attributes come from the indexes of the layers that hold the files
 * asked for; no file is read.
 */
export class LayerTree implements SourceTree {
  readonly #layers: readonly string[];
  readonly #stack: StackedFolders;
  readonly #indexes = new Map<number, ReadonlyMap<string, LayerEntry>>();

  /** `layers` are folders that have `diff` and `index`, bottom first. */
  constructor(layers: readonly string[]) {
    this.#layers = layers;
    this.#stack = new StackedFolders(layers);
  }

  find(path: string): SourceFile | undefined {
    const entry = this.#stack.lookup(path);
    return entry && this.#file(path, entry);
  }

  names(folder: string): readonly string[] {
    return this.#stack.names(folder);
  }

  walk(folder: string, visit: (file: SourceFile) => void): void {
    for (const name of this.#stack.names(folder)) {
      const path = joinPath(folder, name);
      const file = this.find(path);
      if (!file) continue;
      visit(file);
      if (file.type === 'directory') this.walk(path, visit);
    }
  }

  #file(path: string, { stat, place, layer }: StackedEntry): SourceFile | undefined {
    const readLink = () => decodeName(readlinkSync(pathInFolder(place, ''), { encoding: 'buffer' }));
    const folder = `${this.#layers[layer] ?? ''}/diff`;
    const file = sourceFile({ path, folder, stat, isMutable: false }, readLink);
    if (file) describe(file, this.#rows(layer));
    return file;
  }

  #rows(layer: number): ReadonlyMap<string, LayerEntry> {
    let rows = this.#indexes.get(layer);
    if (!rows) {
      rows = rowsByPath(`${this.#layers[layer] ?? ''}/index`);
      this.#indexes.set(layer, rows);
    }
    return rows;
  }
}
