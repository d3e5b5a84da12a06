/** Shells where a step of a build failed or ended (mission row C6): `strake debug`, `build --on-error=shell`. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { importBusybox, makeContext, STRAKE, startHost, type TestHost, until } from './harness.ts';
import { talkOnTerminal } from './on-terminal.ts';

let host: TestHost;
let context: string;
before(async () => {
  host = await startHost();
  await importBusybox(host);
  context = makeContext(host.folder, {
    secret: 'correct-horse',
    'in/f': 'from the context',
    Dockerfile: `FROM busybox
ARG V=7
ENV MODE=fast
WORKDIR /work
RUN --mount=type=cache,target=/cache echo cached > /cache/x; chmod 777 /work /cache
USER app
RUN --mount=type=cache,target=/cache --mount=type=bind,source=in,target=/in --mount=type=bind,source=in,target=/rw,rw \\
  --mount=type=tmpfs,target=/scratch --mount=type=secret,id=s \\
  echo half > done; test -e /cache/wanted || exit 9
RUN echo never
`,
  });
  const built = await host.strake([
    'build',
    '-t',
    'broken',
    '--secret',
    `id=s,src=${join(context, 'secret')}`,
    context,
  ]);
  assert.equal(built.code, 9, built.stderr);
});
after(() => host[Symbol.asyncDispose]());

test('C6: what a failed step left, as its user, in its folder, with its environment and mounts', async () => {
  const show = 'id -un; pwd; cat done; echo $V $MODE; cat /in/f /cache/x; test -d /scratch; cat /run/secrets/s';
  const { stdout, stderr } = await host.strake(['debug', 'broken', 'sh', '-c', show]);
  assert.equal(stdout, 'app\n/work\nhalf\n7 fast\nfrom the contextcached\n');
  assert.match(stderr, /^not here any more: mount \/run\/secrets\/s$/m);
  const writes = await host.strake(['debug', 'broken', 'sh', '-c', 'touch /in/new']);
  assert.match(writes.stderr, /Read-only file system/);
});

test('C6: what happens in a shell changes nothing that is kept, and nothing of it stays', async () => {
  await host.ok(['debug', 'broken', 'sh', '-c', 'echo mine > done']);
  assert.equal(await host.ok(['debug', 'broken', 'cat', 'done']), 'half');
  const left = (await host.ok(['ps', '-aq'])).split('\n');
  assert.equal(left.length, 1, 'only the container of the failed step');
});

test('C6: a step is tried again, in the shell and where it began', async () => {
  assert.equal((await host.strake(['debug', '--retry', 'broken'])).code, 9);
  const script = 'retry-step; echo "code $?"; touch /cache/wanted; retry-step; echo "code $?"; rm /cache/wanted\n';
  const { stdout, code } = await host.strake(['debug'], { input: script });
  assert.deepEqual([stdout, code], ['code 9\ncode 0\n', 0]);
});

test('C6: before the step, any finished step, and an image', async () => {
  assert.equal((await host.strake(['debug', '--before', 'broken', 'cat', 'done'])).code, 1);
  assert.equal(
    await host.ok(['debug', '--step', '5', 'broken', 'sh', '-c', 'id -un; pwd; echo $V; cat /cache/x']),
    'root\n/work\n7\ncached',
  );
  assert.equal(await host.ok(['debug', '--step', '4', 'broken', 'pwd']), '/work');
  assert.equal(await host.ok(['debug', '--step', '5', '--retry', 'broken']), '');
  const other = makeContext(host.folder, { Dockerfile: 'FROM busybox\nRUN echo one > /one\nCMD true\n' });
  await host.ok(['build', '-t', 'whole', other]);
  await host.ok(['build', '-t', 'whole', other]); // now from the cache
  assert.equal(await host.ok(['debug', 'whole', 'cat', '/one']), 'one');
});

test('C6: steps that have nothing to show are refused', async () => {
  const refusals: readonly (readonly [args: string[], message: RegExp])[] = [
    [['--step', '8', 'broken'], /build [0-9a-f]{12} did not come to step 8: RUN echo never/],
    [['--step', '99', 'broken'], /build [0-9a-f]{12} has no step 99/],
    [['--step', '0', 'broken'], /invalid step 0: steps count from 1/],
    [['--step', '3', '--retry', 'broken'], /step 3 runs no command: ENV MODE=fast/],
    [['--retry', 'broken', 'sh'], /--retry runs the step's own command/],
    [['nobody'], /No such build: nobody/],
  ];
  for (const [args, message] of refusals) {
    const { code, stderr } = await host.strake(['debug', ...args]);
    assert.equal(code, 1, args.join(' '));
    assert.match(stderr, message);
  }
  const empty = makeContext(host.folder, { Dockerfile: 'FROM scratch\nCOPY nothing /\n' });
  await host.strake(['build', '-t', 'empty', empty]);
  assert.match((await host.strake(['debug', 'empty'])).stderr, /there are no files before step 2: COPY nothing/);
});

test('C6: build --on-error=shell on a terminal', async () => {
  const failing = makeContext(host.folder, { Dockerfile: 'FROM busybox\nWORKDIR /here\nRUN echo x > left; exit 4\n' });
  const steps = [
    { expect: 'retry-step runs the step again.*/here # ', send: 'cat left; tty\n' },
    { expect: '\r\nx\r\n/dev/pts/0.*# ', send: 'exit\n' },
  ];
  const { seen, code } = await talkOnTerminal(host, [STRAKE, 'build', '--on-error=shell', failing], steps);
  assert.equal(code, 4, seen);
  const refused = await host.strake(['build', '--on-error=shell', failing]);
  assert.match(refused.stderr, /--on-error=shell needs a terminal/);
  assert.match((await host.strake(['build', '--on-error=mail', failing])).stderr, /invalid --on-error "mail"/);
});

test('C6: strake debug on a terminal: size, prompt, exit code', async () => {
  const steps = [
    { expect: 'what it left, as app in /work.*/work \\$ ', send: 'stty size; id -un\n' },
    { expect: '30 100\r\napp\r\n.*\\$ ', send: 'exit 7\n' },
  ];
  assert.equal((await talkOnTerminal(host, [STRAKE, 'debug', 'broken'], steps)).code, 7);
});

test('C6: only so many failures are kept, and secrets are not', async () => {
  assert.ok(!existsSync(join(host.dataRoot, 'debug/secret')));
  const failing = makeContext(host.folder, { Dockerfile: 'FROM busybox\nARG N\nRUN exit $N\n' });
  for (let n = 1; n <= 11; n++) await host.strake(['build', '--build-arg', `N=${n}`, failing]);
  await until(async () => (await host.ok(['ps', '-aq'])).split('\n').length <= 10);
  assert.match((await host.strake(['debug', 'broken', 'true'])).stderr, /what step 7 left is not there any more/);
  assert.equal(await host.ok(['debug', '--before', 'broken', 'echo', 'still']), 'still');
  assert.ok(readdirSync(join(host.dataRoot, 'debug')).length <= 12);
  await host.ok(['container', 'prune', '-f']);
  assert.match((await host.strake(['debug'])).stderr, /what step 3 left is not there any more/);
});
