/** Containers and builds on a terminal (mission rows R1, D5): size, keys, signals, live progress. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { importBusybox, makeContext, run, STRAKE, startHost, type TestHost, until } from './harness.ts';
import { type Step, talkOnTerminal } from './on-terminal.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());
afterEach(async () => {
  for (const id of (await host.ok(['ps', '-aq'])).split('\n').filter(Boolean)) await host.ok(['rm', '-f', id]);
});

const onTerminal = (argv: readonly string[], steps: readonly Step[] = []) => talkOnTerminal(host, argv, steps);
const shell = (...flags: string[]) => [STRAKE, 'run', '-it', ...flags, 'busybox', 'sh'];

test('run -it: a shell with a prompt, line editing and its exit code', async () => {
  const { seen, code } = await onTerminal(shell('--rm'), [
    { expect: '/ # ', send: 'tty; test -t 0 && test -t 1 && test -t 2 && echo all terminals\n' },
    { expect: '/dev/pts/0.*all terminals.*/ # ', send: 'exit 5\n' },
  ]);
  assert.equal(code, 5, seen);
});

test('the size of the terminal is passed on, at the start and when it changes', async () => {
  const { code } = await onTerminal(shell('--rm'), [
    { expect: '/ # ', send: 'stty size\n' },
    { expect: '\n30 100\r', resize: [40, 120] },
    { expect: '/ # ', send: 'sleep 0.5; stty size\n' },
    { expect: '\n40 120\r\n/ # ', send: 'exit\n' },
  ]);
  assert.equal(code, 0);
});

test('a program in the container hears of a new size', async () => {
  const program = 'trap "echo got WINCH; stty size; exit 3" WINCH; echo ready; while :; do sleep 0.1; done';
  const { seen, code } = await onTerminal(
    [STRAKE, 'run', '-it', '--rm', 'busybox', 'sh', '-c', program],
    [{ expect: 'ready', resize: [11, 77] }],
  );
  assert.match(seen, /got WINCH\r\n11 77\r\n/);
  assert.equal(code, 3);
});

test('Ctrl-C ends a program in the container, not the session; at a lone program it ends the run with 130', async () => {
  const { code } = await onTerminal(shell('--rm'), [
    { expect: '/ # ', send: 'echo go; sleep 1000\n' },
    { expect: '\r\ngo\r\n', send: '\x03' },
    { expect: '/ # ', send: 'echo "code $?"\n' },
    { expect: 'code 130', send: 'exit 0\n' },
  ]);
  assert.equal(code, 0);
  const lone = await onTerminal(
    [
      STRAKE,
      'run',
      '-it',
      '--rm',
      'busybox',
      'sh',
      '-c',
      'trap "exit 130" INT; echo ready; while :; do sleep 0.1; done',
    ],
    [{ expect: 'ready', send: '\x03' }],
  );
  assert.equal(lone.code, 130);
});

test('Ctrl-C without -t ends the container too', async () => {
  const { code } = await onTerminal(
    [STRAKE, 'run', '--rm', '-i', 'busybox', 'sh', '-c', 'trap "exit 7" INT; echo ready; while :; do sleep 0.1; done'],
    [{ expect: 'ready', send: '\x03' }],
  );
  assert.equal(code, 7);
  await until(async () => (await host.ok(['ps', '-aq'])) === '');
});

test('the terminal is as before when the container has ended, however it ended', async () => {
  const settings = (text: string) => [...text.matchAll(/<settings>\s*(.*?)\s*<\/settings>/gs)].map((match) => match[1]);
  const show = 'echo "<settings>"; stty -a; echo "</settings>"';
  const { seen } = await onTerminal([
    'sh',
    '-c',
    `${show}; ${STRAKE} run -it --rm busybox true; ${show}; ${STRAKE} run -it --rm busybox nosuch; ${show}; ${STRAKE} run -it --rm busybox sh -c 'stty raw -echo; kill -9 $$; exit 1'; ${show}`,
  ]);
  const all = settings(seen);
  assert.equal(all.length, 4, seen);
  for (const one of all) assert.equal(one, all[0]);
});

test('the detach keys leave the container running; attach comes back to it', async () => {
  await onTerminal(shell('--name', 'detached'), [
    { expect: '/ # ', send: 'echo fir""st\n' },
    { expect: 'first', send: '\x10\x11' },
  ]);
  assert.equal(await host.inspect('detached', '{{.State.Running}}'), 'true');
  const { code } = await onTerminal(
    [STRAKE, 'attach', 'detached'],
    [
      { expect: '', send: 'echo sec""ond\n' },
      { expect: 'second', send: 'exit 4\n' },
    ],
  );
  assert.equal(code, 4);
});

test('other detach keys, and half of them, which is input', async () => {
  await onTerminal(
    [STRAKE, 'run', '-it', '--detach-keys', 'ctrl-a,x', '--name', 'other', 'busybox', 'cat', '-v'],
    [
      { expect: '', send: '\x01y\n' },
      { expect: '\\^Ay', send: '\x01x' },
    ],
  );
  assert.equal(await host.inspect('other', '{{.State.Running}}'), 'true');
});

test('-t without a terminal is refused with the reason', async () => {
  const result = await host.strake(['run', '-it', '--rm', 'busybox', 'true']);
  assert.match(result.stderr, /the input device is not a TTY/);
  assert.equal(result.code, 1);
});

test('what is typed ahead and large output on a terminal arrive whole', async () => {
  const { seen } = await onTerminal(shell('--rm'), [{ expect: '', send: 'seq 1 20000; echo e""nd\nexit\n' }]);
  assert.match(seen, /\n19999\r\n20000\r\nend\r\n/);
});

test('build on a terminal shows live progress and leaves a whole account; -q only the ID', async () => {
  const context = makeContext(host.folder, {
    Dockerfile: 'FROM busybox\nRUN echo first line; sleep 1; echo second line\nRUN true\nCMD ["x"]\n',
  });
  const { seen, code } = await onTerminal([STRAKE, 'build', '-t', 'live', context]);
  assert.equal(code, 0);
  assert.match(seen, /\x1b\[/, 'nothing is drawn anew');
  assert.match(seen, /RUN echo first line/);
  assert.match(seen, /first line/);
  assert.match(seen, /\d\.\ds/, 'no time is shown');
  assert.match(seen, /live:latest/);
  const again = await onTerminal([STRAKE, 'build', '-t', 'live', context]);
  assert.match(again.seen, /cached/i);
  assert.match((await onTerminal([STRAKE, 'build', '-q', context])).seen, /^sha256:[0-9a-f]{64}\r\n$/);
});

test('build --progress=plain on a terminal prints classic lines', async () => {
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nRUN echo classic\n' });
  const { seen } = await onTerminal([STRAKE, 'build', '--progress', 'plain', context]);
  assert.match(seen, /Step 2\/2 : RUN echo classic\r\n ---> Running in/);
});

test('a failing RUN on a terminal shows step, output, exit code and a way to look inside', async () => {
  const context = makeContext(host.folder, {
    Dockerfile: 'FROM busybox\nRUN echo before\nRUN echo the reason; exit 6\n',
  });
  const { seen, code } = await onTerminal([STRAKE, 'build', context]);
  assert.equal(code, 6);
  for (const text of [/RUN echo the reason; exit 6/, /the reason/, /non-zero code: 6/, /strake run .*-it [0-9a-f]{12}/])
    assert.match(seen, text);
});

test('Ctrl-C ends a build: the command, the RUN and its container', async () => {
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nRUN echo started; sleep 1000\n' });
  const { code } = await onTerminal([STRAKE, 'build', context], [{ expect: 'started', send: '\x03' }]);
  assert.equal(code, 130);
  await until(async () => (await run('sh', ['-c', 'ps -eo args | grep -c "^sleep 1000$"'])).stdout === '0\n');
  assert.equal(await host.ok(['ps', '-q']), '');
});
