import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildEvent, StepInfo } from '../../wire/build.ts';
import { fitText, plainLine, widthOf } from '../terminal/text-width.ts';
import { VirtualTerminal } from '../terminal/virtual-terminal.ts';
import { LiveView } from './live-view.ts';
import { OutputTail } from './output-tail.ts';

const IMAGE = `sha256:${'1d54f96acfff'.padEnd(64, '0')}`;

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

function watch(columns = 40, rows = 12) {
  const screen = new VirtualTerminal(columns, rows);
  let now = 1000;
  const view = new LiveView(screen, { color: false, now: () => now });
  return {
    screen,
    view,
    at(time: number, ...events: BuildEvent[]): string[] {
      now = time;
      for (const event of events) view.show(event);
      view.draw();
      return screen.lines();
    },
  };
}

test('a build from its plan to its end', () => {
  const { screen, view, at } = watch();
  assert.deepEqual(at(1000, { type: 'context', current: 2048, files: 3 }), ['  context: 3 files, 2.05kB']);
  assert.deepEqual(at(1000, plan('FROM scratch', 'RUN make', 'CMD ["x"]')), []);
  assert.deepEqual(
    at(
      2500,
      { type: 'step-start', step: 0, at: 1000 },
      { type: 'step-done', step: 0, image: undefined, at: 1000 },
      { type: 'step-start', step: 1, at: 1000 },
      { type: 'step-output', step: 1, stream: 'stdout', text: 'cc a.c\ncc b' },
    ),
    ['✓ 1/3 FROM scratch                 0.0s', '▸ 2/3 RUN make                     1.5s', '  │ cc a.c', '  │ cc b'],
  );
  assert.deepEqual(at(3000, { type: 'step-output', step: 1, stream: 'stderr', text: '.c\n' }).slice(1), [
    '▸ 2/3 RUN make                     2.0s',
    '  │ cc a.c',
    '  │ cc b.c',
  ]);
  at(
    4000,
    { type: 'step-done', step: 1, image: IMAGE, at: 3200 },
    { type: 'step-start', step: 2, at: 3200 },
    { type: 'step-cached', step: 2 },
    { type: 'step-done', step: 2, image: IMAGE, at: 3201 },
    { type: 'warning', message: 'careful' },
    { type: 'built', image: IMAGE },
    { type: 'tagged', name: 'app:latest' },
  );
  view[Symbol.dispose]();
  assert.deepEqual(screen.lines(), [
    '✓ 1/3 FROM scratch                 0.0s',
    '✓ 2/3 RUN make                     2.2s',
    '✓ 3/3 CMD ["x"]                  CACHED',
    '[Warning] careful',
    'Successfully built 1d54f96acfff',
    'Successfully tagged app:latest',
  ]);
  assert.deepEqual(screen.cursor, { row: 6, column: 0 });
});

test('parallel steps share the rows; a later one that ends early waits for its place', () => {
  const { at } = watch(40, 9);
  const output = (step: number): BuildEvent => ({
    type: 'step-output',
    step,
    stream: 'stdout',
    text: 'a\nb\nc\nd\ne\n',
  });
  const lines = at(
    1000,
    plan('RUN one', 'RUN two', 'RUN three'),
    { type: 'step-start', step: 0, at: 1000 },
    { type: 'step-start', step: 1, at: 1000 },
    { type: 'step-start', step: 2, at: 1000 },
    output(0),
    output(1),
    { type: 'step-done', step: 2, image: IMAGE, at: 1000 },
  );
  assert.deepEqual(lines, [
    '▸ 1/3 RUN one                      0.0s',
    '  │ d',
    '  │ e',
    '▸ 2/3 RUN two                      0.0s',
    '  │ d',
    '  │ e',
    '✓ 3/3 RUN three                    0.0s',
  ]);
});

test('a failed step keeps the end of its output', () => {
  const { screen, view, at } = watch(30);
  at(
    2000,
    plan('RUN bad', 'RUN never'),
    { type: 'step-start', step: 0, at: 1000 },
    { type: 'step-output', step: 0, stream: 'stderr', text: 'boom: cannot do it\n' },
    { type: 'step-failed', step: 0, message: 'exit 1', at: 2000 },
  );
  view[Symbol.dispose]();
  assert.deepEqual(screen.lines(), ['✗ 1/2 RUN bad            1.0s', '  │ boom: cannot do it']);
});

test('long, wide and hostile text stays on its line', () => {
  const { at } = watch(30);
  const lines = at(
    1000,
    plan(`RUN echo ${'漢字'.repeat(20)}\u001b[2J\u0007`),
    { type: 'step-start', step: 0, at: 1000 },
    { type: 'step-output', step: 0, stream: 'stdout', text: `\u001b[31m${'x'.repeat(100)}\u001b]0;title\u0007\n` },
    { type: 'step-output', step: 0, stream: 'stdout', text: '10%\r50%\r\u001b[K100%' },
  );
  assert.equal(lines.length, 3);
  assert.ok(
    lines.every((line) => widthOf(line) < 30),
    lines.join('\n'),
  );
  assert.equal(lines[1], `  │ ${'x'.repeat(24)}…`);
  assert.equal(lines[2], '  │ 100%');
});

test('a terminal that became narrower is drawn over from the right place', () => {
  const { screen, at } = watch(40);
  at(1000, plan('RUN a', 'RUN b'), { type: 'step-start', step: 0, at: 1000 });
  // The terminal wraps what it shows; the virtual one is told the result.
  screen.columns = 25;
  screen.write('x');
  screen.write('\r\n');
  const lines = at(2000, { type: 'step-start', step: 1, at: 2000 });
  assert.deepEqual(lines.slice(-2), ['▸ 1/2 RUN a         1.0s', '▸ 2/2 RUN b         0.0s']);
});

test('what did not change is not drawn again', () => {
  const { screen, at } = watch();
  at(1000, plan('RUN a'), { type: 'step-start', step: 0, at: 1000 });
  let writes = 0;
  const write = screen.write.bind(screen);
  screen.write = (chunk) => {
    writes++;
    return write(chunk);
  };
  at(1010);
  assert.equal(writes, 0);
  at(1200);
  assert.equal(writes, 1);
});

test('the tail keeps the last lines', () => {
  const tail = new OutputTail(3);
  tail.add('1\n2\n3\n4\n5');
  assert.deepEqual(tail.last(9), ['2', '3', '4', '5']);
  assert.deepEqual(tail.last(2), ['4', '5']);
  assert.deepEqual(tail.last(0), []);
});

const widths: readonly [text: string, width: number][] = [
  ['abc', 3],
  ['漢字', 4],
  ['é', 1],
  ['e\u0301', 1],
  ['🚀', 2],
];
for (const [text, width] of widths) {
  test(`width of ${text}`, () => {
    assert.equal(widthOf(text), width);
    assert.ok(widthOf(fitText(text.repeat(9), 7)) <= 7);
  });
}

test('no escape sequence survives', () => {
  for (const text of [
    '\u001b[1;31mred\u001b[0m',
    '\u001b]8;;http://x\u001b\\link',
    '\u001bPq#0\u001b\\',
    '\u009b2J',
    '\u202eabc',
    '\u001b(B\u001b7',
  ])
    assert.match(plainLine(text), /^[ -~]*$/);
});
