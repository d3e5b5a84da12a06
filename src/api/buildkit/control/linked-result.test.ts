import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../../oci/digest.ts';
import { definition, operation } from '../shapes/definition.ts';
import { definitionOf, imageOf } from './linked-result.ts';

const image = `sha256:${'ab'.repeat(32)}`;

test('the graph of an image is one that clients can carry, and names the image again', () => {
  const graph = definition.decode(definition.encode(definitionOf(image)));
  const [source, end] = graph.operations;
  assert.ok(source && end && graph.operations.length === 2);
  assert.deepEqual(operation.decode(end).inputs, [{ digest: digestOf(source), index: 0 }]);
  assert.ok(graph.metadata.has(digestOf(source)));
  assert.equal(imageOf(graph), image);
});

for (const [what, operations] of [
  ['none', []],
  ['another source', [operation.encode({ source: { identifier: 'git://x' } }), Buffer.alloc(0)]],
  ['more steps', [...definitionOf(image).operations, Buffer.alloc(0)]],
] as const) {
  test(`a graph of ${what} is nobody's image here`, () => {
    assert.equal(imageOf({ operations, metadata: new Map() }), undefined);
  });
}
