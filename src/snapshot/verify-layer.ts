import { cancelled } from '../lib/error.ts';
import { freeBytes } from '../lib/lend-bytes.ts';
import { type DiffId, Digester } from '../oci/digest.ts';
import { packPieces } from '../tar/pack-layer.ts';
import { type TreeDifference, verifyTree } from './verify-tree.ts';

export interface LayerVerdict {
  /** Between the tree and the index; at most `limit` of them. */
  readonly differences: readonly TreeDifference[];
  /** Of the tar that tree and index give; only computed when they agree. */
  readonly diffId: DiffId | undefined;
}

/**
 * Compares a layer's tree with its index, and finds the diff ID that both give now. A damaged index is a Failure of kind
 * `data-loss`. Reads every byte twice and blocks: meant for a worker thread.
 */
export function verifyLayer(
  request: { readonly tree: string; readonly index: string; readonly limit: number },
  { signal }: { readonly signal: AbortSignal },
): LayerVerdict {
  const differences = verifyTree(request, { signal });
  if (differences.length > 0) return { differences, diffId: undefined };
  const digester = new Digester();
  for (const piece of packPieces(request.index, request.tree)) {
    if (signal.aborted) throw cancelled(signal);
    digester.update(piece);
    freeBytes(piece);
  }
  return { differences, diffId: digester.diffId() };
}
