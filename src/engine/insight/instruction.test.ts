import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type InstructionKind, instructionKind } from './instruction.ts';

const ROWS: readonly (readonly [createdBy: string, kind: InstructionKind])[] = [
  ['/bin/sh -c #(nop) COPY file:1 in / ', 'COPY'],
  ['/bin/sh -c #(nop)  ENV A=1', 'other'],
  ['/bin/sh -c make', 'RUN'],
  ['/usr/bin/env -S bash -c make', 'RUN'],
  ['|1 A=b /bin/sh -c make', 'RUN'],
  ['|2 A=b PATH=/x -y /bin/sh -c make', 'RUN'],
  ['|0 /bin/sh make', 'other'],
  ['/bin/sh -c', 'other'],
  ['RUN /bin/sh -c make # buildkit', 'RUN'],
  ['ENTRYPOINT ["/x"]', 'other'],
  ['sh -c make', 'other'],
  ['', 'other'],
];
for (const [createdBy, kind] of ROWS)
  test(`the history says "${createdBy}": ${kind}`, () => assert.equal(instructionKind(createdBy), kind));

test('a hostile history takes no long', () => {
  const start = performance.now();
  assert.equal(instructionKind(`|0 ${'/|'.repeat(400_000)}`), 'other');
  assert.ok(performance.now() - start < 20_000);
});
