import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Failure } from '../lib/error.ts';
import { damagedIndex } from './byte-codec.ts';
import { GatherBuffer, RESERVE_LIMIT } from './gather-buffer.ts';
import type { EntryHeader } from './layer-entry.ts';
import { readLayerIndex } from './layer-index.ts';
import { pathInFolder } from './names.ts';
import { Recipe } from './recipe.ts';
import { TarWriter } from './tar-writer.ts';

/**
 * The uncompressed tar of a layer, byte for byte the one that its diffID names, from its index file and the folder with
 * its tree: in pieces of up to 1 MiB, each alone in its memory. Blocks: meant for a worker thread. A file that is gone or
 * has another length than its row is a Failure of kind `data-loss`.
 */
export function* packPieces(indexPath: string, tree: string): Generator<Buffer> {
  const { entries, isCanonical } = readLayerIndex(indexPath);
  if (isCanonical) return yield* packEntries(entries.map((entry) => ({ entry, tree })));
  const ready: Buffer[] = [];
  using recipe = Recipe.open(indexPath);
  if (!recipe) throw new Error('the layer index lost its recipe');
  const out = new GatherBuffer((bytes) => ready.push(bytes), 'given');
  for (const piece of recipe.pieces) {
    if (piece.kind === 'content') {
      const path = entries[piece.row]?.path;
      if (path === undefined) throw damagedIndex('its recipe names a row that is not there');
      for (const length of readContent(tree, path, piece.offset, piece.length, (size) => out.reserve(size)))
        if (length > 0) yield* ready.splice(0);
    } else
      for (let at = 0; at < piece.length; ) {
        const bytes = recipe.raw(piece.offset + at, piece.length - at);
        out.put(bytes);
        at += bytes.length;
        yield* ready.splice(0);
      }
  }
  out.flush();
  yield* ready;
}

/** An entry of a tar to be made; a file's content is at its path in the folder `tree`. */
export interface PlacedEntry {
  readonly entry: EntryHeader;
  readonly tree: string;
}

/** The canonical tar of these entries, in their order. */
export function* packEntries(entries: Iterable<PlacedEntry>): Generator<Buffer> {
  const ready: Buffer[] = [];
  const writer = new TarWriter((bytes) => ready.push(bytes), 'given');
  for (const { entry, tree } of entries) {
    writer.begin(entry);
    if (ready.length > 0) yield* ready.splice(0);
    if (entry.type !== 'file') continue;
    for (const length of readContent(tree, entry.path, 0, entry.size, (size) => writer.reserve(size)))
      if (length > 0) yield* ready.splice(0);
  }
  writer.end();
  yield* ready;
}

/**
 * Reads a part of a file of a layer's tree into room that `reserve` gives; yields after each read, when the room is full.
 * What is not there is a Failure of kind `data-loss`.
 */
export function* readContent(
  tree: string,
  path: string,
  offset: number,
  length: number,
  reserve: (length: number) => Buffer,
): Generator<number> {
  const file = openContent(tree, path);
  try {
    for (let at = 0; at < length; ) {
      const room = reserve(Math.min(length - at, RESERVE_LIMIT));
      for (let fill = 0; fill < room.length; ) {
        const count = readSync(file, room, fill, room.length - fill, offset + at + fill);
        if (count === 0) throw lost(path, 'is shorter than its layer says');
        fill += count;
      }
      at += room.length;
      yield room.length;
    }
  } finally {
    closeSync(file);
  }
}

function openContent(tree: string, path: string): number {
  try {
    return openSync(pathInFolder(tree, path), constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    throw lost(path, 'cannot be read', error);
  }
}

const lost = (path: string, what: string, cause?: unknown): Failure =>
  new Failure(
    'data-loss',
    'LAYER_CONTENT_LOST',
    `file "${path}" of a layer ${what}`,
    cause === undefined ? {} : { cause },
  );
