import type { ValueOf } from '../../../lib/protobuf.ts';
import { digestOf } from '../../../oci/digest.ts';
import { type definition, operation } from '../shapes/definition.ts';

/**
 * A client carries the result of one build into another as a build graph (`contexts` between targets of `bake`). Ours has
 * one source, the image on this host; graphs of others are not read.
 */
export type Definition = ValueOf<typeof definition>;

const SCHEME = 'strake-image://';

/** The graph of an image. */
export function definitionOf(image: string): Definition {
  const source = operation.encode({ source: { identifier: `${SCHEME}${image}` } });
  const end = operation.encode({ inputs: [{ digest: digestOf(source), index: 0 }] });
  return {
    operations: [source, end],
    metadata: new Map([source, end].map((encoded) => [digestOf(encoded), {}])),
  };
}

/** The image of a graph that `definitionOf` made; undefined for any other. */
export function imageOf({ operations }: Definition): string | undefined {
  const [source, end, ...more] = operations;
  if (!source || !end || more.length > 0) return undefined;
  const identifier = operation.decode(source).source?.identifier ?? '';
  return identifier.startsWith(SCHEME) ? identifier.slice(SCHEME.length) : undefined;
}
