import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildEvent } from '../../wire/build.ts';
import { SolveStatus } from './solve-status.ts';

const step = (index: number, text: string, stageName?: string) => ({
  index,
  stage: 0,
  stageName,
  line: index + 1,
  text,
});
const plan: BuildEvent = { type: 'plan', steps: [step(0, 'FROM scratch', 'base'), step(1, 'RUN make')], stages: 2 };
const decode = (text: string | undefined) => Buffer.from(text ?? '', 'base64').toString();

test('steps are vertices that keep their digest and name', () => {
  const status = new SolveStatus();
  const planned = status.of(plan, 0)?.vertexes ?? [];
  assert.deepEqual(
    planned.map(({ name }) => name),
    ['[base 1/2] FROM scratch', '[2/2] RUN make'],
  );
  assert.match(planned[0]?.digest ?? '', /^sha256:[0-9a-f]{64}$/);
  assert.notEqual(planned[0]?.digest, planned[1]?.digest);
  const started = status.of({ type: 'step-start', step: 1, at: 1000 }, 0)?.vertexes?.[0];
  assert.deepEqual(started, { ...planned[1], started: '1970-01-01T00:00:01.000Z' });
  status.of({ type: 'step-cached', step: 1 }, 0);
  const done = status.of({ type: 'step-done', step: 1, image: undefined, at: 2000 }, 0)?.vertexes?.[0];
  assert.deepEqual(done, { ...started, cached: true, completed: '1970-01-01T00:00:02.000Z' });
  const failed = status.of({ type: 'step-failed', step: 0, message: 'no', at: 3000 }, 0)?.vertexes?.[0];
  assert.equal(failed?.error, 'no');
});

test('output, progress and warnings', () => {
  const status = new SolveStatus();
  const digest = status.of(plan, 0)?.vertexes?.[1]?.digest;
  const log = status.of({ type: 'step-output', step: 1, stream: 'stderr', text: 'häh\n' }, 5000)?.logs?.[0];
  assert.deepEqual(log, {
    vertex: digest,
    stream: 2,
    data: Buffer.from('häh\n').toString('base64'),
    timestamp: '1970-01-01T00:00:05.000Z',
  });
  const progress = status.of({ type: 'step-progress', step: 1, what: 'copying', current: 3, total: 9 }, 0);
  assert.equal(progress?.statuses?.[0]?.id, 'copying');
  assert.equal(progress?.statuses?.[0]?.total, 9);
  const lint: BuildEvent = {
    type: 'lint',
    rule: 'Rule',
    level: 'warning',
    message: 'so',
    page: 'docs/x.md',
    line: 2,
    endLine: 3,
    excerpt: '',
  };
  const warning = status.of(lint, 0)?.warnings?.[0];
  assert.equal(decode(warning?.short), 'Rule: so');
  assert.deepEqual(warning?.range, [{ start: { line: 2 }, end: { line: 3 } }]);
  assert.equal(status.of({ type: 'tagged', name: 'x' }, 0), undefined);
});
