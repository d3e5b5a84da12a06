import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BuildEvent } from '../../../wire/build.ts';
import { type StatusResponse, statusResponse } from '../shapes/status.ts';
import { StatusTrace } from './status-trace.ts';
import { Vertexes } from './vertexes.ts';

/** Set to write what comes out now as the expectation; review the difference. */
const update = process.env['UPDATE_GOLDEN'] === '1';
const golden = join(import.meta.dirname, 'golden');
const dockerfile = { name: 'Dockerfile', content: Buffer.from('FROM scratch\nMAINTAINER me \\\n  too\n') };

for (const name of readdirSync(golden)) {
  test(`events as BuildKit's clients see them: ${name}`, async () => {
    const lines = readFileSync(join(golden, name, 'events.jsonl'), 'utf8')
      .trim()
      .split('\n');
    const file = join(golden, name, 'status.txt');
    const drawn: string[] = [];
    const names = new Map<string, string>();
    const show = async (status: Partial<StatusResponse>) => {
      drawn.push(...draw(statusResponse.decode(statusResponse.encode(status)), names));
    };
    let now = 0;
    const vertexes = new Vertexes({ show, ref: 'test', now: () => now });
    const trace = new StatusTrace({ vertexes, dockerfile: () => dockerfile, signal: new AbortController().signal });
    for (const line of lines) {
      const event = JSON.parse(line) as BuildEvent; // written in its form
      if ('at' in event) now = event.at;
      await trace.event(event);
    }
    await trace.cancel();
    if (update) writeFileSync(file, `${drawn.join('\n')}\n`);
    assert.equal(`${drawn.join('\n')}\n`, readFileSync(file, 'utf8'));
  });
}

function draw({ vertexes, statuses, logs, warnings }: StatusResponse, names: Map<string, string>): string[] {
  const called = (digest: string) => names.get(digest) ?? digest;
  return [
    ...vertexes.map(({ digest, name, inputs, cached, started, completed, error }) => {
      names.set(digest, name);
      const from = inputs.length === 0 ? '' : ` <- ${inputs.map(called).join(', ')}`;
      const end = error === '' ? (cached ? 'cached' : 'done') : `error: ${error}`;
      const state = completed ? end : started ? 'begins' : `planned${from}`;
      const time = completed ?? started;
      return `${name}: ${state}${time ? ` at ${Number(time.seconds) * 1000 + time.nanos / 1e6}` : ''}`;
    }),
    ...statuses.map((status) => `${called(status.vertex)}: ${status.id} ${status.current}/${status.total}`),
    ...logs.map(
      ({ vertex, stream, msg }) => `${called(vertex)}: ${stream} ${JSON.stringify(Buffer.from(msg).toString())}`,
    ),
    ...warnings.map(({ short, url, info, ranges }) => {
      const places = ranges.map(({ start, end }) => `${start?.line}-${end?.line}`).join(',');
      return `warning ${Buffer.from(short)} ${url} ${info?.filename ?? ''}:${places} ${Buffer.from(info?.data ?? '').length}`;
    }),
  ];
}

test('a build that is given up has no step that failed', async () => {
  const told: string[] = [];
  const vertexes = new Vertexes({
    ref: 'test',
    show: async ({ vertexes = [] }) => void told.push(...vertexes.map(({ error }) => error)),
  });
  const trace = new StatusTrace({ vertexes, dockerfile: () => undefined, signal: AbortSignal.abort() });
  const step = { index: 0, stage: 0, stageName: undefined, line: 1, text: 'RUN x' };
  await trace.event({ type: 'plan', steps: [step], stages: 1 });
  await trace.event({ type: 'step-start', step: 0, at: 1 });
  await trace.event({ type: 'step-failed', step: 0, message: 'the client gave the call up', at: 2 });
  assert.equal(told.at(-1), 'context canceled');
});
