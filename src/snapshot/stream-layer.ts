import { writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { cancelled, Failure } from '../lib/error.ts';
import { freeBytes } from '../lib/lend-bytes.ts';
import type { WorkerPool } from '../lib/worker-pool.ts';
import type { TaskContext } from '../lib/worker-task.ts';
import { type DiffId, Digester } from '../oci/digest.ts';
import { gzipMembers, zstdFrames } from '../tar/compress-pieces.ts';
import { isUsualRoot } from '../tar/layer-entry.ts';
import { readLayerIndex } from '../tar/layer-index.ts';
import { type PlacedEntry, packEntries, packPieces } from '../tar/pack-layer.ts';
import { LayerStack } from '../tar/stack/layer-stack.ts';
import { squashRows } from '../tar/stack/squash-rows.ts';
import { sendStream } from './port-stream.ts';
import { type StreamTaskInput, streamFromWorker } from './stream-from-worker.ts';

export interface StreamedLayer {
  readonly index: string;
  readonly tree: string;
  /** `gzip` and `zstd` are compressed by all processors; equal layers give equal bytes. */
  readonly form: 'tar' | 'gzip' | 'zstd';
  /** Of the compression. */
  readonly level?: number | undefined;
  /** What the tar must be. */
  readonly expect?: DiffId;
}

/**
 * Layers, bottom first, as one: those from number `from` on in one layer that does the same to the ones below. With 0 it
 * is the tree that a container would see, without whiteouts; as `tree` in the canonical tar of that.
 */
export interface StreamedStack {
  readonly form: 'squashed' | 'tree';
  readonly layers: readonly Pick<StreamedLayer, 'index' | 'tree'>[];
  readonly from: number;
}

/**
 * The tar of a layer, packed in a worker thread. What is missing of the tree, and at the end another diff ID than the
 * expected one, is a Failure of kind `data-loss`.
 */
export function streamLayer(
  pool: WorkerPool,
  layer: StreamedLayer | StreamedStack,
  options: { readonly signal: AbortSignal },
): AsyncGenerator<Buffer> {
  const request: StreamRequest = { layer };
  return streamFromWorker(pool, 'stream-layer', request, options);
}

interface StreamRequest {
  readonly layer: StreamedLayer | StreamedStack;
}

/** The part in the worker. */
export async function streamTask(
  { port, layer }: StreamTaskInput<StreamRequest>,
  { signal }: TaskContext,
): Promise<void> {
  await sendStream(piecesOf(layer), port, signal, 'given');
  if (signal.aborted) throw cancelled(signal);
}

export interface WriteRequest {
  readonly layer: StreamedLayer;
  /** Descriptor of the file that gets the tar, and the place in it. */
  readonly file: number;
  readonly place: number;
}

/** As `streamLayer`, into a file, which its owner keeps open. The task of a worker. */
export async function writeTask({ layer, file, place }: WriteRequest, { signal }: TaskContext): Promise<void> {
  let end = place;
  for await (const piece of piecesOf(layer)) {
    for (let at = 0; at < piece.length; ) at += writeSync(file, piece, at, piece.length - at, end + at);
    end += piece.length;
    freeBytes(piece);
    await setImmediate(); // lets the abort message in
    if (signal.aborted) throw cancelled(signal);
  }
}

function piecesOf(layer: StreamedLayer | StreamedStack): Parameters<typeof sendStream>[0] {
  if ('layers' in layer) {
    return packEntries(squashedEntries(layer));
  }
  const pieces = verified(packPieces(layer.index, layer.tree), layer.expect);
  if (layer.form === 'tar') return pieces;
  return layer.form === 'gzip' ? gzipMembers(freed(pieces), layer.level) : zstdFrames(freed(pieces), layer.level);
}

/** Each piece is freed when the next one is asked for. */
function* freed(pieces: Iterable<Buffer>): Generator<Buffer> {
  for (const piece of pieces) {
    yield piece;
    freeBytes(piece);
  }
}

function* squashedEntries({ form, layers, from }: StreamedStack): Generator<PlacedEntry> {
  const stack = new LayerStack(layers.map(({ index }) => readLayerIndex(index).entries));
  for (const { entry, layer } of squashRows(stack, from))
    if (form === 'squashed' || !isUsualRoot(entry)) yield { entry, tree: layers[layer]?.tree ?? '' };
}

function* verified(pieces: Iterable<Buffer>, expect: DiffId | undefined): Generator<Buffer> {
  if (expect === undefined) return yield* pieces;
  const digester = new Digester();
  for (const piece of pieces) {
    digester.update(piece);
    yield piece;
  }
  if (digester.diffId() !== expect)
    throw new Failure('data-loss', 'LAYER_DAMAGED', `layer ${expect} is damaged: its files give another digest`, {
      hint: 'run "strake system check"',
    });
}
