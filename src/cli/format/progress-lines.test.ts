import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProgressLine } from '../../wire/progress.ts';
import { VirtualTerminal } from '../terminal/virtual-terminal.ts';
import { Recorder } from '../test-session.ts';
import { drawProgress } from './progress-lines.ts';

async function* stream(lines: readonly ProgressLine[]): AsyncGenerator<ProgressLine> {
  yield* lines;
}

const PULL: readonly ProgressLine[] = [
  { status: 'Pulling from library/x', id: '1' },
  { status: 'Downloading', id: 'aaa', progressDetail: { current: 500, total: 1000 } },
  { status: 'Downloading', id: 'bbb', progressDetail: { current: 1, total: 4 } },
  { status: 'Downloading', id: 'aaa', progressDetail: { current: 1000, total: 1000 } },
  { status: 'Pull complete', id: 'aaa', progressDetail: {} },
  { status: 'Pull complete', id: 'bbb', progressDetail: {} },
  { status: 'Digest: sha256:1' },
];

test('without a terminal, lines follow each other and bars are left out', async () => {
  const output = new Recorder();
  await drawProgress(stream(PULL), output);
  assert.equal(output.text, '1: Pulling from library/x\naaa: Pull complete\nbbb: Pull complete\nDigest: sha256:1\n');
});

test('on a terminal every id has its line', async () => {
  const screen = new VirtualTerminal(60, 10);
  await drawProgress(stream(PULL.slice(0, 4)), screen);
  assert.deepEqual(screen.lines(), [
    '1: Pulling from library/x',
    'aaa: Downloading      1kB/1kB',
    'bbb: Downloading       1B/4B',
  ]);
  await drawProgress(stream(PULL), screen);
  assert.equal(screen.lines().at(-1), 'Digest: sha256:1');
});

test('text and aux pass, an error line is thrown with its exit code', async () => {
  const output = new Recorder();
  const aux: unknown[] = [];
  const lines = [
    { stream: 'Step' },
    { aux: { ID: 'x' } },
    {
      errorDetail: { code: 3, message: 'no', hint: 'try\x1b', source: { file: 'D\x1b', line: 2, endLine: 2 } },
      error: 'no',
    },
  ];
  const drawing = drawProgress(stream(lines), output, { onAux: (value) => aux.push(value) });
  await assert.rejects(drawing, {
    message: 'no',
    exitCode: 3,
    hint: 'try\ufffd',
    source: { file: 'D\ufffd', line: 2, endLine: 2 },
  });
  assert.equal(output.text, 'Step');
  assert.deepEqual(aux, [{ ID: 'x' }]);
});

test('a hostile status cannot drive the terminal', async () => {
  const output = new Recorder();
  await drawProgress(stream([{ status: 'a\u001b[2Jb' }]), output);
  assert.equal(output.text, 'a\ufffd[2Jb\n');
});
