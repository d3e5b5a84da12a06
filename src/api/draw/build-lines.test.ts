import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildEvent, StepInfo } from '../../wire/build.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import { type BuildStyle, drawBuild } from './build-lines.ts';
import { ClassicText } from './classic-text.ts';

const ID = `sha256:${'1d54f96acfff'.padEnd(64, '0')}`;
const CONTAINER = '435691c21e65'.padEnd(64, '0');

function plan(...texts: string[]): BuildEvent {
  const step = (text: string, index: number): StepInfo => ({
    index,
    stage: 0,
    stageName: undefined,
    line: index + 1,
    text,
  });
  return { type: 'plan', steps: texts.map(step), stages: 1 };
}

function draw(style: BuildStyle, events: readonly BuildEvent[], failed = false): ProgressLine[] {
  const lines: ProgressLine[] = [];
  const drawing = drawBuild(style, (line) => {
    lines.push(line);
    return Promise.resolve();
  });
  for (const event of events) void drawing.show(event);
  if (failed) drawing.failed();
  else drawing.done(ID);
  return lines;
}

const RUN: readonly BuildEvent[] = [
  plan('FROM scratch', 'RUN make', 'LABEL a=b'),
  { type: 'step-start', step: 0, at: 0 },
  { type: 'step-done', step: 0, image: undefined, at: 1 },
  { type: 'step-start', step: 1, at: 1 },
  { type: 'step-container', step: 1, container: CONTAINER },
  { type: 'step-output', step: 1, stream: 'stdout', text: 'out\n' },
  { type: 'step-output', step: 1, stream: 'stderr', text: 'err\n' },
  { type: 'step-container-removed', step: 1, container: CONTAINER },
  { type: 'step-done', step: 1, image: ID, at: 2 },
  { type: 'step-start', step: 2, at: 2 },
  { type: 'step-cached', step: 2 },
  { type: 'step-done', step: 2, image: ID, at: 3 },
  { type: 'image', image: ID },
  { type: 'built', image: ID },
  { type: 'tagged', name: 'n:latest' },
];

test('classic lines are the ones of Docker, one by one', () => {
  assert.deepEqual(draw('classic', RUN), [
    { stream: 'Step 1/3 : FROM scratch' },
    { stream: '\n' },
    { stream: ' ---> \n' },
    { stream: 'Step 2/3 : RUN make' },
    { stream: '\n' },
    { stream: ' ---> Running in 435691c21e65\n' },
    { stream: 'out\n' },
    { stream: '\u001b[91merr\n\u001b[0m' },
    { stream: 'Removing intermediate container 435691c21e65\n' },
    { stream: ' ---> 1d54f96acfff\n' },
    { stream: 'Step 3/3 : LABEL a=b' },
    { stream: '\n' },
    { stream: ' ---> Using cache\n' },
    { stream: ' ---> 1d54f96acfff\n' },
    { aux: { ID } },
    { stream: 'Successfully built 1d54f96acfff\n' },
    { stream: 'Successfully tagged n:latest\n' },
  ]);
});

const texts: readonly [string, readonly BuildEvent[], string][] = [
  [
    'steps before the first FROM show no image',
    [
      plan('ARG V=1', 'FROM a:$V'),
      { type: 'step-start', step: 0, at: 0 },
      { type: 'step-done', step: 0, image: undefined, at: 0 },
      { type: 'step-start', step: 1, at: 0 },
      { type: 'step-done', step: 1, image: ID, at: 0 },
    ],
    'Step 1/2 : ARG V=1\nStep 2/2 : FROM a:$V\n ---> 1d54f96acfff\n',
  ],
  [
    'triggers',
    [
      plan('FROM a'),
      { type: 'step-start', step: 0, at: 0 },
      { type: 'step-triggers', step: 0, count: 2 },
      { type: 'step-done', step: 0, image: ID, at: 0 },
    ],
    'Step 1/1 : FROM a\n# Executing 2 build triggers\n ---> 1d54f96acfff\n',
  ],
  [
    'parallel stages come in the order of steps',
    [
      plan('FROM a', 'FROM b', 'FROM c'),
      { type: 'step-start', step: 2, at: 0 },
      { type: 'step-start', step: 0, at: 0 },
      { type: 'step-done', step: 2, image: ID, at: 0 },
      { type: 'step-start', step: 1, at: 0 },
      { type: 'step-output', step: 1, stream: 'stdout', text: 'one\n' },
      { type: 'step-done', step: 0, image: ID, at: 0 },
      { type: 'step-output', step: 1, stream: 'stdout', text: 'two\n' },
      { type: 'step-done', step: 1, image: ID, at: 0 },
    ],
    'Step 1/3 : FROM a\n ---> 1d54f96acfff\nStep 2/3 : FROM b\none\ntwo\n ---> 1d54f96acfff\nStep 3/3 : FROM c\n ---> 1d54f96acfff\n',
  ],
  [
    'warnings',
    [{ type: 'warning', message: 'One or more build-args [X] were not consumed' }],
    '[Warning] One or more build-args [X] were not consumed\n',
  ],
];
for (const [what, events, expected] of texts) {
  test(`classic text: ${what}`, () => {
    const text = draw('classic', events).map((line) => line.stream ?? '');
    assert.equal(text.join(''), expected);
  });
}

test('a failed build shows what later steps had said, in order', () => {
  const events: BuildEvent[] = [
    plan('FROM a', 'FROM b', 'FROM c'),
    { type: 'step-start', step: 2, at: 0 },
    { type: 'step-start', step: 1, at: 0 },
    { type: 'step-start', step: 0, at: 0 },
    { type: 'step-failed', step: 2, message: 'no', at: 0 },
  ];
  const steps = draw('classic', events, true).flatMap((line) => (line.stream?.startsWith('Step') ? [line.stream] : []));
  assert.deepEqual(steps, ['Step 1/3 : FROM a', 'Step 2/3 : FROM b', 'Step 3/3 : FROM c']);
});

test('of long output that comes early the end is kept, and the text says so', () => {
  const lines: string[] = [];
  const text = new ClassicText(
    (line) => {
      lines.push(line.stream ?? '');
      return Promise.resolve();
    },
    { step: 1000, total: 10_000 },
  );
  void text.show(plan('FROM a', 'RUN b'));
  void text.show({ type: 'step-start', step: 1, at: 0 });
  for (let index = 0; index < 500; index++)
    void text.show({
      type: 'step-output',
      step: 1,
      stream: 'stdout',
      text: `line ${String(index).padStart(3, '0')}\n`,
    });
  void text.show({ type: 'step-done', step: 1, image: ID, at: 0 });
  void text.show({ type: 'step-start', step: 0, at: 0 });
  void text.show({ type: 'step-done', step: 0, image: ID, at: 0 });
  const kept = lines.filter((line) => line.startsWith('line'));
  assert.ok(kept.length > 50 && kept.length <= 112, String(kept.length));
  assert.equal(kept.at(-1), 'line 499\n');
  assert.ok(lines.includes(`[output clipped: ${(500 - kept.length) * 9} bytes that came early were not kept]\n`));
  assert.equal(lines.at(-1), ' ---> 1d54f96acfff\n');
});

test('a quiet build says its image alone, or all when it fails', () => {
  assert.deepEqual(draw('quiet', RUN), [{ stream: `${ID}\n` }]);
  const failed = draw('quiet', RUN.slice(0, 6), true).map((line) => line.stream);
  assert.equal(
    failed.join(''),
    'Step 1/3 : FROM scratch\n ---> \nStep 2/3 : RUN make\n ---> Running in 435691c21e65\nout\n',
  );
});

test('events pass as they are', () => {
  assert.deepEqual(
    draw('events', RUN),
    RUN.map((aux) => ({ id: 'strake.event', aux })),
  );
});
