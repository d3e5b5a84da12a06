/**
 * Build graphs, as far as they are carried from one build to another.
 * https://github.com/moby/buildkit/blob/master/solver/pb/ops.proto
 */
import { byteStrings, integer, message, nested, nestedList, nestedMap, string } from '../../../lib/protobuf.ts';

const input = message({ digest: string(1), index: integer(2) });

/** A vertex of the graph: a source, or nothing of its own for the last one, which points at the result. */
export const operation = message({
  inputs: nestedList(input, 1),
  source: nested(message({ identifier: string(1) }), 3),
});

/** Encoded operations in an order in which each comes behind its inputs, and something for each under its digest. */
export const definition = message({ operations: byteStrings(1), metadata: nestedMap(message({}), 2) });
